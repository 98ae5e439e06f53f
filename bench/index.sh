#!/usr/bin/env bash
# An index of 30,000 packages: inflated, scanned, parsed, mapped, found again, one package added; and apk, apko and a whole
# nacre beside, in the same run, when NACRE_PEER_APK, NACRE_PEER_APKO and NACRE name them.
#   PROBE=build/release/src/index/index_probe [NACRE_PEER_APK=APK] [NACRE_PEER_APKO=APKO] [NACRE=…] [COUNT=30000] bench/index.sh
# (ninja -C build/release index_probe)
set -euo pipefail
: "${PROBE:?the program index_probe}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 "$(dirname "$0")/make_index.py" "${COUNT:-30000}" "$scratch/APKINDEX.tar.gz"
name=leaf
mkdir "$scratch/home"
"$PROBE" "$scratch/APKINDEX.tar.gz" "$scratch/home"
# Reference programs: the least of five runs of the whole process, which must succeed.
least() {
  local text=$1 begin least=
  shift
  for _ in 1 2 3 4 5; do
    begin=$EPOCHREALTIME
    "$@" >"$scratch/said" 2>&1 || { echo "$text: failed: $(tail -n 1 "$scratch/said")"; return 0; }
    least=$(python3 -c "print(min(${least:-1e9}, ($EPOCHREALTIME - $begin) * 1000))")
  done
  printf '%-44s %8.2f ms\n' "$text" "$least"
}
mkdir -p "$scratch/repo/x86_64" "$scratch/root/etc/apk" "$scratch/root/lib/apk/db"
cp "$scratch/APKINDEX.tar.gz" "$scratch/repo/x86_64/"
if [ -x "${NACRE_PEER_APK:-/nonexistent}" ]; then
  least "reference: apk search, whole process" "$NACRE_PEER_APK" --root "$scratch/root" --arch x86_64 --allow-untrusted \
    --repositories-file /dev/null --repository "$scratch/repo" search --exact "$name"
else
  echo "reference: apk skipped (NACRE_PEER_APK)"
fi
if [ -x "${NACRE_PEER_APKO:-/nonexistent}" ] && [ -x "${NACRE:-/nonexistent}" ]; then  # it takes signed indexes only
  ln -s "$(realpath "$NACRE")" "$scratch/melange"
  (cd "$scratch" && ./melange keygen test.rsa && ./melange sign-index --signing-key test.rsa repo/x86_64/APKINDEX.tar.gz) 2>/dev/null
  printf 'contents:\n  repositories: [%s]\n  keyring: [%s]\n  packages: [%s]\narchs: [x86_64]\n' "$scratch/repo" \
    "$scratch/test.rsa.pub" "$name" >"$scratch/image.yaml"
  least "reference: apko show-packages, whole process" "$NACRE_PEER_APKO" show-packages --arch x86_64 "$scratch/image.yaml"
else
  echo "reference: apko skipped (NACRE_PEER_APKO, NACRE)"
fi
if [ -x "${NACRE:-/nonexistent}" ]; then
  export NACRE_HOME=$scratch/own
  "$NACRE" solve --quiet -r "$scratch/repo" "$name" >/dev/null
  least "nacre solve, whole process, the second time" "$NACRE" solve --quiet -r "$scratch/repo" "$name"
fi
