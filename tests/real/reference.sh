#!/bin/bash
# Builds definitions with the reference tool in the same root (the exported repository) and compares the packages.
#
#   reference.sh MELANGE WORK DEFINITIONS MIRRORS NAME …
#
# WORK is build_all.py's; WORK/repository holds `nacre stage0 export`'s answer. MIRRORS holds OWNER+NAME/repo. REFERENCE_CA names
# certificates for steps that fetch something themselves, where a machine has its own.
set -u
here=$(dirname "$(readlink -f "$0")") melange=$1 work=$2 definitions=$3 mirrors=$4
shift 4
cache=$work/reference/cache table=$work/reference/gitconfig
mkdir -p "$cache/git" "$table" "$work/reference/logs"
{
  printf '[safe]\n\tdirectory = *\n'
  for name in "$@"; do
    grep -ohE 'https://github.com/[^/ ]+/[^/ ]+' "$definitions/$name.yaml" | sort -u | while read -r address; do
      short=${address#https://github.com/} short=${short%.git} short=${short/\//+}
      [ -d "$mirrors/$short/repo" ] || continue
      [ -d "$cache/git/$short" ] || cp -r "$mirrors/$short/repo" "$cache/git/$short"
      printf '[url "file:///var/cache/melange/git/%s"]\n\tinsteadOf = %s\n' "$short" "$address"
    done
  done
} >"$table/gitconfig"
cp "${REFERENCE_CA:-/dev/null}" "$table/ca.crt"
printf 'packages:\n  - name: reference-gitconfig\n    files: {etc/gitconfig: gitconfig, etc/reference-ca.crt: ca.crt}\n' >"$table/stage0.yaml"
printf '%s=/etc/reference-ca.crt\n' SSL_CERT_FILE CARGO_HTTP_CAINFO NODE_EXTRA_CA_CERTS >"$table/env"
[ -n "${REFERENCE_CA-}" ] || : >"$table/env"
"${NACRE:-nacre}" stage0 export --quiet --table "$table/stage0.yaml" "$work/reference/repository" || exit 1
key=$(ls "$work"/repository/keys/*.pub)
for name in "$@"; do
  out=$work/reference/packages/$name
  if [ ! -d "$out" ]; then
    grep -ohE 'expected-sha256: *[0-9a-f]{64}' "$definitions/$name.yaml" | sed 's/.* //' | while read -r hex; do
      blob=$NACRE_HOME/blobs/sha256/${hex:0:2}/$hex
      [ -e "$blob" ] || blob=$NACRE_HOME/blobs/sha256/${hex:0:2}/${hex:2}
      [ -e "$blob" ] && cp "$blob" "$cache/sha256:$hex"
    done
    # Without a directory of side files the reference takes all that lies beside the definition.
    side=$definitions/$name
    [ -d "$side" ] || side=$work/reference/no-files
    mkdir -p "$work/reference/no-files"
    start=$(date +%s.%N)
    timeout 600 "$melange" build "$definitions/$name.yaml" --arch x86_64 --runner bubblewrap -r "$work/repository" \
      -r "$work/reference/repository" -k "$key" --pipeline-dir "$definitions/pipelines" --cache-dir "$cache" \
      --package-append reference-gitconfig --env-file "$table/env" --source-dir "$side" --generate-index=false --out-dir "$out" \
      >"$work/reference/logs/$name" 2>&1 ||
      { rm -rf "$out"; echo "== $name: the reference failed: $(grep -iE 'error' "$work/reference/logs/$name" | tail -n 1 | cut -c1-200)"; continue; }
    echo "== $name: reference took $(echo "$(date +%s.%N) - $start" | bc) s"
  else
    echo "== $name"
  fi
  python3 "$here/compare.py" "$work/packages/$name" "$out"
done
