#!/usr/bin/env bash
# `nacre up` makes the whole distribution; a second run has nothing to do; what it made verifies.
. "$(dirname "$0")/lib.sh"
export NACRE_HOME=$NACRE_TEST_HOME

definitions=$(find "$source_root/os/packages" -maxdepth 1 -name '*.yaml' | wc -l)
images=$(find "$source_root/os/images" -maxdepth 1 -name '*.yaml' -printf '%f\n' | sed 's/\.yaml$//' | sort)

if "$NACRE" serials --quiet 2>/dev/null | grep -q ' images '; then
  passed "the home is there already: its first run is not repeated"
else
  check "first run" "$NACRE" up || finish
  cp "$out" "$scratch/first"
  says "all definitions are built" "$scratch/first" "$definitions definitions built"
  for image in $images; do
    if grep -Eq "^  $image +[0-9.]+ [KMG]?i?B +sha256:[0-9a-f]{64} " "$scratch/first"; then
      passed "image $image with size and digest"
    else
      fail "no line for image $image"
    fi
  done
  says "time of each stage" "$scratch/first" "time:  build "
  says "first serial" "$scratch/first" "published: edition community, serial 1 (first)"
  for next in "nacre verify" "nacre run" "nacre update" "nacre rollback"; do
    says "what to try next: $next" "$scratch/first" "$next"
  done
fi

start=$(date +%s%N)
check "second run" "$NACRE" up
took=$((($(date +%s%N) - start) / 1000000))
says "nothing to do" "$out" "nothing to do: edition community is at serial "
if [ "$took" -lt 5000 ]; then passed "second run took $took ms"; else fail "second run took $took ms, not under 5000"; fi

for image in $images; do
  check "image $image verifies" "$NACRE" verify --quiet "$image"
  says "  its packages stand in the signed index" "$out" "packages named by the signed index"
done
check "index and packages as a repository directory" "$NACRE" index --quiet --repository "$scratch/repository"
for file in "$scratch"/repository/*/APKINDEX.tar.gz "$scratch"/repository/*/zlib-[0-9]*.apk; do
  check "$(basename "$file") verifies" "$NACRE" verify --quiet "$file"
done
left=$(find "$NACRE_HOME/partial" "$NACRE_HOME/quarantine" "$NACRE_HOME/work" -mindepth 1 ! -type d)
same "nothing is left in partial/, quarantine/ and work/" "" "$left"
left=$(find "$NACRE_HOME/signer" -maxdepth 1 -name '*.sock*')
same "no sockets are left" "" "$left"
finish
