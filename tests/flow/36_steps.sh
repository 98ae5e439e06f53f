#!/usr/bin/env bash
# What an edit runs again, states between steps, secrets, network, several builds at once.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os tzdata
unset NACRE_STEP_CACHE NACRE_NETWORK NACRE_SECRETS NACRE_NETWORK_ENV NACRE_NETWORK_FILES

# definition NAME ANNOTATION <<END: a definition whose steps are the lines of stdin, in a file beside the distribution.
definition() {
  {
    head_of "$1" "${2:+nacre.network: $2}"
    echo pipeline:
    while IFS= read -r line; do printf "  - runs: |\n      %s\n" "$line"; done
  } >"$scratch/$1.yaml"
}
build() { "$NACRE" build "$scratch/$1.yaml" "${@:2}"; }

nine() {
  definition nine "" <<END
echo 1 >order; head -c 16 /dev/urandom | od -An -tx1 >random; ln order linked
echo 2 >>order; mkdir -p /opt; cp random /opt/random
echo 3 >>order; chmod 755 order; touch -d @1000000000 random
echo 4 >>order; echo kept >/tmp/four
echo 5 >>order; rm -f /etc/nsswitch.conf /usr/bin/ldd
echo 6 >>order
cmp random /opt/random; cat /tmp/four; stat -c '%n %h %a' order linked; stat -c %Y random; echo seven $1
echo 8 >>linked
mkdir -p "\${{targets.destdir}}/usr/share/nine"; cat order >"\${{targets.destdir}}/usr/share/nine/order"
END
}
nine one
check "a build of nine steps" build nine
nine two
check "step 7 of 9 is edited" build nine
says "  six are not run again" "$err" "6 of 9 steps are as they were, not run again"
"$NACRE" log nine --step 7 >"$out"
same "  the seventh sees what they left" "$(printf 'kept\norder 2 755\nlinked 2 755\n1000000000\nseven two')" "$(sed '/^$/d' "$out")"
"$NACRE" log nine --steps >"$out"
same "  the log has all nine" 9 "$(grep -c . "$out")"
build nine --quiet --out "$scratch/nine.out" >/dev/null
check "  its provenance verifies" "$NACRE" verify --quiet "$scratch/nine.out/nine-1-r0.apk"
says "  and says what was not run again" "$out" "resumed after 6 of 9 steps, from the state sha256:"
check "from step 3 on" build nine --from-step 3
says "  two are not run again" "$err" "2 of 9 steps are as they were, not run again"
what="no such step" expect_error 3 "'nine' has no step 'ten'" -- build nine --from-step ten
check "all of them again" build nine --again
grep -qF "not run again" "$err" && fail "--again used a kept state" || passed "  no kept state"

nine 'three; false'
what="a failing edit" expect_error 2 "of 'nine' stopped: exit code 1" -- build nine
says "  begins at what changed" "$err" "6 of 9 steps are as they were"
"$NACRE" log nine --steps >"$out"
says "  the log says where" "$out" "failed"
nine four
check "a mended one" build nine
"$NACRE" log nine >"$out"
says "  is what the log shows" "$out" "seven four"

before=$(build nine --quiet --json --again | json '[0]["packages"][0]["sha256"]')
nine five
build nine --quiet >/dev/null 2>&1
nine four
rm -rf "$NACRE_HOME/steps"
same "resumed or not, the bytes are the same" "$before" "$(build nine --quiet --json --again | json '[0]["packages"][0]["sha256"]')"

nine six
NACRE_STEP_CACHE=0 check "without a cache" build nine
grep -qF "not run again" "$err" && fail "NACRE_STEP_CACHE=0 used a state" || passed "  nothing is used"
nine seven
check "a state that a kill tore is none" sh -c 'for file in "$NACRE_HOME"/steps/nine/*/state; do : >"$file"; done; "$0" build "$1"' \
  "$NACRE" "$scratch/nine.yaml"
check "gc takes states" "$NACRE" gc --days 0
[ -z "$(ls "$NACRE_HOME/steps" 2>/dev/null)" ] && passed "  none is left" || fail "states are left"

