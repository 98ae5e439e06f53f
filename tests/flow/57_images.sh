#!/usr/bin/env bash
# Images of packages from servers: @tags, locks, offline calls, keys that a server gives of itself, architectures in step, base images,
# and what images say of themselves. No distribution is needed: everything is made here (apk_maker.py).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
own_packages

mkdir www
cat >make.py <<'PY'
import base64, json
from apk_maker import *
def both(*packages):
    return {arch: [make(arch) for make in packages] for arch in ('x86_64', 'aarch64')}
of = lambda name, version='1-r0', **more: lambda arch: Package(name, version, arch, **more)
main = both(of('web', depends=['so:libz.so.1', 'tool>=1']), of('zlib', '1.3-r0', provides=['so:libz.so.1=1.3']), of('tool'),
            of('docs'), of('tool-docs', install_if=['tool', 'docs']), of('unused'))
# The other architecture has not built tool 2 yet.
main['x86_64'].append(Package('tool', '2-r0', 'x86_64'))
make_repository('www/main', 'www/test.rsa', main)
make_repository('www/edge', 'www/test.rsa', both(of('shiny', '9-r0'), of('tool', '3-r0')))
modulus = subprocess.run(['openssl', 'rsa', '-in', 'www/test.rsa', '-noout', '-modulus'], capture_output=True, text=True, check=True)
number = bytes.fromhex(modulus.stdout.strip().split('=')[1])
text = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip('=')
json.dump({'keys': [{'kty': 'RSA', 'kid': 'test', 'n': text(number), 'e': text(b'\1\0\1')}]}, open('www/keys.json', 'w'))
PY
check "packages for two architectures" python3 make.py || finish

cat >server.py <<'PY'
import functools, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        open('requests', 'a').write(self.path + '\n')
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory='www'))
open('port', 'w').write(str(server.server_port))
server.serve_forever()
PY
python3 server.py >/dev/null 2>&1 &
children+=($!)
for _ in $(seq 100); do [ -s port ] && break; sleep 0.05; done
at=http://127.0.0.1:$(cat port)
printf '{"jwks_uri": "%s/keys.json"}' "$at" >www/main/apk-configuration
asked() { cat requests 2>/dev/null | sort -u; }
cat >web.yaml <<YAML
contents:
  keyring: [$at/test.rsa.pub]
  repositories:
    - $at/main
    - "@edge $at/edge"
  packages:
    - web
    - docs
    - shiny@edge
archs: [x86_64, aarch64]
YAML

echo "-- over HTTP, with a tag"
check "show-packages" "$apko" show-packages web.yaml --arch x86_64
says "  what stands in a tagged repository comes by its tag" "$out" "shiny 9-r0"
if grep -q 'tool 3-r0' "$out"; then fail "a tag was taken without being asked for"; else passed "  and nothing else of it"; fi
says "  a package that comes by itself" "$out" "tool-docs 1-r0"

echo "-- architectures in step"
check "for both architectures" "$apko" show-packages web.yaml
same "  no architecture runs ahead" 2 "$(grep -c '^tool 1-r0' "$out")"
check "for one alone" "$apko" show-packages web.yaml --arch x86_64
says "  the newest" "$out" "tool 2-r0"
sed 's/- web$/- tool=2-r0/' web.yaml >ahead.yaml
what="a version that one of them has not" expect_error 4 "tool" -- "$apko" show-packages ahead.yaml

echo "-- locks"
mkdir layout second
check "lock" "$apko" lock web.yaml
same "  equal versions" 1 "$(python3 -c '
import json
packages = json.load(open("web.lock.json"))["contents"]["packages"]
print(len({tuple(sorted((p["name"], p["version"]) for p in packages if p["architecture"] == a)) for a in ("x86_64", "aarch64")}))')"
check "build" "$apko" build web.yaml x layout --vcs=false --sbom=false --lockfile web.lock.json
: >requests
check "--locked, with nothing in the store" env NACRE_HOME="$scratch/other" "$apko" build web.yaml x second --vcs=false --sbom=false \
  --lockfile web.lock.json --locked
