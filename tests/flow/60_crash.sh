#!/usr/bin/env bash
# Killed, interrupted or out of space at any point: the last serial is still served, nothing is left running, and the next run goes on.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os
mark=31.4159  # of the sleeping step, to find it among all processes
slow() {  # slow WORD: a definition that sleeps when WORD is new
  define flow-slow <<STEP
mkdir -p \${{targets.destdir}}/usr/share/flow
echo $1 > \${{targets.destdir}}/usr/share/flow/slow
echo step of $1 has begun
sleep $mark
STEP
}
# start: `nacre up` in a session of its own, as a terminal's foreground job has; $job becomes its process id.
start() {
  setsid "$NACRE" up flow-slow >"$scratch/up.out" 2>"$scratch/up.err" </dev/null &
  job=$!
}
wait_for_step() {
  for _ in $(seq 600); do
    pgrep -f "^sleep $mark" >/dev/null && return 0
    sleep 0.05
  done
  fail "the step did not begin"
}
none_left() {  # a killed process may take a moment to go
  local left
  for _ in $(seq 40); do
    left=$(pgrep -f "^sleep $mark"; pgrep -f -- "--home $NACRE_HOME")
    [ -n "$left" ] || break
    sleep 0.05
  done
  same "$1: nothing is left running" "" "$left"
}

echo "-- kill -9 during a build"
slow one
start
wait_for_step
kill -9 "$job"
{ wait "$job"; } 2>/dev/null
none_left "kill -9"
same "the last serial is the newest" 1 "$(newest_serial)"
serves_serial "after kill -9" 1

echo "-- Ctrl-C during a build"
for signal in INT TERM; do
  start
  wait_for_step
  kill -$signal "$job"
  rc=0
  wait "$job" || rc=$?
  same "SIG$signal: exit code" 5 "$rc"
  cp "$scratch/up.err" "$err"
  says "SIG$signal: it says so" "$err" "nacre: interrupted"
  says "  and where" "$err" "making 'flow-slow'"
  none_left "SIG$signal"
done
same "the last serial is the newest" 1 "$(newest_serial)"
slow() { define flow-slow <<<"mkdir -p \${{targets.destdir}}/usr/share/flow; echo $1 > \${{targets.destdir}}/usr/share/flow/slow"; }
slow two
check "the next run goes on" "$NACRE" up flow-slow
says "  with the package that was interrupted" "$out" "1 definitions built, "
says "  and publishes" "$out" "serial 2 (flow-slow 1-r0)"

echo "-- kill -9 at many points of a run that builds, packages and publishes"
before=$(date +%s%N)
slow three
check "a run to measure" "$NACRE" up flow-slow
took=$((($(date +%s%N) - before) / 1000000))
number=$(newest_serial)
steps=14
for i in $(seq $steps); do
  slow "again $i"
  start
  sleep "$(python3 -c "print($took * $i * 1.4 / $steps / 1000)")"
  kill -9 "$job" 2>/dev/null
  { wait "$job"; } 2>/dev/null
  now=$(newest_serial)
  if [ "$now" -ne "$number" ] && [ "$now" -ne $((number + 1)) ]; then fail "serial $number became $now"; fi
  [ "$now" -eq "$number" ] && point=before || point=after
  "$NACRE" index --quiet --repository "$scratch/repository$i" >"$out" 2>"$err" &&
    "$NACRE" verify --quiet "$scratch/repository$i/$(uname -m)/APKINDEX.tar.gz" >"$out" 2>"$err" &&
    passed "killed after $((took * i * 14 / steps / 10)) ms, $point the publish: serial $now is whole" ||
    { fail "serial $now after a kill at $((took * i * 14 / steps / 10)) ms"; cat "$err"; }
  rm -rf "$scratch/repository$i"
  number=$now
done
none_left "kills"
slow end
check "the next run goes on" "$NACRE" up flow-slow
number=$(newest_serial)
check "  it verifies" "$NACRE" verify --quiet nginx
serves_serial "after the kills" "$number"
left=$(find "$NACRE_HOME/partial" "$NACRE_HOME/work" -mindepth 1 -maxdepth 1)
echo "      left in partial/ and work/: $(wc -w <<<"$left") entries"

echo "-- full disk"
if [ "$(id -u)" -ne 0 ] || ! mkdir "$scratch/disk" || ! mount -t tmpfs -o size=1100m,mode=755 nacre-test "$scratch/disk" 2>/dev/null; then
  echo "skipped: only root can mount the small file system"
  finish
fi
cleaners+=("umount -l '$scratch/disk'")
small=$scratch/disk/home
cp -a "$NACRE_HOME" "$small"
export NACRE_HOME=$small
fill() {
  dd if=/dev/zero of="$scratch/disk/filler" bs=64K 2>/dev/null
  dd if=/dev/zero of="$scratch/disk/filler2" bs=1K 2>/dev/null
}
define flow-slow <<'STEP'
mkdir -p ${{targets.destdir}}/usr/share/flow
dd if=/dev/zero of=${{targets.destdir}}/usr/share/flow/big bs=1M count=2000
STEP
what="a build that fills the disk" expect_error 5 "no space left" "$small" "making 'flow-slow'" -- "$NACRE" up --quiet flow-slow
same "the last serial is the newest" "$number" "$(newest_serial)"
rm -rf "$small/work/"*
slow full
fill
what="a run on a full disk" expect_error 5 "no space left" "$small" -- "$NACRE" up --quiet flow-slow
serves_serial "on the full disk" "$number"
rm "$scratch/disk/filler" "$scratch/disk/filler2"
check "with space again the next run goes on" "$NACRE" up --quiet flow-slow
same "  and publishes" $((number + 1)) "$(newest_serial)"
finish
