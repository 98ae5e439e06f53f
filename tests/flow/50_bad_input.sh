#!/usr/bin/env bash
# What is wrong with an input is said with its place, what was expected, what was found, and what to do; whole messages.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os
arch=$(uname -m)
definition=$NACRE_OS_DIR/packages/x.yaml

echo "-- YAML"
printf 'package:\n  name: x\n  version: "1\n' >"$definition"
expect_message 2 "$NACRE" up --quiet <<'TEXT'
nacre: {os}/packages/x.yaml:4:1: found unexpected end of stream (while scanning a quoted scalar)
  4 | 
    | ^
TEXT
printf 'package:\n  name: x\n\tversion: 1\n' >"$definition"
expect_message 2 "$NACRE" up --quiet <<'TEXT'
nacre: {os}/packages/x.yaml:3:1: found a tab character that violates indentation (while scanning a plain scalar)
  3 |  version: 1
    | ^
  hint: indent with blanks; YAML does not take tabs there
TEXT
printf 'package:\n  name: x\n  name: y\n' >"$definition"
expect_message 2 "$NACRE" plan --quiet <<'TEXT'
nacre: {os}/packages/x.yaml:3:3: 'name' is given twice
  3 |   name: y
    |   ^~~~
  hint: the first is in line 2
TEXT
rm "$definition"
sed -i 's/^environment:/enviroment:/' "$NACRE_OS_DIR/packages/tini.yaml"
line=$(grep -n '^enviroment:' "$NACRE_OS_DIR/packages/tini.yaml" | cut -d: -f1)
expect_message 2 "$NACRE" build --quiet tini <<TEXT
nacre: {os}/packages/tini.yaml:$line:1: unknown field 'enviroment' in a definition
  $line | enviroment:
  ${line//?/ } | ^~~~~~~~~~
  hint: did you mean 'environment'?
TEXT
cp "$source_root/os/packages/tini.yaml" "$NACRE_OS_DIR/packages/"
image=$NACRE_OS_DIR/images/x.yaml
printf 'contents:\n  package:\n    - zlib\n' >"$image"
expect_message 2 "$NACRE" image build --quiet x <<'TEXT'
nacre: {os}/images/x.yaml:2:3: unknown field 'package' in contents
  2 |   package:
    |   ^~~~~~~
  hint: did you mean 'packages'?
TEXT
printf 'contents:\n  packages:\n    - zlip\n' >"$image"
expect_message 3 "$NACRE" image build --quiet x <<'TEXT'
nacre: {os}/images/x.yaml:3:7: no package is called 'zlip' or provides it
  3 |     - zlip
    |       ^~~~
  while choosing packages of image 'x'
  hint: did you mean 'zlib'?
TEXT
rm "$image"

echo "-- words"
expect_message 2 "$NACRE" upp <<'TEXT'
nacre: unknown command 'upp'
  hint: did you mean 'up'?
TEXT
expect_message 2 "$NACRE" image buildd <<'TEXT'
nacre: unknown command 'image buildd'
  hint: did you mean 'image build'?
TEXT
expect_message 2 "$NACRE" build --agian zlib <<'TEXT'
nacre: `nacre build` has no option '--agian'
  hint: did you mean '--again'?
TEXT
expect_message 2 "$NACRE" why <<'TEXT'
nacre: `nacre why` needs WHAT: /path in an image, package, or image
  hint: see `nacre why --help`
TEXT
expect_message 2 "$NACRE" serve --port x <<'TEXT'
nacre: option '--port' needs a number, got 'x'
TEXT
expect_message 3 "$NACRE" build --quiet zlip <<'TEXT'
nacre: no definition 'zlip' in '{os}'
  hint: did you mean 'zlib'?
TEXT
expect_message 3 "$NACRE" verify --quiet ngnix <<'TEXT'
nacre: no image 'ngnix' in edition community
  while verifying 'ngnix'
  hint: did you mean 'nginx'?
TEXT
expect_message 3 "$NACRE" verify --quiet nothere.apk <<'TEXT'
nacre: cannot open 'nothere.apk': no such file or directory
  while verifying 'nothere.apk'
TEXT
expect_message 3 "$NACRE" index --quiet --serial 99 <<'TEXT'
nacre: edition community has no serial 99
  hint: the newest is 1
TEXT
expect_message 2 "$NACRE" serials --quiet --edition prod <<'TEXT'
nacre: unknown edition 'prod'
  hint: known: stage0, community, production
TEXT
expect_message 2 "$NACRE" build --quiet --arch vax zlib <<'TEXT'
nacre: unknown architecture 'vax'
  hint: known: x86_64 (amd64), aarch64 (arm64), host
TEXT

expect_message 2 "$NACRE" gc --days 9999999999999999999 <<'TEXT'
nacre: option '--days' needs a number of at most 9 digits, got '9999999999999999999'
TEXT
expect_message 2 "$NACRE" serve --port 99999 <<'TEXT'
nacre: expected a port from 1 to 65535, got 99999
  hint: 0 takes any free one
TEXT
expect_message 2 "$NACRE" --quiet serials <<'TEXT'
nacre: expected a command, got the option '--quiet'
  hint: options stand behind the command: nacre COMMAND --quiet
TEXT
expect_message 3 "$NACRE" image inspect --quiet ./nothere <<'TEXT'
nacre: there is no OCI layout './nothere'
TEXT
expect_message 2 "$NACRE" run --quiet --name 'a b' nginx <<'TEXT'
nacre: 'a b' cannot name a container
  hint: at most 128 letters, digits, '_', '+', '-' and '.', the last not in front
TEXT
expect_message 3 "$NACRE" repo remove --quiet "$scratch/nothere" zlib <<TEXT
nacre: '{scratch}/nothere/$arch' is no repository: it has no index
TEXT
expect_message 3 "$NACRE" lint --quiet nothere.yaml <<'TEXT'
nacre: cannot open 'nothere.yaml': no such file or directory
TEXT
expect_message 3 "$NACRE" promote --quiet zlib-dev <<'TEXT'
nacre: no definition 'zlib-dev' in '{os}'
  hint: definition 'zlib' makes that package
TEXT
full=$NACRE_HOME
export NACRE_HOME=$scratch/empty
expect_message 3 "$NACRE" build --quiet zlip <<'TEXT'
nacre: no definition 'zlip' in '{os}'
  hint: did you mean 'zlib'?
TEXT
expect_message 3 "$NACRE" promote --quiet <<'TEXT'
nacre: edition community has no serial to promote
  hint: run `nacre up` first
TEXT
same "  no stage 0 was made for these" "" "$(find "$NACRE_HOME/blobs" -type f)"
export NACRE_HOME=$full

echo "-- answers"
rc=0
"$NACRE" index --quiet >/dev/full 2>"$err" || rc=$?
same "an answer that a full disk cut off is no success" 5 "$rc"
says "  and is said" "$err" "nacre: the answer could not be written to stdout"
rc=0
"$NACRE" compile --quiet "$NACRE_OS_DIR/packages/zlib.yaml" 2>"$err" | head -1 >/dev/null || rc=$?
same "a reader that has heard enough is no trouble" "0 " "$rc $(cat "$err")"
check "rules as JSON" "$NACRE" lint --rules --json
same "  name each" contains-epoch "$(json '[0]["rule"]' <"$out")"
check "what was laid out, as JSON" "$NACRE" fmt --check --json "$NACRE_OS_DIR/packages"
same "  names what would change: nothing" "[]" "$(cat "$out")"
check "a repository that was written, as JSON" "$NACRE" index --quiet --json --repository "$scratch/as-json"
same "  says where" "$scratch/as-json" "$(json '["folder"]' <"$out")"
check "images that were written, as JSON" "$NACRE" image publish --quiet --json --layout "$scratch/as-json-too"
same "  names each" busybox "$(json '["images"][0]["name"]' <"$out")"
check "version as JSON" "$NACRE" version --json
same "  names it" "$("$NACRE" version)" "nacre $(json '["version"]' <"$out")"
printf 'package:\n  name: x\n  "\\e[31mred": 1\n' >"$definition"
what="a key with a terminal's controls" expect_error 2 "unknown field ' [31mred' in package" -- "$NACRE" plan --quiet
rm "$definition"

echo "-- sources"
with_source() {  # URI SHA256
  define x <<<'true'
  sed -i "s|^pipeline:|pipeline:\n  - uses: fetch\n    with:\n      uri: $1\n      expected-sha256: $2|" "$definition"
}
mkdir "$scratch/mirror" "$scratch/upstream"
echo 'not what was announced' >"$scratch/upstream/thing-1.tar.gz"
cat >"$scratch/files.py" <<'PY'
import functools, http.server, socketserver, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 "$scratch/files.py" "$scratch/upstream" >"$scratch/port" 2>/dev/null </dev/null &
children+=($!)
for _ in $(seq 100); do [ ! -s "$scratch/port" ] || break; sleep 0.1; done
port=$(cat "$scratch/port")
wanted=$(printf 'a%.0s' $(seq 64))
found=$(sha256sum <"$scratch/upstream/thing-1.tar.gz" | cut -d' ' -f1)
with_source "http://127.0.0.1:$port/thing-1.tar.gz" "$wanted"
what="wrong digest" expect_error 6 "$definition:" "source 'thing-1.tar.gz' has other bytes than expected" \
  "  expected sha256:$wanted" "  upstream: found sha256:$found, kept as '$NACRE_HOME/quarantine/" \
  "hint: compare with upstream's announcement before you change the digest in the definition" \
  -- env NACRE_SOURCE_MIRRORS="$scratch/mirror" "$NACRE" build --quiet x
kept=$(find "$NACRE_HOME/quarantine" -type f ! -name '*.why')
same "the bytes are kept for inspection" "$(cat "$scratch/upstream/thing-1.tar.gz")" "$(cat "$kept")"
says "  with the reason" "$kept.why" "expected sha256:$wanted, found sha256:$found"
echo other >"$scratch/mirror/$wanted"
what="wrong digest in a directory" expect_error 6 "  directory: '$scratch/mirror/$wanted' has sha256:" \
  -- env NACRE_SOURCE_MIRRORS="$scratch/mirror" "$NACRE" build --quiet x
rm "$scratch/mirror/$wanted" "$scratch/upstream/thing-1.tar.gz"
what="source that nobody has" expect_error 5 "$definition:" "no place has source 'thing-1.tar.gz' (sha256:$wanted)" \
  "  store: not there" "  directories: not there" "  debian: " "  upstream: " \
  "hint: put the file into a directory and name that in NACRE_SOURCE_MIRRORS" \
  -- env NACRE_SOURCE_MIRRORS="$scratch/mirror" "$NACRE" build --quiet x
rm "$definition"

echo "-- unsigned"
"$NACRE" index --quiet --repository "$scratch/repository" >/dev/null
apk=$(find "$scratch/repository" -name 'tini-0*.apk')
strip_signature() {
  python3 -c 'import sys, zlib
inflate = zlib.decompressobj(31)
inflate.decompress(open(sys.argv[1], "rb").read())
open(sys.argv[2], "wb").write(inflate.unused_data)' "$1" "$2"
}
strip_signature "$apk" "$scratch/tini.apk"
expect_message 6 "$NACRE" verify --quiet "$scratch/tini.apk" <<'TEXT'
nacre: the package is not signed, expected a signature by 'nacre-community.rsa.pub'
  while verifying '{scratch}/tini.apk'
TEXT
expect_message 6 "$NACRE" index --quiet --out "$scratch/x" "$scratch/tini.apk" <<'TEXT'
nacre: '{scratch}/tini.apk' is signed by 'nobody', expected 'nacre-community.rsa.pub' of edition community
  hint: an index holds packages of one edition; --signing-key signs with a key of your own
TEXT
strip_signature "$scratch/repository/$arch/APKINDEX.tar.gz" "$scratch/APKINDEX.tar.gz"
expect_message 6 "$NACRE" verify --quiet "$scratch/APKINDEX.tar.gz" <<'TEXT'
nacre: '{scratch}/APKINDEX.tar.gz' is not signed, expected a signature by 'nacre-community.rsa.pub'
  while verifying '{scratch}/APKINDEX.tar.gz'
TEXT
expect_message 6 "$NACRE" verify --quiet --index "$scratch/APKINDEX.tar.gz" static <<'TEXT'
nacre: 'APKINDEX.tar.gz' is not signed, expected a signature by 'nacre-community.rsa.pub'
  while verifying 'static'
TEXT
same "serial 1 is still the newest" 1 "$(newest_serial)"
finish
