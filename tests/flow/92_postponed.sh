#!/usr/bin/env bash
# Who took nothing of a new release but a number waits for its own next change, or until farm.yaml's time is over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
need_home
command -v git >/dev/null || skip "no git"

clone_home home
forget_distribution
start_upstream
empty_os "$scratch/os"
# numbered_source N: libnum's C, with a header that says N, and what it calls so.
numbered_source() { printf '// soname: libnum.so.1\n#define LIBNUM_NUMBER %s\nint libnum_value(void) { return %s; }\n' "$1" "$1"; }
numbered_source 1 | source_release libnum 1.0
library libnum 1.0
user_of called libnum
user_of numbered libnum
sed -i 's/return 0/return LIBNUM_NUMBER/' "$NACRE_OS_DIR/packages/numbered.yaml"
printf 'rebuild: {postpone: 30d}\n' >"$NACRE_OS_DIR/farm.yaml"

farm() { "$NACRE" farm "$@"; }
change() { farm queue --quiet --all --json | python3 -c 'import json, sys; print(next(c for c in json.load(sys.stdin) if c["id"] == int(sys.argv[2]))[sys.argv[1]])' "$1" "$2"; }
put_off() { farm status --quiet --json | python3 -c 'import json, sys; print(" ".join(row["definition"] for row in json.load(sys.stdin)["postponed"]))'; }
of_image() { "$NACRE" image inspect --quiet --json "$1" | python3 -c '
import json, sys
print(" ".join(sorted(p for layer in json.load(sys.stdin)["layers"] for p in layer["packages"])))'; }
# time_is_over: what was put off is due.
time_is_over() {
  python3 - "$NACRE_HOME/state.db" <<'END'
import json, sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    for key, value in db.execute("SELECT key, value FROM records WHERE kind = 'cut-off'").fetchall():
        record = json.loads(value)
        if "postponedUntil" in record:
            db.execute("UPDATE records SET value = ? WHERE kind = 'cut-off' AND key = ?", (json.dumps({**record, "postponedUntil": 1}), key))
END
}

check "the first run" farm run --quiet --once || finish
same "nothing is put off" "" "$(put_off)"

numbered_source 2 | source_release libnum 1.1
farm upstreams --quiet --ask libnum >/dev/null
check "a release with another number" farm run --quiet --once
same "  is published" "2 done" "$(newest_serial) $(change state 2)"
check "  why" farm why --quiet 2
says "  who calls it stands, who took the number is put off" "$out" "1 built, 1 cut off, 1 postponed"
check "  status" farm status --quiet
says "  says who waits, and what it took" "$out" "numbered, libnum-dev: it names LIBNUM_NUMBER of libnum.h, which changed"
case $(of_image numbered) in
  *libnum=1.1-r0*numbered=1-r0*) passed "  the image has the new library and the old user" ;;
  *) fail "  the image has $(of_image numbered)" ;;
esac
git clone -q "$NACRE_HOME/farm/definitions.git" "$scratch/clone" 2>/dev/null
check "production takes it as it is" env NACRE_OS_DIR="$scratch/clone" "$NACRE" promote --quiet

# A second release does not begin the time anew.
numbered_source 3 | source_release libnum 1.2
farm upstreams --quiet --ask libnum >/dev/null
before=$(farm status --quiet --json | grep '"until"')
check "the next release" farm run --quiet --once
same "  waits no longer than the first" "$before" "$(farm status --quiet --json | grep '"until"')"
time_is_over
check "when the time is over" farm run --quiet --once
same "  it is built" "" "$(put_off)"
check "  the queue" farm queue --quiet --all
says "  says why" "$out" "put off until now: numbered"
case $(of_image numbered) in
  *libnum=1.2-r0*numbered=1-r1*) passed "  the image has the new user, with its next epoch" ;;
  *) fail "  the image has $(of_image numbered)" ;;
esac
check "nothing is left to do" farm run --quiet --once
says "  by itself" "$out" "0 new, 0 done, 0 red"

# Other patches in the same release are a fix: nobody waits.
git -C "$scratch/clone" pull -q
git -C "$scratch/clone" config user.email test@nacre.invalid
git -C "$scratch/clone" config user.name test
sed -i "s/^  epoch: .*/  epoch: 1/; s/^      soname=/      sed -i 's|NUMBER 3|NUMBER 4|' libnum.c\n&/" "$scratch/clone/packages/libnum.yaml"
git -C "$scratch/clone" commit -qam "libnum: mend its number"
git -C "$scratch/clone" push -q origin HEAD:change/mend 2>/dev/null
check "a fix by hand" farm run --quiet --once
same "  reaches who took the number at once" "" "$(put_off)"
case $(of_image numbered) in
  *libnum=1.2-r1*numbered=1-r2*) passed "  in the image" ;;
  *) fail "  the image has $(of_image numbered)" ;;
esac
finish
