#!/usr/bin/env bash
# The scan of a tree of 2,000 ELF files (copies of this machine's libraries under names of their own): time and memory,
# and the reference's `melange scan` on the same files when NACRE_PEERS names the directory that has bin/melange.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/lib.sh

count=${1:-2000}
folder=$work/out/elfs/usr/lib
mkdir -p "$folder"
mapfile -t libraries < <(find /usr/lib/*-linux-gnu /usr/lib/gcc -name '*.so*' -type f -size -2M 2>/dev/null | sort)
for ((i = 0; i < count; i++)); do
  cp "${libraries[i % ${#libraries[@]}]}" "$folder/lib$i.so.1"
done
echo "$count ELF files, $(du -sm "$folder" | cut -f1) MiB, from ${#libraries[@]} libraries"
"$probe" scan elfs 1-r0 "$work/out/elfs" >"$work/ours"
measure "nacre, files in memory" "$probe" scan elfs 1-r0 "$work/out/elfs"
[ -n "${NACRE_PEERS:-}" ] && [ -x "$NACRE_PEERS/bin/melange" ] || { echo "reference: skipped"; exit 0; }
"$probe" pack elfs 1 "$work/out" "$work/repo/x86_64"
printf 'package:\n  name: elfs\n  version: "1"\n  epoch: 0\n  description: x\n' >"$work/elfs.yaml"
measure "melange scan, from its package" \
  "$NACRE_PEERS/bin/melange" scan "$work/elfs.yaml" -r "$work/repo" --arch x86_64
"$NACRE_PEERS/bin/melange" scan "$work/elfs.yaml" -r "$work/repo" --arch x86_64 2>/dev/null |
  grep -E '^(depend|provides|# vendored) ' | sort >"$work/theirs"
grep -E '^(depend|provides|# vendored) ' "$work/ours" | sort >"$work/mine"
if cmp -s "$work/mine" "$work/theirs"; then echo "equal: $(wc -l <"$work/mine") names"; else diff "$work/mine" "$work/theirs" | head -20; fi
