# Shared by push.sh and pull.sh: the repository of bench/image.sh today and tomorrow, one library newer; a docker-registry behind a
# relay that counts; nacre and apko side by side.
nacre=$(readlink -f "${NACRE_BUILD:-build/release}/src/cli/nacre")
apko=${NACRE_PEERS:-/nonexistent}/bin/apko
library=libssl3
[ -x "$nacre" ] || { echo "build it first: ninja -C build/release nacre" >&2; exit 77; }
[ -x "$apko" ] || { echo "NACRE_PEERS names no directory with bin/apko" >&2; exit 77; }
for tool in docker-registry skopeo openssl; do command -v $tool >/dev/null || { echo "no $tool" >&2; exit 77; }; done
work=$(mktemp -d "${TMPDIR:-/tmp}/nacre-bench.XXXXXX")
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
export NACRE_HOME=$work/home NACRE_PROGRESS=plain no_proxy='*' DOCKER_CONFIG=$work/docker

cache=${NACRE_BENCH_CACHE:-$work/cache}
[ -s "$cache/repository/keys/nacre-stage0.rsa.pub" ] ||
  NACRE_HOME=$cache/home "$nacre" stage0 export --quiet --table bench/image.yaml "$cache/repository" >/dev/null
python3 bench/new_version.py "$cache/repository" "$work/day.rsa" "$work/today"
python3 bench/new_version.py "$cache/repository" "$work/day.rsa" "$work/tomorrow" $library
day() { ln -sfn "$1" "$work/repository"; }

# definition FILE PACKAGE…: the imported packages have all below /usr, and the loader is asked for in /lib64.
definition() {
  local file=$1
  shift
  { printf 'contents:\n  repositories: [%s]\n  keyring: [%s]\n  packages:\n' "$work/repository" "$work/day.rsa.pub"
    printf '    - %s\n' "$@"
    printf 'paths:\n  - {path: /lib64, type: symlink, source: usr/lib/%s-linux-gnu, permissions: 0o755}\narchs: [%s]\n' "$(uname -m)" "$(uname -m)"; } >"$file"
}
. tests/flow/registry_lib.sh
run_registry "$work" || { echo "docker-registry does not start: $(tail -n 1 "$work/registry.log")" >&2; exit 1; }
python3 bench/relay.py "${registry##*:}" "$work/counts" >"$work/relay" </dev/null &
for _ in $(seq 100); do [ -s "$work/relay" ] && break; sleep 0.05; done
registry=127.0.0.1:$(cat "$work/relay")

# counted LABEL COMMAND…: wall and processor seconds, MB sent and received, requests. On a machine that does other work, compare
# processor seconds.
counted() {
  local label=$1 up down requests up2 down2 requests2 TIMEFORMAT='%R %U %S' seconds user system
  shift
  sleep 0.2
  read -r up down requests <"$work/counts"
  { time "$@" >"$work/said" 2>&1; } 2>"$work/timed" || { echo "$label: failed: $(tail -n 3 "$work/said")"; return 1; }
  read -r seconds user system <"$work/timed"
  sleep 0.2
  read -r up2 down2 requests2 <"$work/counts"
  python3 - "$label" "$seconds" "$user" "$system" $((up2 - up)) $((down2 - down)) $((requests2 - requests)) <<'PY'
import sys
label, (seconds, user, system, up, down, requests) = sys.argv[1], map(float, sys.argv[2:])
print(f'{label:<45} {seconds:7.2f} s {user + system:7.2f} s of processor {up / 1e6:8.2f} MB up {down / 1e6:8.2f} MB down'
      f' {requests:5.0f} requests')
PY
}
