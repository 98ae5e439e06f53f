#!/usr/bin/env bash
# Packing a tree of 1 GiB made of this machine's own files, all of them and some large ones: MiB/s and peak memory, beside
# one core of `gzip -6` on the same bytes (times the cores: the speed of the compressor), and the same with secrets to
# look for.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/lib.sh

mib=${1:-1024}
root=$work/out/tree
mkdir -p "$root"
size=0 part=0
while [ "$size" -lt "$mib" ]; do
  for source in /usr/lib /usr/share /usr/bin /usr/include; do
    [ "$size" -lt "$mib" ] || break
    part=$((part + 1))
    mkdir -p "$root/usr/share/p$part"
    tar -C "$source" -cf - --exclude-vcs . 2>/dev/null | head -c "$(((mib - size) * 1048576))" |
      tar -C "$root/usr/share/p$part" -xf - --no-same-owner 2>/dev/null || true
    size=$(du -sm --apparent-size "$root" | cut -f1)
  done
done
tar -C "$root" -cf "$work/all.tar" .
bytes=$(stat -c %s "$work/all.tar")
echo "$((bytes / 1048576)) MiB in $(find "$root" -type f | wc -l) files, $(nproc) cores"
head -c 268435456 "$work/all.tar" >"$work/part.tar"
measure "gzip -6, one core, 256 MiB" gzip -6 -c "$work/part.tar"
one=$seconds one_cpu=$cpu
measure "nacre" "$probe" pack tree 1 "$work/out" "$work/packages"
ours=$seconds ours_cpu=$cpu
python3 -c "
mib, one, one_cpu, ours, ours_cpu, cores = $bytes / 1048576, $one, $one_cpu, $ours, $ours_cpu, $(nproc)
core = 256 / one
print(f'wall: gzip -6 {core:.0f} MiB/s a core, {core * cores:.0f} on {cores}; nacre {mib / ours:.0f}:',
      f'{mib / ours / (core * cores):.2f} of the compressor')
print(f'processor: gzip -6 {256 / one_cpu:.0f} MiB a second, nacre {mib / ours_cpu:.0f}:',
      f'{mib / ours_cpu / (256 / one_cpu):.2f} of the compressor')"
