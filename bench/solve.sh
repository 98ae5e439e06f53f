#!/bin/sh
# Solves a world of 300 atoms among 30,000 packages, beside apk and apko in the same run.
#   bench/solve.sh APK APKO [BUILD [PACKAGES [ATOMS]]]
# The probe (ninja solve_probe) tells processor time of each stage; the programs' wall clock is the best of three, from the index as a file.
set -eu
apk=${1:?the apk program} apko=${2:?the apko program} build=${3:-build/release} packages=${4:-30000} atoms=${5:-300}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export NACRE_HOME="$work/home"

python3 "$here/solve_index.py" "$work" "$packages" "$atoms"
"$build/src/solve/solve_probe" "$work/APKINDEX" "$work/world"

now() { date +%s.%N; }
took() { # TEXT COMMAND …
  what=$1 best=
  shift
  for _ in 1 2 3; do
    start=$(now)
    "$@" > "$work/out" 2>&1 || { tail -3 "$work/out" >&2; echo "$what: failed" >&2; return 0; }
    best=$(awk -v a="$start" -v b="$(now)" -v c="${best:-999}" 'BEGIN { d = b - a; printf "%.3f", d < c ? d : c }')
  done
  printf '%-32s %8.0f ms\n' "$what" "$(awk -v s="$best" 'BEGIN { print s * 1000 }')"
}

root=$work/root
mkdir -p "$root/etc/apk" "$root/lib/apk/db" "$root/var/log" "$root/tmp"
: > "$root/lib/apk/db/installed"
cp "$work/world" "$root/etc/apk/world"
echo "test:/$work/x86_64/APKINDEX.tar.gz" > "$root/etc/apk/repositories"
{
  echo "contents:"
  echo "  repositories: [$work]"
  echo "  packages:"
  sed 's/^/    - /' "$work/world"
  echo "archs: [x86_64]"
} > "$work/image.yaml"

# apko takes signed indexes only.
openssl genrsa -out "$work/bench.rsa" 2048 2> /dev/null
openssl rsa -in "$work/bench.rsa" -pubout -out "$work/bench.rsa.pub" 2> /dev/null
"$build/src/cli/nacre" melange sign-index --signing-key "$work/bench.rsa" "$work/x86_64/APKINDEX.tar.gz" > /dev/null

echo "load $(cut -d' ' -f1 /proc/loadavg), $(nproc) cores"
took "nacre solve, apk's rules" "$build/src/cli/nacre" solve --quiet -r "$work" --arch x86_64 --world "$work/world"
took "nacre solve, apko's rules" "$build/src/cli/nacre" solve --quiet -r "$work" --arch x86_64 --world "$work/world" --rules apko
took "apk add --simulate" "$apk" --root "$root" --repositories-file "$root/etc/apk/repositories" --no-cache --allow-untrusted \
  --simulate --root-tmpfs=no --arch x86_64 add
took "apko show-packages" "$apko" show-packages --keyring-append "$work/bench.rsa.pub" --arch x86_64 "$work/image.yaml"
