#!/usr/bin/env bash
# The farm is killed at random points, again and again, while upstream releases; two run at once by mistake; the ledger loses
# its newest transitions; the disk is full. Nothing is lost, published twice, or half visible. NACRE_TORTURE: how many kills.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
need_home
command -v git >/dev/null || skip "no git"
kills=${NACRE_TORTURE:-300}
RANDOM=${NACRE_TORTURE_SEED:-7}

clone_home home
forget_distribution
start_upstream
empty_os "$scratch/os"
for name in liba libb libd; do
  library_source $name 1 1 | source_release $name 1.0
  library $name 1.0
done
user_of app liba libb
user_of other libd
printf 'watch: {every: 0s}\ngates: {reproducibility: off}\n' >"$NACRE_OS_DIR/farm.yaml"
farm() { "$NACRE" farm "$@"; }
check "the distribution as it is" farm run --quiet --once || finish

# audit TEXT [final]: what must hold at any moment; `final`: also that all is done.
audit() {
  "$NACRE" serials --quiet --json >"$scratch/serials" 2>"$err" || { fail "$1: serials cannot be read"; cat "$err"; return 1; }
  farm queue --all --quiet --json >"$scratch/queue" 2>"$err" || { fail "$1: the ledger cannot be read"; cat "$err"; return 1; }
  git -C "$NACRE_HOME/farm/definitions.git" fsck --no-dangling >"$scratch/fsck" 2>&1 || { fail "$1: git fsck"; cat "$scratch/fsck"; }
  git -C "$NACRE_HOME/farm/definitions.git" log --format=%s main >"$scratch/main"
  python3 - "$scratch" "$NACRE_HOME" "$upstream" "${2-}" >"$scratch/audit" 2>&1 <<'END'
import collections, json, os, re, sqlite3, sys
scratch, home, upstream, final = sys.argv[1:]
serials = json.load(open(scratch + "/serials"))
queue = json.load(open(scratch + "/queue"))
subjects = open(scratch + "/main").read().splitlines()
bad = []
if [s["serial"] for s in serials] != list(range(1, len(serials) + 1)):
    bad.append("serials have gaps")
for subject, count in collections.Counter(s for s in subjects if ": update " in s).items():
    if count > 1: bad.append(f"merged {count} times: {subject}")
for reason, count in collections.Counter(s["reason"] for s in serials if s["reason"].startswith("update ")).items():
    if count > 1: bad.append(f"published {count} times: {reason}")
for name in ("state.db", "farm/farm.db"):
    with sqlite3.connect(f"file:{home}/{name}?mode=ro", uri=True) as db:
        said = db.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok": bad.append(f"{name}: {said}")
releases = collections.Counter((c["package"], c["to"]) for c in queue if c["to"] and c["state"] != "superseded")
bad += [f"two changes for {r}" for r, n in releases.items() if n > 1]
if final:
    bad += [f"change {c['id']} ({c['package']} {c['to']}) is {c['state']} at {c['stage']}: {c.get('error')}" for c in queue
            if c["state"] not in ("done", "superseded")]
    newest = {}
    for file in os.listdir(upstream):
        m = re.fullmatch(r"(lib.)-1\.(\d+)\.tar\.gz", file)
        if m: newest[m[1]] = max(newest.get(m[1], 0), int(m[2]))
    for name, minor in newest.items():
        if not any(s.startswith(f"{name}: update ") and s.endswith(f" to 1.{minor}") for s in subjects) and minor > 0:
            bad.append(f"{name} 1.{minor} never came to main")
print("\n".join(bad))
END
  if [ -s "$scratch/audit" ] && grep -q . "$scratch/audit"; then
    fail "$1:"
    sed 's/^/      /' "$scratch/audit"
    return 1
  fi
  passed "$1: $(newest_serial) serials, $(grep -c ': update ' "$scratch/main") updates merged"
}

# to_the_end TEXT: runs until nothing is due any more; what failed for a while, a lock of a git that was killed, is due again later.
to_the_end() {
  check "$1" farm run --quiet --once
  local left
  for ((left = 60; left > 0; left--)); do
    farm queue --quiet --json | grep -q '"state": *"ready"' || return 0
    sleep 2
    farm run --quiet --once >"$scratch/run" 2>&1
  done
}

