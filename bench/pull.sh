#!/usr/bin/env bash
# An image of python3, curl and bash, pulled and started by a machine that has nothing of it, and by one that has yesterday's, before a
# library changed: skopeo into an OCI layout, umoci, runc; nacre's image and apko's of the same packages in one registry. Seconds and
# bytes of the pull, seconds of pull and start. Needs what bench/push.sh needs, umoci, runc and root.
#   NACRE_PEERS=DIR NACRE_BENCH_CACHE=DIR bench/pull.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in umoci runc; do command -v $tool >/dev/null || { echo "no $tool" >&2; exit 77; }; done
. bench/registry.sh

definition "$work/image.yaml" python3 curl bash
cp "$work/image.yaml" "$work/ours.yaml"
# NACRE_BENCH_BUDGET: another number of layers than nacre's default.
[ -z "${NACRE_BENCH_BUDGET:-}" ] || echo "layering: {strategy: package, budget: $NACRE_BENCH_BUDGET}" >>"$work/ours.yaml"
for when in today tomorrow; do
  day $when
  "$nacre" image build "$work/ours.yaml" --push "$registry/ours:$when" >/dev/null 2>&1
  "$apko" publish "$work/image.yaml" "$registry/theirs:$when" --sbom=false --vcs=false --cache-dir "$work/apko-cache" >/dev/null 2>&1
done
pull() { skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$registry/$1:$2" "oci:$work/machine:$2"; }
start() {
  umoci unpack --image "$work/machine:$1" "$work/bundle"
  python3 - "$work/bundle/config.json" <<'PY'
import json, sys
config = json.load(open(sys.argv[1]))
config['process'].update(args=['python3', '-c', 'print("started")'], terminal=False)
config['linux']['namespaces'] = [n for n in config['linux']['namespaces'] if n['type'] != 'network'] + [{'type': 'network'}]
json.dump(config, open(sys.argv[1], 'w'))
PY
  [ "$(runc --root "$work/runc" run --bundle "$work/bundle" "bench$RANDOM" 2>&1 </dev/null)" = started ]
}
for ((round = 0; round < ${1:-3}; round++)); do
  for whose in ours theirs; do
    rm -rf "$work/machine" "$work/bundle"
    counted "$whose, pulled by a machine that has nothing" pull $whose tomorrow
    counted "$whose, started" start tomorrow
    rm -rf "$work/machine" "$work/bundle"
    pull $whose today
    counted "$whose, pulled by one that has yesterday's" pull $whose tomorrow
  done
done
