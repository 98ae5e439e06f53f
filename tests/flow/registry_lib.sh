# shellcheck shell=bash
# Debian's docker-registry, for tests and measurements.

# run_registry DIR [LINE]: starts it on a free port of loopback, its files in DIR, with one more line of configuration; $registry
# becomes its address, $registry_data its directory, $registry_pid its process. With a password it answers 401: it is up then, too.
# It fails, and DIR/registry.log says why.
run_registry() {
  local port extra=${2:-}
  registry_data=$1/registry${extra:+-with-more}
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  registry=127.0.0.1:$port
  cat >"$1/registry.yml" <<END
version: 0.1
log: {level: ${registry_log:-error}}
storage: {filesystem: {rootdirectory: $registry_data}, delete: {enabled: true}}
http: {addr: $registry}
$extra
END
  docker-registry serve "$1/registry.yml" >"$1/registry.log" 2>&1 </dev/null &
  registry_pid=$!
  for _ in $(seq 200); do
    case $(curl -s -o /dev/null -w '%{http_code}' "http://$registry/v2/") in 200 | 401) return 0 ;; esac
    sleep 0.05
  done
  return 1
}

# start_registry [LINE]: the same in a test's scratch directory, until the test ends.
start_registry() {
  command -v docker-registry >/dev/null || skip "no docker-registry"
  run_registry "$scratch" "$@" || skip "docker-registry does not start: $(tail -n 1 "$scratch/registry.log")"
  children+=("$registry_pid")
}
