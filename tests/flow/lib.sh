# shellcheck shell=bash
# What the flow tests share. Each test is a script of its own: `NACRE=… NACRE_TEST_HOME=… tests/flow/20_verify.sh`.
# It prints one line for each thing that it checked and ends with exit 0 (all held), 1 (something did not), or 77
# (skipped: the last line says why).
set -uo pipefail
: "${NACRE:?the program to test}"
: "${NACRE_TEST_HOME:?the NACRE_HOME in which 10_up.sh makes the distribution}"
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export NACRE NACRE_PROGRESS=plain
unset NACRE_OS_DIR NACRE_SIGNER_SOCKET
if [ -d "${NACRE_SHARED:-/nonexistent}/sources" ]; then
  export NACRE_SOURCE_MIRRORS=${NACRE_SOURCE_MIRRORS:-$NACRE_SHARED/sources}
fi

mkdir -p "$(dirname "$NACRE_TEST_HOME")"
# Beside the home: hard links do not leave a file system.
scratch=$(mktemp -d "$(dirname "$NACRE_TEST_HOME")/flow.XXXXXX")
chmod 755 "$scratch"  # the signer, another user, must reach its socket
failures=0
children=() cleaners=()

cleanup() {
  local pid line
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
  for line in "${cleaners[@]}"; do eval "$line"; done
  rm -rf "$scratch"
}
trap cleanup EXIT

skip() { echo "$*"; exit 77; }
passed() { printf 'ok    %s\n' "$*"; }
fail() { printf 'FAIL  %s\n' "$*"; failures=$((failures + 1)); }
finish() {
  [ "$failures" -eq 0 ] || { echo "$failures checks failed"; exit 1; }
  exit 0
}

# check TEXT COMMAND…: the command succeeds. Leaves what it printed in $out and $err, and shows it when it fails.
out=$scratch/out err=$scratch/err
check() {
  local text=$1 rc=0
  shift
  "$@" >"$out" 2>"$err" </dev/null || rc=$?
  if [ "$rc" -eq 0 ]; then passed "$text"; return 0; fi
  fail "$text: exit $rc from: $*"
  tail -n 25 "$out" "$err" | sed 's/^/      /'
  return 1
}

# says TEXT FILE WORDS: the file holds these words.
says() {
  if grep -qF -- "$3" "$2"; then passed "$1"; return; fi
  fail "$1: expected \"$3\" in:"
  head -n 40 "$2" | sed 's/^/      /'
}

# same TEXT EXPECTED FOUND
same() {
  if [ "$2" = "$3" ]; then passed "$1"; return; fi
  fail "$1"
  diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | sed 's/^/      /'
}

# What nacre said last: from "nacre: " to the end of its stderr.
message() { sed -n '/^nacre: /,$p' "$err"; }

# refused CODE COMMAND…: it ends with this exit code.
refused() {
  local code=$1 rc=0
  shift
  "$@" >"$out" 2>"$err" </dev/null || rc=$?
  [ "$rc" -eq "$code" ] && return 0
  fail "${what:-refusal}: expected exit $code, got $rc from: $*"
  tail -n 15 "$out" "$err" | sed 's/^/      /'
  return 1
}

# expect_error CODE TEXT… -- COMMAND…: refused with this exit code and a message that holds every TEXT. $what names the case.
expect_error() {
  local code=$1 text
  local -a texts=()
  shift
  while [ "$1" != -- ]; do texts+=("$1"); shift; done
  shift
  refused "$code" "$@" || return 1
  for text in "${texts[@]}"; do
    grep -qF -- "$text" "$err" && continue
    fail "${what:-message}: expected it to hold \"$text\", it is:"
    sed 's/^/      /' "$err"
    return 1
  done
  passed "${what:+$what: }exit $code, $(message | head -n 1 | cut -c1-160)"
}

# expect_message CODE COMMAND… <<END: refused with this exit code and exactly this message. {home}, {os} and {scratch} stand
# for the directories of this run.
expect_message() {
  local expected found
  expected=$(cat)
  refused "$@" || return 1
  found=$(message | sed -e "s|$NACRE_HOME|{home}|g" -e "s|${NACRE_OS_DIR:-/nonexistent}|{os}|g" -e "s|$scratch|{scratch}|g")
  if [ "$expected" = "$found" ]; then
    passed "${what:+$what: }exit $1, $(head -n 1 <<<"$found" | cut -c1-160)"
    return 0
  fi
  fail "${what:-message}: expected (<) and found (>):"
  diff <(printf '%s\n' "$expected") <(printf '%s\n' "$found") | sed 's/^/      /'
  return 1
}

# need_home: the distribution that 10_up.sh made, or a skip.
need_home() {
  command -v python3 >/dev/null || skip "no python3"
  [ -f "$NACRE_TEST_HOME/state.db" ] || skip "10_up.sh made no home in $NACRE_TEST_HOME"
  NACRE_HOME=$NACRE_TEST_HOME "$NACRE" serials --quiet >"$out" 2>"$err" && grep -q ' images ' "$out" ||
    skip "10_up.sh published no serial in $NACRE_TEST_HOME"
}

