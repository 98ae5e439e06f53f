#!/usr/bin/env bash
# The power goes while the farm works, again and again: what was written and not synced is gone, names are there. What people said
# stays said, what was published stays published, and the farm goes on to the end by itself. No distribution is needed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
for program in apt-get python3 git cc; do command -v "$program" >/dev/null || skip "no $program"; done
export NACRE_HOME=$scratch/home
. "$(dirname "$0")/small_os.sh"
losses=${NACRE_LOSSES:-8}
RANDOM=${NACRE_TORTURE_SEED:-11}
cc -O1 -shared -fPIC -o "$scratch/note_syncs.so" "$source_root/tests/flow/note_syncs.c" -ldl || skip "cc makes no shared library"
small_os "$scratch/first"
small_package libtiny 1.0 "" 'echo 1.0 >"$d/version"'
small_package tool 2.5.1 libtiny 'head -c 30000 /dev/zero >"$d/data"'
small_image tool tool
printf 'gates: {reproducibility: off}\nchannels: {stable: {soak: 0s}}\n' >"$NACRE_OS_DIR/farm.yaml"
farm() { "$NACRE" farm "$@"; }
check "the distribution as it is" farm run --quiet --once || finish
git clone -q "$NACRE_HOME/farm/definitions.git" "$scratch/clone" 2>/dev/null
git -C "$scratch/clone" config user.email test@nacre.invalid
git -C "$scratch/clone" config user.name test
export NACRE_OS_DIR=$scratch/clone

# push N: version N of libtiny on a branch by hand.
push() {
  git -C "$scratch/clone" fetch -q && git -C "$scratch/clone" reset -q --hard origin/main
  small_package libtiny "1.$1" "" "echo 1.$1 >\"\$d/version\""
  git -C "$scratch/clone" add -A && git -C "$scratch/clone" commit -qm "libtiny 1.$1"
  git -C "$scratch/clone" push -q -f origin "HEAD:change/libtiny" 2>/dev/null
}
states() { farm queue --all --quiet --json | python3 -c 'import json, sys; print(*sorted({c["state"] for c in json.load(sys.stdin)}))'; }

begun=${EPOCHREALTIME/[.,]/}
push 1
check "one change, not disturbed" farm run --quiet --once
ms=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000 + 200))
lost=0 minor=1 last=$(newest_serial)
for ((round = 1; round <= losses; round++)); do
  if ! farm queue --quiet --json | grep -q '"state": *"ready"'; then minor=$((minor + 1)); push "$minor"; fi
  : >"$scratch/syncs"
  sync
  python3 "$source_root/tests/flow/lose_unsynced.py" --note "$scratch/syncs" "$NACRE_HOME"
  since=$(date +%s%N)
  LD_PRELOAD=$scratch/note_syncs.so SYNC_LOG=$scratch/syncs setsid "$NACRE" farm run --quiet --once >"$scratch/run" 2>&1 </dev/null &
  pid=$!
  sleep "$(python3 -c "print(($RANDOM % $ms) / 1000)")"
  kill -9 -- "-$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  "$NACRE" serials --quiet --json >"$scratch/serials" 2>/dev/null
  python3 "$source_root/tests/flow/lose_unsynced.py" "$scratch/syncs" "$since" "$NACRE_HOME" >"$scratch/lost"
  read -r count _ <"$scratch/lost"
  lost=$((lost + count))
  rm -f "$NACRE_HOME/boot" "$NACRE_HOME"/state.db-shm "$NACRE_HOME"/farm/farm.db-shm   # as after a start of the machine
  if ! "$NACRE" serials --quiet --json >"$scratch/after" 2>"$err"; then
    fail "after loss $round: serials cannot be read"; cat "$err" "$scratch/lost"; finish
  fi
  python3 - "$scratch/serials" "$scratch/after" "$last" <<'END' || { fail "after loss $round: a serial that was seen is not there"; cat "$scratch/lost"; finish; }
import json, sys
try: before = json.load(open(sys.argv[1]))
except ValueError: before = []
after = json.load(open(sys.argv[2]))
sys.exit(0 if len(after) >= max(len(before), int(sys.argv[3])) and before == after[:len(before)] else 1)
END
  last=$(newest_serial)
  if ! farm run --quiet --once >"$out" 2>"$err"; then
    # What failed for a while is due again later; what turned red would wait for a person.
    farm queue --quiet --json >"$scratch/queue"
    if grep -q '"state": *"\(red\|quarantined\)"' "$scratch/queue"; then
      fail "after loss $round the farm needs a person:"; cat "$scratch/queue" "$scratch/lost"; finish
    fi
  fi
done 2>/dev/null
if [ "$lost" -gt "$losses" ]; then passed "$losses losses took $lost files"; else fail "only $lost files were lost in $losses losses"; fi
for attempt in $(seq 60); do
  farm queue --quiet --json | grep -q '"state": *"ready"' || break
  sleep 2
  # What failed three times waits for two minutes and more: it is not waited for, but asked for.
  [ $((attempt % 15)) -ne 0 ] || retry_changes 'change["state"] == "ready" and change["attempts"]'
  farm run --quiet --once >/dev/null 2>&1
done
check "a run to the end" farm run --quiet --once
same "all is done" "done" "$(states)"
says "main has the last release" <(git -C "$NACRE_HOME/farm/definitions.git" show main:packages/libtiny.yaml) "version: \"1.$minor\""
check "the repository is whole" git -C "$NACRE_HOME/farm/definitions.git" fsck --no-dangling
check "what is published verifies" "$NACRE" verify --quiet tool
same "serials have no gaps" "$(seq -s ' ' "$(newest_serial)")" "$("$NACRE" serials --quiet --json | python3 -c 'import json, sys; print(*(s["serial"] for s in json.load(sys.stdin)))')"
same "every blob is what its name says" "" "$(cd "$NACRE_HOME/blobs/sha256" && find . -type f -printf '%f  %p\n' | sha256sum --quiet -c 2>&1 | head -n 3)"
finish
