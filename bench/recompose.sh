#!/usr/bin/env bash
# From a changed library to pushed images: twenty images (or as many as the argument says) hold a small library; its next version
# is built, and then the time is taken of composing and attesting every image, of publishing the serial, and of pushing to
# Debian's docker-registry on loopback. Median of five rounds (second argument). Needs docker-registry, apt-get, python3.
set -euo pipefail
cd "$(dirname "$0")/.."

count=${1:-20} rounds=${2:-5} source_root=$PWD
nacre=$(readlink -f "${NACRE:-build/release/src/cli/nacre}")
command -v docker-registry >/dev/null || { echo "docker-registry is not installed" >&2; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/nacre-bench.XXXXXX")
chmod 755 "$work"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
export NACRE_HOME=$work/home NACRE_PROGRESS=plain no_proxy='*'
. tests/flow/small_os.sh
small_os "$work/os"
library() { small_package libsmall "1.$1" "" "for i in \$(seq 200); do echo \"$1 \$i\" >>\"\$d/data\"; done"; }
library 0
small_package base 1 libsmall 'head -c 300000 /dev/zero >"$d/zeros"; seq 20000 >"$d/numbers"'
for i in $(seq "$count"); do
  small_package "app$i" "$i.0.1" base "seq $i 9000 >\"\$d/data\""
  small_image "app$i" "app$i"
done
. tests/flow/registry_lib.sh
run_registry "$work" || { echo "docker-registry does not start: $(tail -n 1 "$work/registry.log")" >&2; exit 1; }
"$nacre" up --quiet --registry "$registry" >"$work/first" 2>&1 || { cat "$work/first" >&2; exit 1; }

for round in $(seq "$rounds"); do
  library "$round"
  "$nacre" up --quiet --json --registry "$registry" >"$work/round$round.json" 2>"$work/round$round.err" ||
    { cat "$work/round$round.err" >&2; exit 1; }
done
python3 - "$count" "$work"/round*.json <<'PY'
import json, statistics, sys
count, rows = int(sys.argv[1]), []
for file in sys.argv[2:]:
    report = json.load(open(file))
    stages = report["stages"]
    composed = sum(image["composed"] for image in report["images"])
    assert composed == count, f"{composed} images were composed"
    pushed = report["pushed"]
    rows.append((stages["images"], stages["publish"], report["pushSeconds"],
                 sum(r["blobsSent"] for r in pushed), sum(r["bytesSent"] for r in pushed)))
names = ("compose and attest", "publish the serial", "push")
for i, name in enumerate(names):
    print(f"{name:<24} {statistics.median(r[i] for r in rows):8.3f} s")
total = [sum(r[:3]) for r in rows]
print(f"{'together':<24} {statistics.median(total):8.3f} s  (best {min(total):.3f}, worst {max(total):.3f}, {len(rows)} rounds)")
print(f"{'sent':<24} {statistics.median(r[3] for r in rows):8.0f} blobs, {statistics.median(r[4] for r in rows) / 1024:.0f} KiB for {count} images")
PY
