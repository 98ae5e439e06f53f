#!/usr/bin/env bash
# Test of the image "nginx". NACRE: the program; IMAGE: the image; IMAGE_OLD, if given: the one that it replaces.
set -euo pipefail

work=$(mktemp -d)
name=
fail() {
  printf 'nginx: %s\n' "$*" >&2
  [ -z "$name" ] || "$NACRE" run --logs "$name" >&2 || :
  exit 1
}
stop() {
  "$NACRE" run --stop "$name" > /dev/null || fail "cannot stop $name"
  name=
}
cleanup() {
  [ -z "$name" ] || "$NACRE" run --stop "$name" > /dev/null 2>&1 || :
  rm -rf "$work"
}
trap cleanup EXIT

mkdir "$work/html" "$work/conf.d"
chmod 0755 "$work" "$work/html" "$work/conf.d"
echo pearl > "$work/html/file"

# A port that nobody listens on.
port=
for attempt in $(seq 100); do
  candidate=$((20000 + RANDOM % 20000))
  (exec 3<> "/dev/tcp/127.0.0.1/$candidate") 2> /dev/null || { port=$candidate; break; }
done
[ -n "$port" ] || fail 'no free port'

start() {  # IMAGE OPTION…
  local image=$1
  shift
  name=$("$NACRE" run --detach --publish "$port:8080" --tmpfs /tmp "$@" "$image")
}
# What a path answers; waits until the server is there.
get() {
  curl -sS --fail-with-body --max-time 5 --retry 50 --retry-delay 0 --retry-max-time 20 --retry-connrefused \
    "http://127.0.0.1:$port$1" 2> "$work/curl.log"
}
# Waits until `get PATH` answers with a text.
becomes() {  # PATH TEXT
  local found=
  for attempt in $(seq 100); do
    found=$(get "$1" || :)
    [ "$found" != "$2" ] || return 0
    sleep 0.1
  done
  fail "$1: expected '$2', found '$found'; curl: $(cat "$work/curl.log")"
}
logged() {  # PATTERN
  for attempt in $(seq 100); do
    "$NACRE" run --logs "$name" > "$work/log" 2>&1
    ! grep -q -e "$1" "$work/log" || return 0
    sleep 0.1
  done
  fail "nothing in the log matches $1"
}

# No shell, nor another program.
programs=$("$NACRE" image files "$IMAGE" | sed -n -E 's|^[./]*usr/bin/(.+)|\1|p')
[ "$programs" = nginx ] || fail "expected nginx as the only program, found: $programs"

# As it comes.
start "$IMAGE"
get / > "$work/page" || fail "no answer: $(cat "$work/curl.log")"
grep -q 'Welcome to nginx!' "$work/page" || fail 'not the page of the package'
status=$(curl -s -o "$work/page" -D "$work/headers" -w '%{http_code}' "http://127.0.0.1:$port/none")
[ "$status" = 404 ] || fail "expected 404 for a missing file, found $status"
! grep -i '^server: nginx/' "$work/headers" || fail 'the version is told to everybody'
logged '"GET /none HTTP/1.1" 404'
stop

# With files and a configuration from outside.
server() {
  printf 'server {\n  listen 8080;\n  root /usr/share/nginx/html;\n'
  printf '  location = /who { return 200 "%s"; }\n}\n' "$1"
}
own=(--volume "$work/html:/usr/share/nginx/html" --volume "$work/conf.d:/etc/nginx/conf.d")
server first > "$work/conf.d/default.conf"
start "$IMAGE" "${own[@]}"
becomes /file pearl
becomes /who first

# A changed configuration is taken up without a restart.
server second > "$work/conf.d/default.conf"
"$NACRE" run --kill "$name" HUP
becomes /who second

# A faulty one is refused with a message, and the server goes on with what it has.
printf 'server { listen 8080; retrun 200; }\n' > "$work/conf.d/default.conf"
"$NACRE" run --kill "$name" HUP
logged 'unknown directive "retrun" in /etc/nginx/conf.d/default.conf:1'
becomes /who second
stop

# Nor does it start with one.
if timeout 30 "$NACRE" run --tmpfs /tmp "${own[@]}" "$IMAGE" > "$work/log" 2>&1; then
  fail 'started with a faulty configuration'
fi
grep -q 'unknown directive "retrun" in /etc/nginx/conf.d/default.conf:1' "$work/log" ||
  fail "no word about the fault: $(cat "$work/log")"

# Update, and back: the same configuration serves both.
if [ -n "${IMAGE_OLD:-}" ]; then
  server third > "$work/conf.d/default.conf"
  for image in "$IMAGE_OLD" "$IMAGE" "$IMAGE_OLD"; do
    start "$image" "${own[@]}"
    becomes /who third
    becomes /file pearl
    stop
  done
fi
echo 'nginx: ok'
