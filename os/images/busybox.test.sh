#!/usr/bin/env bash
# Test of the image "busybox". NACRE: the program; IMAGE: the image.
set -euo pipefail

fail() { printf 'busybox: %s\n' "$*" >&2; exit 1; }
inside() { "$NACRE" run --tmpfs /tmp "$IMAGE" /bin/sh -c "$1"; }
expect() {  # WHAT EXPECTED SCRIPT
  found=$(inside "$3") || fail "$1: the script ended with status $?"
  [ "$found" = "$2" ] || fail "$1: expected '$2', found '$found'"
}

expect 'the shell'        42     'echo $((6 * 7))'
expect 'a pipe of tools'  12     'printf "b 2\na 10\n" | sort | awk "{ s += \$2 } END { print s }"'
expect 'identity'         nacre  '. /etc/os-release; echo "$ID"'
expect 'the user'         65532:65532:nonroot  'echo "$(id -u):$(id -g):$(id -un)"'
expect 'the home'         /home/nonroot  'pwd'
expect 'capabilities'     "$(printf 'CapPrm:\t0000000000000000\nCapEff:\t0000000000000000')" \
  'grep -E "^Cap(Prm|Eff):" /proc/self/status'
expect 'no route leads out' 1    'wc -l < /proc/net/route'
expect 'a writable /tmp'  pearl  'echo pearl > /tmp/file && cat /tmp/file'

for path in /file /etc/file /usr/bin/file /home/nonroot/file; do
  expect "read-only: $path" refused \
    "if touch $path 2> /tmp/why; then echo written; else grep -q 'Read-only file system' /tmp/why && echo refused; fi"
done
echo 'busybox: ok'
