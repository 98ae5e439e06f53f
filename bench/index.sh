#!/usr/bin/env bash
# An index of 30,000 packages: inflated, scanned, parsed, mapped, found again, one package added; and apk beside, in the same
# run, when NACRE_PEER_APK names it.
#   PROBE=build/release/src/index/index_probe [NACRE_PEER_APK=APK] [COUNT=30000] bench/index.sh
# (ninja -C build/release index_probe)
set -euo pipefail
: "${PROBE:?the program index_probe}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 "$(dirname "$0")/make_index.py" "${COUNT:-30000}" "$scratch/APKINDEX.tar.gz"
mkdir "$scratch/home"
"$PROBE" "$scratch/APKINDEX.tar.gz" "$scratch/home"
if [ -x "${NACRE_PEER_APK:-/nonexistent}" ]; then
  mkdir -p "$scratch/repo/x86_64" "$scratch/root"
  cp "$scratch/APKINDEX.tar.gz" "$scratch/repo/x86_64/"
  apk=("$NACRE_PEER_APK" --root "$scratch/root" --arch x86_64 --allow-untrusted --repositories-file /dev/null
    --repository "$scratch/repo" search --exact lib-core0)
  "${apk[@]}" >/dev/null 2>&1 || true
  for _ in 1 2 3 4 5; do
    begin=$EPOCHREALTIME
    "${apk[@]}" >/dev/null 2>&1 || true
    python3 -c "print(f'{($EPOCHREALTIME - $begin) * 1000:.2f}')"
  done | sort -n | awk 'NR == 1 { printf "%-44s %8.2f ms\n", "reference: apk search, whole process", $1 }'
else
  echo "reference: skipped (NACRE_PEER_APK)"
fi