same "  asked for packages alone" "" "$(asked | grep -v '\.apk$')"
same "  the same image" "$(sha256sum <layout/index.json)" "$(sha256sum <second/index.json)"
: >requests
check "--locked again" env NACRE_HOME="$scratch/other" "$apko" build web.yaml x second --vcs=false --sbom=false --lockfile web.lock.json --locked
same "  asks for nothing" "" "$(asked)"
# sockets TEXT COMMAND…: it succeeds, and opens no socket that leads out of the machine.
sockets() {
  local text=$1
  shift
  if ! command -v strace >/dev/null; then absent "no strace"; return; fi
  check "$text" strace -f -qq -e trace=socket,connect -o trace "$@"
  same "  opens no socket" "" "$(grep -E 'AF_INET' trace | head -3)"
}
sockets "--locked under strace" env NACRE_HOME="$scratch/other" "$apko" build web.yaml x second --vcs=false --sbom=false \
  --lockfile web.lock.json --locked
sockets "--offline under strace" "$apko" build web.yaml x second --vcs=false --sbom=false --offline
if unshare -n true 2>/dev/null; then
  check "--locked without a network" env NACRE_HOME="$scratch/other" unshare -n "$apko" build web.yaml x second --vcs=false --sbom=false \
    --lockfile web.lock.json --locked
  check "--offline without a network" unshare -n "$apko" lock web.yaml --offline --output offline.lock.json
  same "  gives the same lock" "$(cat web.lock.json)" "$(cat offline.lock.json)"
else
  absent "no network namespaces"
fi
what="--offline with nothing in the store" expect_error 3 "offline" -- env NACRE_HOME="$scratch/empty" "$apko" lock web.yaml --offline

echo "-- changed bytes"
cat >flip.py <<'PY'
"""Every place of the lock, changed by one character: the call that is given must refuse each."""
import json, subprocess, sys
lock = json.load(open('web.lock.json'))
places, taken = [], []
def walk(node, path):
    if isinstance(node, dict):
        for key in node: walk(node[key], path + [key])
    elif isinstance(node, list):
        for i in range(min(len(node), 2)): walk(node[i], path + [i])
    elif isinstance(node, str) and node:
        places.append(path)
walk(lock, [])
for path in places:
    changed = json.loads(json.dumps(lock))
    node = changed
    for key in path[:-1]: node = node[key]
    text = node[path[-1]]
    node[path[-1]] = ('b' if text[0] != 'b' else 'c') + text[1:]
    json.dump(changed, open('flipped.lock.json', 'w'))
    if subprocess.run(sys.argv[1:], capture_output=True).returncode == 0: taken.append('.'.join(map(str, path)))
print(f'{len(places)} places')
sys.exit(f'taken: {taken}' if taken or len(places) < 20 else 0)
PY
check "of the lock: $(python3 -c 'print("each place, one by one")')" python3 flip.py env NACRE_HOME="$scratch/other" "$apko" build web.yaml x \
  second --vcs=false --sbom=false --lockfile flipped.lock.json --locked
says "  how many" "$out" "places"
for file in main/x86_64/APKINDEX.tar.gz test.rsa.pub main/x86_64/zlib-1.3-r0.apk; do
  cp "www/$file" kept
  # The first byte after the middle that is a letter or digit with one bit changed, too: a key stays one.
  flip_byte "www/$file" "$(python3 -c '
