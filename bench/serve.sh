#!/usr/bin/env bash
# Pulls of the largest blob of an image, again and again, by 16 clients at once until 1 GiB has moved (or as many MiB as the
# argument says): from `nacre serve`, and the same bytes from nginx with sendfile, in turn. MiB a second, processor seconds of
# the server. Needs nginx, curl, and a home with an image (NACRE_HOME, made by `nacre up`).
set -euo pipefail
cd "$(dirname "$0")/.."

mib=${1:-1024} clients=16 rounds=${2:-5}
nacre=${NACRE:-build/release/src/cli/nacre}
command -v nginx >/dev/null || { echo "nginx is not installed" >&2; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/nacre-bench.XXXXXX")
chmod 755 "$work"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
export no_proxy='*'

"$nacre" serve --quiet --json --port 0 >"$work/serving" &
ours_pid=$!
for _ in $(seq 100); do [ -s "$work/serving" ] && break; sleep 0.05; done
port=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["port"])' <"$work/serving")
# The largest blob: image, digest, size.
read -r image digest bytes < <(python3 - "http://127.0.0.1:$port" <<'PY'
import json, sys, urllib.request
base, best = sys.argv[1], ("", "", 0)
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
get = lambda path: json.load(urllib.request.urlopen(base + path))
for name in get("/v2/_catalog")["repositories"]:
    for row in get(f"/v2/{name}/manifests/latest")["manifests"]:
        for layer in get(f"/v2/{name}/manifests/{row['digest']}").get("layers", []):
            if layer["size"] > best[2]: best = (name, layer["digest"], layer["size"])
print(*best)
PY
)
mkdir "$work/www"
curl -fsS -o "$work/www/blob" "http://127.0.0.1:$port/v2/$image/blobs/$digest"
cat >"$work/nginx.conf" <<END
pid $work/nginx.pid; error_log $work/error.log; worker_processes auto;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; client_body_temp_path $work/body;
  server { listen 127.0.0.1:$((port + 1)); root $work/www; } }
END
nginx -c "$work/nginx.conf" -g 'daemon off;' 2>/dev/null &
nginx_pid=$!
for _ in $(seq 100); do curl -fsI "http://127.0.0.1:$((port + 1))/blob" >/dev/null 2>&1 && break; sleep 0.05; done

each=$(((mib * 1048576 / bytes + clients - 1) / clients))
echo "$image $digest: $bytes bytes, $clients clients, $each pulls each"

# used PID: processor seconds of a process and its children so far.
used() { python3 -c 'import os, sys, glob
tick = os.sysconf("SC_CLK_TCK"); total = 0
for path in glob.glob("/proc/[0-9]*/stat"):
    try: text = open(path).read()
    except OSError: continue
    fields = text[text.rindex(")") + 2:].split()
    if sys.argv[1] in (path.split("/")[2], fields[1]): total += int(fields[11]) + int(fields[12])
print(total / tick)' "$1"; }
# pull NAME PID URL: one round.
pull() {
  local name=$1 pid=$2 url=$3 before start taken i
  local -a waiting=()
  before=$(used "$pid") start=$(date +%s.%N)
  for ((i = 0; i < clients; i++)); do
    curl -fsS --noproxy '*' -o /dev/null "$url?[1-$each]" & waiting+=("$!")
  done
  wait "${waiting[@]}"
  taken=$(date +%s.%N)
  python3 -c 'import sys
name, mib, start, end, before, after = sys.argv[1], *map(float, sys.argv[2:])
print(f"{name:<12} {mib / (end - start):8.0f} MiB/s   {after - before:6.2f} s of processor")' \
    "$name" "$((each * clients * bytes / 1048576))" "$start" "$taken" "$before" "$(used "$pid")"
}
for ((round = 0; round < rounds; round++)); do
  pull "nacre serve" $ours_pid "http://127.0.0.1:$port/v2/$image/blobs/$digest"
  pull "nginx" $nginx_pid "http://127.0.0.1:$((port + 1))/blob"
done