# kill_at SECONDS: a run, killed after so long with all that it started; `idle` says whether it had ended by itself.
kill_at() {
  setsid "$NACRE" farm run --quiet --once >"$scratch/run" 2>&1 </dev/null &
  local pid=$!
  sleep "$1"
  if kill -9 -- "-$pid" 2>/dev/null; then killed=$((killed + 1)) idle=; else idle=yes; fi
  wait "$pid" 2>/dev/null
}

# How long one update takes here: kills fall anywhere in it, on a fast machine as on a slow one.
library_source libd 1 9 | source_release libd 1.0.1
begun=${EPOCHREALTIME/[.,]/}
check "one update, not disturbed" farm run --quiet --once
update_ms=$(((${EPOCHREALTIME/[.,]/} - begun) / 1000))
((update_ms < 5000)) || update_ms=5000

killed=0 minor=0 idle=yes
for ((i = 0; killed < kills && i < 4 * kills; i++)); do
  if ((i % 12 == 0)) || [ -n "$idle" ]; then   # there is always something to do
    minor=$((minor + 1))
    names=(liba libb libd)
    name=${names[RANDOM % 3]}
    library_source "$name" "$((minor % 100))" "$((minor / 7 + 1))" | source_release "$name" "1.$minor"
  fi
  if ((i % 10 == 9)); then   # a second one, by mistake
    setsid "$NACRE" farm run --quiet --once >"$scratch/run2" 2>&1 </dev/null &
    second=$!
  fi
  # Most are killed early, or a slow machine would be busy for an hour; a run goes on where the one before stopped.
  most=$((i % 8 == 0 ? update_ms * 6 / 5 : update_ms * 2 / 3))
  ((i % 8 == 0 || most < 1000)) || most=1000
  ms=$((RANDOM % most + 50))
  kill_at "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
  if ((i % 10 == 9)); then kill -9 -- "-$second" 2>/dev/null; wait "$second" 2>/dev/null; fi
  if ((i % 60 == 59)); then audit "after $killed kills" || finish; fi
done 2>/dev/null
[ "$killed" -ge "$kills" ] || fail "only $killed runs were killed in the middle"
to_the_end "a run to the end"
check "  and another" farm run --quiet --once
audit "after $killed kills, all is done" final
check "what is published verifies" "$NACRE" verify --quiet app

# ---- the ledger forgets what was not synced: git and the store know more than it does

for file in "$NACRE_HOME"/farm/farm.db*; do cp -a "$file" "$scratch/kept-$(basename "$file")"; done
library_source liba 77 3 | source_release liba "1.$((minor + 1))"
to_the_end "one more release"
serial=$(newest_serial)
rm -f "$NACRE_HOME"/farm/farm.db*
for file in "$scratch"/kept-farm.db*; do cp -a "$file" "$NACRE_HOME/farm/${file##*/kept-}"; done
to_the_end "after the ledger went back"
same "  nothing is published twice" "$serial" "$(newest_serial)"
audit "  and all is done" final

# ---- a full disk

if mkdir -p "$scratch/small" && mount -t tmpfs -o "size=$(($(du -sm "$NACRE_HOME/farm" | cut -f1) * 2 + 16))m" tmpfs "$scratch/small" 2>/dev/null; then
  cleaners+=("umount -l '$scratch/small'")
  cp -a "$NACRE_HOME/farm/." "$scratch/small/"
  mount --bind "$scratch/small" "$NACRE_HOME/farm" && cleaners+=("umount -l '$NACRE_HOME/farm'")
  cleaners=("${cleaners[1]}" "${cleaners[0]}")
  library_source libb 78 4 | source_release libb "1.$((minor + 2))"
  dd if=/dev/zero of="$scratch/small/filler" bs=64k 2>/dev/null
  "$NACRE" farm run --quiet --once >"$out" 2>"$err"
  if grep -qi "no space left" "$out" "$err"; then passed "a full disk is named"; else fail "a full disk is not named"; cat "$out" "$err"; fi
  rm "$scratch/small/filler"
  retry_changes 'change["state"] != "ready" or change["attempts"]'
  to_the_end "with space again"
  audit "  and all is done" final
else
  echo "no tmpfs can be mounted here: a full disk was not tried"
fi
finish