# Secrets.
printf 'very-s3cret/value+1\n' >"$scratch/token"
definition keeper "" <<'END'
true
cat /run/secrets/token; base64 /run/secrets/token
ls /run/secrets | wc -l; env | grep -c s3.ret || true
mkdir -p "${{targets.destdir}}/usr/share/keeper"; echo fine >"${{targets.destdir}}/usr/share/keeper/x"
END
what="a secret that was not given" expect_error 3 "asks for the secret 'token', which was not given" -- build keeper
check "a secret that was" build keeper --secret "token=$scratch/token"
"$NACRE" log keeper >"$out"
grep -q 's3cret' "$out" && fail "the log shows the secret" || passed "  the log does not show it"
says "  but that it was printed" "$out" "***"
"$NACRE" log keeper --step 3 >"$out"
same "  a step that does not ask has none" "0 0" "$(tr '\n' ' ' <"$out" | sed 's/ *$//')"
grep -rlaF 's3cret' "$NACRE_HOME" >"$out" && fail "the home holds the secret: $(cat "$out")" || passed "  nothing in the home holds it"
for form in 'cat /run/secrets/token' 'base64 /run/secrets/token' 'od -An -v -tx1 /run/secrets/token | tr -d " \n"' ': /run/secrets/token; echo very-s3cret%2Fvalue%2B1'; do
  definition leak "" <<END
mkdir -p "\${{targets.destdir}}/usr/share/leak"; ($form) >"\${{targets.destdir}}/usr/share/leak/x"
END
  what="a package that holds it, by ${form:0:6}" expect_error 6 "holds the secret 'token'" -- \
    build leak --secret "token=$scratch/token"
done
cat >>"$scratch/keeper.yaml" <<'END'
test:
  environment:
    contents:
      packages:
        - busybox
  pipeline:
    - runs: test "$(cat /run/secrets/token)" = "$(sed -n 1p /run/secrets/token)"; cat /run/secrets/token
END
what="a test's secret that was not given" expect_error 3 "asks for the secret 'token', which was not given" -- \
  env NACRE_OS_DIR="$source_root/os" "$NACRE" test "$scratch/keeper.yaml"
check "a test's secret that was" env NACRE_OS_DIR="$source_root/os" "$NACRE" test "$scratch/keeper.yaml" \
  --secret "token=$scratch/token"
sed -i 's|; cat /run/secrets/token$|&; false|' "$scratch/keeper.yaml"
what="and when the test fails" expect_error 2 '***' -- env NACRE_OS_DIR="$source_root/os" \
  "$NACRE" test "$scratch/keeper.yaml" --secret "token=$scratch/token"
grep -q 's3cret' "$err" && fail "the message shows the secret" || passed "  the message does not show it"

# Gates that a definition waives.
definition fixed "" <<'END'
echo 'int main(void) { return 0; }' >x.c; gcc -no-pie -Wl,-z,now,-z,relro -o x x.c; install -Dm755 x "${{targets.destdir}}/usr/bin/x"
END
what="a program that is not position-independent" expect_error 6 '[hardening/pie]' '`checks.disabled`' -- build fixed
sed -i 's|^  epoch: 0|&\n  checks:\n    disabled: [hardening/pie, hardening/cet]|' "$scratch/fixed.yaml"
check "is packaged when the definition says so" build fixed
says "  and says so" "$err" 'waived: fixed: usr/bin/x: fixed-address executable'

# A note of the package, from the files that the workspace has when a step names them.
definition noted "" <<'END'
test ! -e .config/nothing && ls -d .config/clang-15 .melange.clang.cfg
echo 'int main(void) { return 0; }' >x.c; gcc -specs="$HOME/.melange.gcc.spec" -Wl,-z,now -o x x.c; readelf -nW x | grep '"name":"noted","version":"1-r0"'; install -Dm755 x "${{targets.destdir}}/usr/bin/x"
END
check "a program with a note of its package" build noted --gates-warn

# Network.
definition alone "" <<'END'
tail -n +3 /proc/net/dev | cut -d: -f1; test ! -e /etc/resolv.conf || test ! -s /etc/resolv.conf
mkdir -p "${{targets.destdir}}/usr/share/alone"; echo x >"${{targets.destdir}}/usr/share/alone/x"
END
check "a definition that does not ask has no network" build alone
"$NACRE" log alone --step 1 >"$out"
same "  but a loopback interface" lo "$(tr -d ' \n' <"$out")"
definition asks build <<'END'
echo "[$OWNER_SAYS]"; echo cached >/var/cache/melange/pip/made-by-asks; cat /etc/owner.conf
mkdir -p "${{targets.destdir}}/usr/share/asks"; echo x >"${{targets.destdir}}/usr/share/asks/x"
END
what="the policy refuses" expect_error 6 "asks for network" "NACRE_NETWORK=asked" -- build asks --network never
echo "owner's file" >"$scratch/owner.conf"
OWNER_SAYS=proxy-of-the-owner NACRE_NETWORK_ENV=OWNER_SAYS NACRE_NETWORK_FILES=$scratch/owner.conf=/etc/owner.conf \
  check "it asks and gets" build asks --out "$scratch/asks"
