"""A loss of power, as a file system with a journal gives it back: names are there, content that nobody synced is not.

lose_unsynced.py LOG SINCE DIR...: of each file below DIR that was written after SINCE (nanoseconds since 1970) only so much stays as
was synced by what LOG says (tests/flow/note_syncs.c). Prints how many files lost something, then the first of them.

lose_unsynced.py --note LOG DIR...: what is there now is on disk: LOG says so of each file, also when it gets a new date.
"""
import os
import sys


def note(log, folders):
    with open(log, "a") as out:
        for folder in folders:
            for place, _, names in os.walk(folder):
                for status in (os.lstat(os.path.join(place, name)) for name in names):
                    out.write(f"file {status.st_ino} {status.st_size} {status.st_mtime_ns}\n")


def main():
    if sys.argv[1] == "--note":
        return note(sys.argv[2], sys.argv[3:])
    log, since, folders = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    files, all_until = {}, 0
    for line in open(log) if os.path.exists(log) else []:
        words = line.split()
        if words[0] == "all":
            all_until = int(words[1])
        elif len(words) == 4:
            inode, size, modified = map(int, words[1:])
            files[inode] = (size, modified)
    lost = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                status = os.lstat(path)
                if not os.path.isfile(path) or os.path.islink(path) or status.st_mtime_ns <= max(since, all_until):
                    continue
                size, modified = files.get(status.st_ino, (0, 0))
                # What was written over in place after it was synced may have arrived as well.
                if modified >= status.st_mtime_ns or size >= status.st_size:
                    continue
                os.truncate(path, size)
                lost.append(os.path.relpath(path, folder))
    print(len(lost), *lost[:12])


main()