import sys
data = open(sys.argv[1], "rb").read()
print(next(i for i in range(len(data) // 2, len(data)) if bytes([data[i]]).isalnum() and bytes([data[i] ^ 1]).isalnum()))' "www/$file")"
  # What inflates no more is malformed, what does is denied.
  case $file in test.rsa.pub) code=6 ;; *) code=2 ;; esac
  what="of ${file##*/}" expect_error "$code" "$at" -- env NACRE_HOME="$scratch/fresh-${file##*/}" "$apko" build web.yaml x second \
    --vcs=false --sbom=false --arch x86_64
  cp kept "www/$file"
done
flip_byte www/main/x86_64/zlib-1.3-r0.apk 4  # the date in the header of a gzip member: only the digest sees it
what="a changed package beside its lock" expect_error 6 "zlib" -- env NACRE_HOME="$scratch/fresh-locked" "$apko" build web.yaml x second \
  --vcs=false --sbom=false --lockfile web.lock.json --locked
cp kept www/main/x86_64/zlib-1.3-r0.apk

echo "-- keys that a server gives of itself"
sed '/keyring/d' web.yaml >keyless.yaml
what="none is trusted unasked" expect_error 6 "which is not in the keyring" -- env NACRE_HOME="$scratch/keyless" "$apko" lock keyless.yaml
env NACRE_HOME="$scratch/keyless" "$apko" lock keyless.yaml --key-discovery show >"$out" 2>"$err"
same "--key-discovery show trusts none" 6 "$?"
says "  and shows what there is" "$err" "'test.rsa.pub' is its key: "
print=$(openssl rsa -in www/test.rsa -pubout -outform DER 2>/dev/null | openssl dgst -sha256 -binary | base64)
says "  by its fingerprint" "$err" "$print"
check "--key-discovery with the fingerprint" env NACRE_HOME="$scratch/keyless" "$apko" lock keyless.yaml --key-discovery "$print"
says "  the lock has it" keyless.lock.json "test.rsa.pub"
what="a fingerprint that nobody gives" expect_error 6 "no repository gives a key" -- "$apko" lock keyless.yaml --key-discovery AAAA
mkdir -p root/etc/apk
printf '%s\n' "$at/main" >root/etc/apk/repositories
what="install-keys without a name" expect_error 6 "no key was installed" -- "$apko" install-keys --root root
check "install-keys with one" "$apko" install-keys --root root --key-discovery "$print"
same "  it is the key" "$(openssl rsa -in www/test.rsa -pubout 2>/dev/null)" "$(cat root/etc/apk/keys/test.rsa.pub)"

echo "-- limits that a call sets"
# Anew each time: what was read once is not measured again.
bounded() { rm -rf bounded; env NACRE_HOME="$scratch/bounded" "$apko" build web.yaml x second --vcs=false --sbom=false --arch x86_64 "$@"; }
what="of an index, inflated" expect_error 2 "APKINDEX.tar.gz" "inflates to more than 100 bytes" -- bounded --max-apkindex-decompressed-size 100
what="of an answer" expect_error 2 "100 bytes" -- bounded --max-http-response-size 100
what="of a control segment" expect_error 2 "more than 100" -- bounded --max-apk-control-size 100
what="of a data segment" expect_error 2 "zlib-1.3-r0.apk" -- bounded --max-apk-data-size 5
what="a limit that is none" expect_error 2 "--max-apk-data-size wants bytes, 0 or -1, not '1MB'" -- bounded --max-apk-data-size 1MB
check "0 leaves ours, -1 takes it away" bounded --max-apk-control-size 0 --max-apk-data-size -1 --max-apkindex-decompressed-size -1 \
  --max-http-response-size -1

echo "-- to the local Docker"
mkdir bin
cat >bin/docker <<'SH'
#!/bin/sh
[ "$1 $2 $3" = "load --quiet --input" ] || exit 9
cp "$4" "$DOCKER_GETS" && echo "Loaded image: it"
SH
chmod +x bin/docker
check "publish --local" env PATH="$scratch/bin:$PATH" DOCKER_GETS="$scratch/loaded.tar" "$apko" publish web.yaml web:1 --local --arch x86_64 --vcs=false \
  --sbom=false
says "  what docker says" "$out" "Loaded image: it"
same "  an archive with the tag" "['web:1-amd64']" "$(tar xOf loaded.tar manifest.json | json '[0]["RepoTags"]')"
printf '#!/bin/sh\necho "no daemon" >&2\nexit 1\n' >bin/docker
what="a Docker that does not run" expect_error 5 "no daemon" "apko build CONFIG TAG FILE.tar" -- env PATH="$scratch/bin:$PATH" \
  "$apko" publish web.yaml web:1 --local --arch x86_64 --vcs=false --sbom=false

echo "-- SBOMs go with an image to its registry"
if command -v docker-registry skopeo >/dev/null; then
  start_registry
  check "publish" "$apko" publish web.yaml "$registry/web:1" --vcs=false --sbom-path sboms --sbom-formats spdx,cyclonedx --image-refs refs
  same "  files beside" 6 "$(find sboms -name 'sbom-*.json' | wc -l)"
  says_of() { skopeo inspect --raw --tls-verify=false "docker://$registry/web$1"; }
  while read -r ref; do
    tag=:${ref#*@}
    same "  about $ref" "application/spdx+json application/vnd.cyclonedx+json" "$(says_of "${tag/sha256:/sha256-}" | python3 -c '
import json, sys
print(*(row["artifactType"] for row in json.load(sys.stdin)["manifests"]))')"
  done <refs
  first=$(says_of "${tag/sha256:/sha256-}" | json '["manifests"][0]["digest"]')
  layer=$(says_of "@$first" | json '["layers"][0]["digest"]')
  same "  the document itself" "$(cat sboms/sbom-index.spdx.json)" "$(curl -s "http://$registry/v2/web/blobs/$layer")"
  check "publish --sbom=false" "$apko" publish web.yaml "$registry/bare:1" --vcs=false --sbom=false
  same "  says nothing" '["1"]' "$(curl -s "http://$registry/v2/bare/tags/list" | json '["tags"]' | tr "'" '"')"
else
  absent "no docker-registry or no skopeo"
fi

echo "-- logins"
export DOCKER_CONFIG=$scratch/docker
check "login" sh -c 'printf secret | "$0" login registry.example.org:5000 -u me --password-stdin' "$apko"
same "  as docker keeps it" "me:secret" "$(python3 -c '
import base64, json, os
print(base64.b64decode(json.load(open(os.environ["DOCKER_CONFIG"] + "/config.json"))["auths"]["registry.example.org:5000"]["auth"]).decode())')"
same "  for this user alone" 600 "$(stat -c %a docker/config.json)"
what="a login without a password" expect_error 2 "--password-stdin" -- "$apko" login registry.example.org -u me

echo "-- what an image says of itself"
check "an image of one architecture" "$NACRE" image build --quiet --json web.yaml --arch x86_64
image=$(json '["digest"]' <"$out")
check "image why, over a provide" "$NACRE" image why --quiet "$image" zlib
says "  the word" "$out" "'web' is asked for (web.yaml:7)"
says "  what it needs" "$out" "web=1-r0 needs 'so:libz.so.1': zlib=1.3-r0 provides it as 'so:libz.so.1=1.3'"
check "image why, of what comes by itself" "$NACRE" image why --quiet "$image" tool-docs
says "  its condition" "$out" "(install_if)"
check "image why, of a path" "$NACRE" image why --quiet "$image" /usr/share/zlib
says "  its owner" "$out" "/usr/share/zlib belongs to zlib=1.3-r0"
check "image why --json" "$NACRE" image why --quiet --json "$image" zlib
same "  a chain of two" "word needs" "$(python3 -c 'import json,sys; print(" ".join(s["how"] for s in json.load(open(sys.argv[1]))["chain"]))' "$out")"
check "image why, of what the composer made" "$NACRE" image why --quiet "$image" /etc/apk/world
says "  says so" "$out" "belongs to no package"
what="a package that is not there" expect_error 3 "zlib" -- "$NACRE" image why --quiet "$image" zlob
what="a path that is not there" expect_error 3 "/usr/share/zlib" -- "$NACRE" image why --quiet "$image" /usr/share/zlab
check "image inspect" "$NACRE" image inspect --quiet "$image"
says "  its platform" "$out" "linux/amd64: 6 packages"
says "  its layers" "$out" "zlib=1.3-r0"
check "image inspect --files --json" "$NACRE" image inspect --quiet --files --json "$image"
same "  owner and mode of a file" "zlib=1.3-r0 0644 0 0" "$(python3 -c '
import json, sys
for f in json.load(open(sys.argv[1]))["files"]:
    if f["path"] == "usr/share/zlib": print(f["package"], f["mode"], f["uid"], f["gid"])' "$out")"

echo "-- the solver, from kept forms"
for round in first second; do
  check "solve, the $round time" "$NACRE" solve --quiet -r "$at/main" -r "@edge $at/edge" --arch x86_64 web shiny@edge
  same "  an answer in install order" "shiny-9-r0 zlib-1.3-r0 tool-2-r0 web-1-r0" "$(tr '\n' ' ' <"$out" | sed 's/ $//')"
  check "solve for two architectures, the $round time" "$NACRE" solve --quiet --json -r www/main --arch x86_64 --arch aarch64 web
  same "  in step" "tool=1-r0 www/main" "$(python3 -c '
import json, sys
print(*{p["name"] + "=" + p["version"] + " " + p["repository"] for a in json.load(open(sys.argv[1])) for p in a["packages"] if p["name"] == "tool"})' "$out")"
  what="  and a refusal, the $round time" expect_error 4 "there is no tool-2-r0 for aarch64" -- "$NACRE" solve --quiet -r www/main --arch x86_64 \
    --arch aarch64 'tool>=2'
  check "why-not, the $round time" "$NACRE" why-not --quiet -r www/main --arch x86_64 tool=1-r0 web
  says "  why" "$out" "tool-2-r0 is newer"
done
mkdir broken
printf 'P:web\nnonsense\n' >broken/APKINDEX
what="an index that cannot be read" expect_error 2 "broken/APKINDEX:2" -- "$NACRE" solve --quiet -r broken/APKINDEX web

echo "-- push"
what="a push to no registry" expect_error 2 "names no registry" -- "$NACRE" image build --quiet web.yaml --arch x86_64 --push web:1
if command -v docker-registry >/dev/null; then
  start_registry
  check "build and push to two repositories" "$NACRE" image build --quiet --json web.yaml --arch x86_64 --push "$registry/one:1" --push "$registry/two"
  same "  the second mounts what the first has" "True True" "$(python3 -c '
import json, sys
one, two = json.load(open(sys.argv[1]))["pushed"]
print(one["bytesSent"] > 0, two["bytesMounted"] > 0 and two["bytesSent"] == 0)' "$out")"
  check "  the registry has it" curl -fs -o "$scratch/index" -H 'Accept: application/vnd.oci.image.index.v1+json' \
    "http://$registry/v2/two/manifests/latest"
else
  absent "no docker-registry"
fi

echo "-- base images"
cat >base.yaml <<YAML
contents:
  keyring: [$at/test.rsa.pub]
  repositories: [$at/main]
  packages: [zlib]
entrypoint: {command: /bin/sh -l}
archs: [x86_64]
YAML
mkdir base metadata metadata/x86_64 top
check "a base" "$apko" build base.yaml base base --vcs=false --sbom=false
base=$(python3 -c 'import json; print(json.load(open("base/index.json"))["manifests"][0]["digest"])')
check "  its database" sh -c '"$0" image export --quiet "$1" base.tar && tar xOf base.tar usr/lib/apk/db/installed >metadata/x86_64/APKINDEX' "$NACRE" "$base"
cat >top.yaml <<YAML
contents:
  baseimage: {image: ./base, apkindex: ./metadata}
  keyring: [$at/test.rsa.pub]
  repositories: [$at/main]
  packages: [web]
archs: [x86_64]
YAML
check "lock over a base" "$apko" lock top.yaml
same "  without what the base has" "tool web" "$(python3 -c '
import json
print(" ".join(sorted(p["name"] for p in json.load(open("top.lock.json"))["contents"]["packages"])))')"
check "build over a base" "$apko" build top.yaml top top --vcs=false --sbom=false --lockfile top.lock.json --locked
same "  two layers, the entrypoint of the base" "2 ['/bin/sh', '-l']" "$(python3 -c '
import json
blob = lambda d: json.load(open("top/blobs/sha256/" + d[7:]))
m = blob(json.load(open("top/index.json"))["manifests"][0]["digest"])
print(len(m["layers"]), blob(m["config"]["digest"])["config"]["Entrypoint"])')"
top=$(python3 -c 'import json; print(json.load(open("top/index.json"))["manifests"][0]["digest"])')
check "image why sees through to the base" "$NACRE" image why --quiet "$top" zlib
says "  who needs it" "$out" "web=1-r0 needs 'so:libz.so.1'"
printf 'P:more\nV:1-r0\nA:x86_64\n' >>metadata/x86_64/APKINDEX
what="a base that changed after it was locked" expect_error 6 "not the one that was locked" -- "$apko" build top.yaml top top --vcs=false \
  --sbom=false --lockfile top.lock.json --locked
printf 'F:../../etc\n' >>metadata/x86_64/APKINDEX
what="a base whose database leads elsewhere" expect_error 2 "APKINDEX:" -- "$apko" lock top.yaml
what="a base that is not there" expect_error 3 "top.yaml:2" -- sh -c 'rm -r base && exec "$0" lock top.yaml' "$apko"
finish