"$NACRE" log asks >"$out"
says "  the log says so" "$out" "== network: the machine's"
says "  it saw the owner's file" "$out" "owner's file"
grep -q proxy-of-the-owner "$out" && fail "the log shows the owner's value" || passed "  the owner's value is masked"
python3 -c 'import base64, json, sys
print(base64.b64decode(json.load(open(sys.argv[1]))["dsseEnvelope"]["payload"]).decode())' \
  "$scratch/asks/asks-1-r0.apk.intoto.sigstore.json" >"$out"
same "  provenance says it, by name" "True ['OWNER_SAYS'] ['/etc/owner.conf']" \
  "$(python3 -c 'import json,sys; p=json.load(open(sys.argv[1]))["predicate"]["buildDefinition"]["internalParameters"]
print(p["network"], p["networkEnvironment"], p["networkFiles"])' "$out")"

cat >"$scratch/listen.py" <<'END'
import socket
server = socket.create_server(("127.0.0.1", 0)); print(server.getsockname()[1], flush=True)
while True: server.accept()[0].sendall(b"the machine\n")
END
python3 "$scratch/listen.py" >"$scratch/port" &
children+=($!)
for _ in $(seq 100); do [ ! -s "$scratch/port" ] || break; sleep 0.05; done
reach="bash -c 'read -t 5 said </dev/tcp/127.0.0.1/$(cat "$scratch/port") && echo \"reached \$said\"' 2>/dev/null || echo alone; mkdir -p \"\${{targets.destdir}}/usr\"; echo x >\"\${{targets.destdir}}/usr/x\""
definition reach build <<<"$reach"
check "with network" build reach
"$NACRE" log reach --step 1 >"$out"
same "  the machine's own loopback is in reach (decision 0010)" "reached the machine" "$(cat "$out")"
definition reach "" <<<"$reach"
check "without it" build reach
"$NACRE" log reach --step 1 >"$out"
same "  it is not" alone "$(cat "$out")"

# A build that had network may be promoted: equal bytes, and provenance says so.
cp -a "$NACRE_OS_DIR" "$scratch/netted"
rm -rf "$scratch"/netted/packages/*
definition netted build <<'END'
mkdir -p "${{targets.destdir}}/usr/share/netted"; echo x >"${{targets.destdir}}/usr/share/netted/x"
END
cp "$scratch/netted.yaml" "$scratch/netted/packages/"
check "a build with network is published" env NACRE_OS_DIR="$scratch/netted" "$NACRE" up
check "  and promoted" env NACRE_OS_DIR="$scratch/netted" "$NACRE" promote
check "  why says it" "$NACRE" why netted --edition production
same "  of the second build" "  built   with the machine's network, asked for by the definition" "$(grep '  built ' "$out")"
sed -i 's/echo x/date +%N/' "$scratch/netted/packages/netted.yaml"
check "one whose bytes change is published too" env NACRE_OS_DIR="$scratch/netted" "$NACRE" up
what="  and not promoted" expect_error 4 "gave other bytes" "it has network" -- env NACRE_OS_DIR="$scratch/netted" "$NACRE" promote

# Several at once.
for name in par-one par-two par-three; do
  definition $name "" <<END
sleep 2; mkdir -p "\${{targets.destdir}}/usr/share/$name"; echo x >"\${{targets.destdir}}/usr/share/$name/x"
END
done
all=("$scratch"/par-one.yaml "$scratch"/par-two.yaml "$scratch"/par-three.yaml)
begin=$(date +%s%N)
one=$("$NACRE" build --quiet --json --again --jobs 1 "${all[@]}" | json '.__len__()')
alone=$((($(date +%s%N) - begin) / 1000000))
same "three definitions, one at a time" 3 "$one"
first=$("$NACRE" build --quiet --json "${all[@]}" | python3 -c 'import json,sys; print([p["sha256"] for d in json.load(sys.stdin) for p in d["packages"]])')
begin=$(date +%s%N)
again=$("$NACRE" build --quiet --json --again --jobs 3 "${all[@]}" | python3 -c 'import json,sys; print([p["sha256"] for d in json.load(sys.stdin) for p in d["packages"]])')
took=$((($(date +%s%N) - begin) / 1000000))
same "three at once give the same bytes" "$first" "$again"
if [ "$took" -lt "$alone" ]; then passed "and take less than one after the other"; else fail "at once $took ms, one by one $alone ms"; fi
definition slow "" <<'END'
sleep 30
END
sed -i 's/^  epoch: 0/&\n  timeout: 1s/' "$scratch/slow.yaml"
what="a timeout of its own" expect_error 5 "passed" -- build slow
finish
