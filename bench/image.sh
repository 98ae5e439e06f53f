#!/usr/bin/env bash
# An image of a whole repository of Debian's packages as the stage 0 importer writes it (bench/image.yaml: 223 packages,
# 554 MiB compressed): with nothing in the store, again, after one package changed (a library, in its next revision), a
# small image, and layers as apko writes them; apko on the same repository in the same run when NACRE_PEERS names the
# directory that has bin/apko.
# NACRE_BENCH_CACHE names a directory that keeps the repository between runs: making it takes minutes.
# NACRE_BENCH_REPOSITORY and NACRE_BENCH_KEY name another repository (with x86_64/) and its key.
set -euo pipefail
cd "$(dirname "$0")/.."
nacre=$(readlink -f "${NACRE_BUILD:-build/release}/src/cli/nacre")
[ -x "$nacre" ] || { echo "build it first: ninja -C build/release nacre" >&2; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/nacre-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
eval "$(sed -n '/^measure() {/,/^}/p' bench/lib.sh)"

cache=${NACRE_BENCH_CACHE:-$work/cache}
repository=${NACRE_BENCH_REPOSITORY:-$cache/repository}
key=${NACRE_BENCH_KEY:-$repository/keys/nacre-stage0.rsa.pub}
[ -n "${NACRE_BENCH_REPOSITORY:-}" ] || [ -s "$key" ] ||
  NACRE_HOME=$cache/home "$nacre" stage0 export --quiet --table bench/image.yaml "$repository" >/dev/null
arch=$(uname -m)
names=$(tar xzOf "$repository/$arch/APKINDEX.tar.gz" APKINDEX 2>/dev/null | sed -n 's/^P://p' | sort -u)
# What Debian's names exclude of each other cannot stand in one image.
names=$(grep -vxE "${NACRE_BENCH_WITHOUT:-everything}" <<<"$names")
# The same repository today and tomorrow, when a package is newer, under one name.
changed=${NACRE_BENCH_CHANGED:-libssl3}
python3 bench/new_version.py "$repository" "$work/day.rsa" "$work/today"
python3 bench/new_version.py "$repository" "$work/day.rsa" "$work/tomorrow" "$changed"
ln -s today "$work/repository"
definition() {
  printf 'contents:\n  repositories: [%s]\n  keyring: [%s]\n  packages:\n' "$work/repository" "$work/day.rsa.pub"
  sed 's/^/    - /' <<<"$1"
  printf 'archs: [%s]\n' "$arch"
}
definition "$names" >"$work/all.yaml"
definition "$(printf '%s\n' python3 curl bash)" >"$work/small.yaml"
echo "$(wc -l <<<"$names") packages asked for, $(du -sm "$repository/$arch" | cut -f1) MiB"

export NACRE_HOME=$work/home NACRE_PROGRESS=plain
mkdir "$work/ours" "$work/again" "$work/small" "$work/like" "$work/theirs"
measure "nacre, nothing in the store" "$nacre" image build "$work/all.yaml" --layout "$work/ours"
measure "nacre, the same again" "$nacre" image build "$work/all.yaml" --layout "$work/again"
ln -sfn tomorrow "$work/repository"
measure "nacre, after $changed changed" "$nacre" image build "$work/all.yaml" --layout "$work/ours"
ln -sfn today "$work/repository"
"$nacre" image build "$work/small.yaml" --layout "$work/small" >/dev/null 2>&1
measure "nacre, python3 + curl + bash, warm" "$nacre" image build "$work/small.yaml" --layout "$work/small"
measure "nacre, layers as apko writes them" "$nacre" apko build "$work/all.yaml" x:1 "$work/like" --sbom=false --vcs=false
[ -n "${NACRE_PEERS:-}" ] && [ -x "$NACRE_PEERS/bin/apko" ] || { echo "reference: skipped"; exit 0; }
measure "apko, an empty cache" "$NACRE_PEERS/bin/apko" build "$work/all.yaml" x:1 "$work/theirs" --sbom=false --vcs=false \
  --cache-dir "$work/apko-cache"
measure "apko, again" "$NACRE_PEERS/bin/apko" build "$work/all.yaml" x:1 "$work/theirs" --sbom=false --vcs=false \
  --cache-dir "$work/apko-cache"
"$NACRE_PEERS/bin/apko" build "$work/small.yaml" x:1 "$work/theirs" --sbom=false --vcs=false \
  --cache-dir "$work/apko-cache" >/dev/null 2>&1
measure "apko, python3 + curl + bash, warm" "$NACRE_PEERS/bin/apko" build "$work/small.yaml" x:1 "$work/theirs" \
  --sbom=false --vcs=false --cache-dir "$work/apko-cache"
