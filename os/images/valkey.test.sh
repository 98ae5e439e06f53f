#!/usr/bin/env bash
# Test of the image "valkey". NACRE: the program; IMAGE: the image; IMAGE_OLD, if given: the one that it replaces.
set -euo pipefail

work=$(mktemp -d)
name=
fail() {
  printf 'valkey: %s\n' "$*" >&2
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

# Whoever the container's user is outside, it may write here.
mkdir "$work/data"
chmod 0755 "$work"
chmod 0777 "$work/data"

cli() { "$NACRE" run --exec "$name" /usr/bin/valkey-cli "$@"; }
answers() {
  for attempt in $(seq 100); do
    [ "$(cli ping 2> /dev/null)" != PONG ] || return 0
    sleep 0.1
  done
  fail 'no PONG within ten seconds'
}
start() {  # IMAGE ARGUMENT…
  local image=$1
  shift
  name=$("$NACRE" run --detach --volume "$work/data:/data" "$image" "$@")
  answers
}
expect() {  # EXPECTED COMMAND…
  local expected=$1 found
  shift
  found=$(cli "$@") || fail "$*: the client ended with status $?"
  [ "$found" = "$expected" ] || fail "$*: expected '$expected', found '$found'"
}

# Nothing but the server and its client.
programs=$("$NACRE" image files "$IMAGE" | sed -n -E 's|^[./]*usr/bin/(.+)|\1|p' | grep -v '^valkey-' || :)
[ -z "$programs" ] || fail "expected no other program, found: $programs"

# The protocol itself, from the host.
port=
for attempt in $(seq 100); do
  candidate=$((20000 + RANDOM % 20000))
  (exec 3<> "/dev/tcp/127.0.0.1/$candidate") 2> /dev/null || { port=$candidate; break; }
done
[ -n "$port" ] || fail 'no free port'
name=$("$NACRE" run --detach --publish "$port:6379" "$IMAGE" --protected-mode no --appendonly no --save '')
answers
exec 3<> "/dev/tcp/127.0.0.1/$port"
printf '*2\r\n$4\r\nECHO\r\n$5\r\npearl\r\n' >&3
IFS= read -r -t 10 -u 3 length && IFS= read -r -t 10 -u 3 text || fail 'no answer on the published port'
exec 3>&-
[ "$length$text" = $'$5\rpearl\r' ] || fail "expected pearl, found $length $text"
stop

# Data outlive the container, after an orderly end and after a kill.
start "$IMAGE"
expect $'appendonly\nyes' config get appendonly
expect OK set sea shell
expect 3 rpush list 1 2 3
stop
start "$IMAGE"
expect shell get sea
expect 3 llen list
expect OK set sea urchin
sleep 2  # the log is written to the disk each second
"$NACRE" run --kill "$name" KILL
"$NACRE" run --stop "$name" > /dev/null 2>&1 || :  # it may have gone altogether
name=
start "$IMAGE"
expect urchin get sea
stop

# They go along with an update of the image, and back.
if [ -n "${IMAGE_OLD:-}" ]; then
  start "$IMAGE_OLD"
  expect OK set before update
  stop
  start "$IMAGE"
  expect update get before
  expect OK set after update
  stop
  start "$IMAGE_OLD"
  expect update get before
  expect update get after
  expect urchin get sea
  stop
fi
echo 'valkey: ok'