# own_packages: for tests that make their packages themselves (apk_maker.py) and need no distribution: an empty home, $scratch
# as the directory, in which `./apko` ($apko) is nacre.
own_packages() {
  local program
  for program in python3 openssl; do command -v "$program" >/dev/null || skip "no $program"; done
  export PYTHONPATH=$source_root/tests/flow PYTHONDONTWRITEBYTECODE=1 NACRE_HOME=$scratch/home
  cd "$scratch" || exit 1
  apko=$scratch/apko
  ln -s "$(readlink -f "$NACRE")" "$apko"
}

# clone_home NAME: sets NACRE_HOME to a copy of the distribution's home, blobs and trees by hard link. Who changes a blob must
# break its link first (flip_byte does).
clone_home() {
  local to=$scratch/$1
  mkdir -p "$to"/{partial,quarantine,locks,work}
  cp -al "$NACRE_TEST_HOME"/{blobs,trees} "$to/"
  cp -a "$NACRE_TEST_HOME/signer" "$to/"
  find "$to/signer" -maxdepth 1 -name '*.sock*' -delete
  python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))' \
    "$NACRE_TEST_HOME/state.db" "$to/state.db"
  export NACRE_HOME=$to
}

# copy_os NAME [DEFINITION …]: sets NACRE_OS_DIR to a copy of os/ that the test may change; with only these definitions, and no
# images, when some are named.
copy_os() {
  local to=$scratch/$1 name
  shift
  cp -a "$source_root/os" "$to"
  export NACRE_OS_DIR=$to
  [ $# -gt 0 ] || return 0
  rm -rf "$to/packages" "$to/images"
  mkdir "$to/packages" "$to/images"
  for name in "$@"; do
    cp -a "$source_root/os/packages/$name.yaml" "$to/packages/"
    [ ! -d "$source_root/os/packages/$name" ] || cp -a "$source_root/os/packages/$name" "$to/packages/"
  done
}

# head_of NAME [ANNOTATION]: a definition up to its pipeline: a shell and a compiler in the root; $version is its version.
head_of() {
  cat <<END
package:
  name: "$1"
  version: "${version-1}"
  epoch: 0
  description: Made by a test
  copyright:
    - license: Apache-2.0
END
  [ -z "${2-}" ] || printf '  annotations:\n    %s\n' "$2"
  printf 'environment:\n  contents:\n    packages:\n      - build-base\n'
}

# define NAME <<END: a definition in NACRE_OS_DIR of one step; stdin is what it runs.
define() {
  { head_of "$1"; printf 'pipeline:\n  - runs: |\n'; sed 's/^/      /'; } >"$NACRE_OS_DIR/packages/$1.yaml"
}

# flip_byte FILE OFFSET: changes one bit of the byte there; the file gets an inode of its own first.
flip_byte() {
  python3 - "$1" "$2" <<'END'
import os, sys
path, at = sys.argv[1], int(sys.argv[2])
data = bytearray(open(path, 'rb').read())
data[at] ^= 1
with open(path + '.flipped', 'wb') as file:
    file.write(data)
os.chmod(path + '.flipped', os.stat(path).st_mode)
os.replace(path + '.flipped', path)
END
}

# blob sha256:HEX: where the store keeps it.
blob() { printf '%s/blobs/sha256/%s/%s' "$NACRE_HOME" "${1:7:2}" "${1#sha256:}"; }

# json EXPRESSION: a value of the JSON on stdin, as Python names it: json '[0]["digest"]'
json() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

newest_serial() { "$NACRE" serials --quiet --json "$@" | json '[-1]["serial"]'; }

# start_server: `nacre serve` of NACRE_HOME on a free port; $served becomes its address.
start_server() {
  : >"$scratch/serve.json"
  "$NACRE" serve --quiet --json --port 0 >"$scratch/serve.json" 2>"$scratch/serve.err" </dev/null &
  server=$!
  children+=("$server")
  for _ in $(seq 100); do
    [ ! -s "$scratch/serve.json" ] || break
    sleep 0.05
  done
  served=127.0.0.1:$(json '["port"]' <"$scratch/serve.json")
}
stop_server() { kill "$server" && wait "$server"; } 2>/dev/null

# serves_serial TEXT N: a server started now gives serial N as the newest, and its index verifies.
serves_serial() {
  local found
  rm -f "$scratch/APKINDEX.tar.gz"
  start_server
  curl -fsS --max-time 10 -o "$scratch/APKINDEX.tar.gz" "http://$served/community/$(uname -m)/APKINDEX.tar.gz"
  found=$(tar -xzOf "$scratch/APKINDEX.tar.gz" DESCRIPTION 2>/dev/null)
  stop_server
  same "$1: the server gives serial $2" "nacre community serial $2" "$found"
  check "$1: its index verifies" "$NACRE" verify --quiet "$scratch/APKINDEX.tar.gz"
}
