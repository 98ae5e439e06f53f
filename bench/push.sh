#!/usr/bin/env bash
# Ten images that share a library, pushed to one docker-registry; then the library changes, and they are made and pushed again. Seconds,
# bytes and requests, beside apko on the same packages. Needs docker-registry, skopeo, openssl and NACRE_PEERS with bin/apko.
#   NACRE_PEERS=DIR NACRE_BENCH_CACHE=DIR bench/push.sh    (the cache is that of bench/image.sh)
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/registry.sh

names=(python3 perl git bash dpkg adduser ca-certificates openssl tzdata binutils)
for name in "${names[@]}"; do definition "$work/$name.yaml" curl "$name"; done
ours() { for name in "${names[@]}"; do "$nacre" image build "$work/$name.yaml" --push "$registry/ours/$name:$1"; done; }
theirs() {
  for name in "${names[@]}"; do
    "$apko" publish "$work/$name.yaml" "$registry/theirs/$name:$1" --sbom=false --vcs=false --cache-dir "$work/apko-cache"
  done
}
day today
counted "nacre, ten images for the first time" ours 1
counted "apko, the same" theirs 1
day tomorrow
echo "$library: $(stat -c %s "$work/tomorrow/$(uname -m)/$library"-*.apk) bytes as a package"
counted "nacre, after $library changed" ours 2
counted "apko, the same" theirs 2
counted "nacre, when nothing changed" ours 3
