# Shared by the benchmarks of packages: trees made of this machine's own files, times and memory.
probe=${NACRE_BUILD:-build/release}/src/package/package_probe
[ -x "$probe" ] || { echo "build it first: ninja -C build/release package_probe" >&2; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/nacre-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT

# measure LABEL COMMAND…: wall and processor seconds and peak memory of one run; sets $seconds, $cpu and $mib. On a
# machine that does other work, compare processor seconds.
measure() {
  local label=$1
  shift
  read -r seconds cpu mib < <(python3 - "$@" <<'PY'
import resource, subprocess, sys, time
# A wrapper that became this process may have had children.
before = resource.getrusage(resource.RUSAGE_CHILDREN)
start = time.monotonic()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
taken = time.monotonic() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu = usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime
print(f"{taken:.3f} {cpu:.3f} {usage.ru_maxrss // 1024}")
sys.exit(status)
PY
  )
  printf '%-34s %8s s %8s s of processor %5s MiB peak\n' "$label" "$seconds" "$cpu" "$mib"
}
