#!/usr/bin/env bash
# Depends and provides that the scan finds, beside `melange scan`: on the reference's own test packages and on a tree of
# this machine's commands, libraries, pkg-config files, Perl and Python. NACRE_PEERS names the directory that has
# bin/melange and src/melange. Expected to be equal; docs/formats/scan.md lists where the two differ on purpose.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/release}
probe=$build/src/package/package_probe
melange=${NACRE_PEERS:-/nowhere}/bin/melange
data=${NACRE_PEERS:-/nowhere}/src/melange/pkg/sca/testdata
if [ ! -x "$melange" ] || [ ! -d "$data" ] || [ ! -x "$probe" ]; then
  echo "skipped: needs NACRE_PEERS and $probe"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 good=0

# compare LABEL OURS THEIRS
compare() {
  if diff "$3" "$2" >"$work/diff"; then
    good=$((good + 1))
    echo "equal   $1 ($(wc -l <"$2") names)"
  else
    bad=$((bad + 1))
    echo "differs $1"
    head -20 "$work/diff"
  fi
}
# Lines of names behind the package that they belong to, in order.
names() { awk '/^pkgname = /{p=$3} /^(depend|provides|# vendored) = /{print p": "$0}' | sort; }

theirs() { (cd "$data" && "$melange" scan "$1.yaml" -r "$2" --arch x86_64 2>/dev/null) | names; }

theirs linux "$data/generated" >"$work/theirs"
"$probe" scan-apks "$data"/generated/x86_64/linux-{bz,gz,mod,uki,vm}*.apk | names >"$work/ours"
compare linux "$work/ours" "$work/theirs"
for name in nvidia-driver-590.48.01-r0 ld-so-conf-d-test-1-r1 shbang-test-1-r1; do
  yaml=${name%-*-r*}
  theirs "$yaml" "$data/generated" >"$work/theirs"
  # The definition of one of them says no-provides.
  "$probe" scan-apks "$data/generated/x86_64/$name.apk" | names |
    if [ "$yaml" = shbang-test ]; then grep -v ': provides'; else cat; fi >"$work/ours"
  compare "$yaml" "$work/ours" "$work/theirs"
done

# What the reference's tests expect of packages whose subpackages are not at hand.
expect() {
  local label=$1 version=$2 apk=$3
  shift 3
  printf '%s\n' "$@" | sort >"$work/theirs"
  mkdir -p "$work/tree.$label"
  tar -xzf "$data/$apk" -C "$work/tree.$label" --ignore-zeros 2>/dev/null || true
  rm -f "$work/tree.$label"/.PKGINFO "$work/tree.$label"/.melange.yaml "$work/tree.$label"/.SIGN.*
  "$probe" scan "$label" "$version" "$work/tree.$label" | grep -v '^pkgname' | sort >"$work/ours"
  compare "$label" "$work/ours" "$work/theirs"
}
expect perl-json 4.11-r0 perl-json-4.11-r0.apk 'depend = perl~5'
expect ruby3.2-base64 0.2.0-r2 ruby3.2-base64-0.2.0-r2.apk 'depend = ruby-3.2'
expect bash-doc 5.2.37-r2 bash-doc-5.2.37-r2.apk 'depend = man-db' 'depend = texinfo'
expect go-fips-bin 0.0.1-r0 generated/x86_64/go-fips-bin-0.0.1-r0.apk \
  'depend = openssl-config-fipshardened' 'depend = so:ld-linux-x86-64.so.2' 'depend = so:libc.so.6' \
  'depend = so:libcrypto.so.3' 'provides = cmd:go-fips-bin=0.0.1-r0'
expect libcap 2.69-r0 libcap-2.69-r0.apk 'depend = so:ld-linux-aarch64.so.1' 'depend = so:libc.so.6' \
  'provides = so-ver:libcap.so.2=2.69-r0' 'provides = so-ver:libpsx.so.2=2.69-r0' 'provides = so:libcap.so.2=2' \
  'provides = so:libpsx.so.2=2'
expect aws-c-s3 0.4.9-r0 aws-c-s3-0.4.9-r0.apk 'depend = so:ld-linux-aarch64.so.1' \
  'depend = so:libaws-c-auth.so.1.0.0' 'depend = so:libaws-c-cal.so.1.0.0' 'depend = so:libaws-c-common.so.1' \
  'depend = so:libaws-c-http.so.1.0.0' 'depend = so:libaws-c-io.so.1.0.0' 'depend = so:libaws-checksums.so.1.0.0' \
  'depend = so:libc.so.6' 'provides = so-ver:libaws-c-s3.so.0unstable=0.4.9-r0' \
  'provides = so:libaws-c-s3.so.0unstable=0'
expect neon 4604-r0 neon-4604-r0.apk 'depend = so:ld-linux-aarch64.so.1' 'depend = so:libc.so.6' \
  'depend = so:libecpg.so.6' 'depend = so:libpgtypes.so.3' 'depend = so:libpq.so.5' \
  '# vendored = pc:libecpg=4604-r0' '# vendored = pc:libecpg_compat=4604-r0' '# vendored = pc:libpgtypes=4604-r0' \
  '# vendored = pc:libpq=4604-r0' '# vendored = so-ver:libecpg_compat.so.3=4604-r0' \
  '# vendored = so:libecpg_compat.so.3=3'
expect linux-rpi-modules 1.20250915-r0 generated/x86_64/linux-rpi-modules-1.20250915-r0.apk \
  'depend = linux:6.12.25' 'depend = linux:6.12.25-v7' 'depend = linux:6.12.25-v7l' 'depend = linux:6.12.25-v8' \
  'depend = linux:6.12.25-v8-16k'

# This machine.
tree=$work/out/real
mkdir -p "$tree/usr/lib" "$tree/usr/share"
cp -a /usr/bin "$tree/usr/"
cp -a /usr/share/perl5 /usr/lib/*-linux-gnu/*.so* /usr/lib/*-linux-gnu/pkgconfig /usr/lib/python3* "$tree/usr/lib/" || true
cp -a /usr/share/pkgconfig "$tree/usr/share/" || true
"$probe" pack real 1 "$work/out" "$work/repo/x86_64"
printf 'package:\n  name: real\n  version: "1"\n  epoch: 0\n  description: x\n' >"$work/real.yaml"
"$melange" scan "$work/real.yaml" -r "$work/repo" --arch x86_64 2>/dev/null | names >"$work/theirs"
"$probe" scan real 1-r0 "$tree" | names >"$work/ours"
compare "this machine" "$work/ours" "$work/theirs"

echo "$good equal, $bad differ"
[ "$bad" -eq 0 ]
