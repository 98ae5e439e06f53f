#!/usr/bin/env bash
# What somebody who comes from apko brings along: odd but legal packages, every form of output, passwords in addresses, several tags, a
# registry that says no, devices. With apko's program (NACRE_APKO) the layers of each definition are compared byte for byte.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
own_packages

cat >make.py <<'PY'
import gzip, hashlib, tarfile
from apk_maker import *
file = lambda name, text=b'', **more: (name, tarfile.REGTYPE, '', text, more)
folder = lambda name, **more: (name, tarfile.DIRTYPE, '', b'', {'mode': 0o755, **more})
link = lambda name, to: (name, tarfile.SYMTYPE, to, b'', {'mode': 0o777, 'pax_headers': {'APK-TOOLS.checksum.SHA1': hashlib.sha1(to.encode()).hexdigest()}})
hard = lambda name, to: (name, tarfile.LNKTYPE, to, b'')
def packed(text, **pax):
    return {'pax_headers': {'APK-TOOLS.checksum.SHA1': hashlib.sha1(text).hexdigest(), **{k.replace('__', '.'): v for k, v in pax.items()}}}
usr, etc = folder('usr'), folder('etc')
long = [folder('usr'), folder('usr/share')]
for i in range(9):
    long.append(folder(long[-1][0] + '/a-directory-of-some-length-%02d' % i))
long += [file(long[-1][0] + '/file', b'deep'), file('usr/share/' + 'n' * 200, b'long'), file('usr/share/' + 'm' * 90, b'short')]
quirks = lambda lines: '\n'.join(line.replace('quirks of a test', 'The C# library; "all" of it') for line in lines) + \
    '\ntriggers = /one\ntriggers = /two /three\ndepend = layout\ndepend = layout\n'
packages = [
    Package('layout', rows=[folder('bin'), etc, file('etc/os-release', b'ID=odd\nNAME=Odd\n'), file('etc/profile', b'A=1\n'), usr, folder('usr/bin'),
                            folder('usr/share')]),
    Package('hard', rows=[usr, folder('usr/bin'), file('usr/bin/a', b'one', mode=0o755), hard('usr/bin/b', 'usr/bin/a'), folder('usr/lib'),
                          hard('usr/lib/c', 'usr/bin/a')]),
    Package('chain', rows=[usr, file('usr/c1', b'chain'), hard('usr/c2', 'usr/c1'), hard('usr/c3', 'usr/c2')]),
    Package('long', rows=long),
    Package('names', rows=[usr, folder('usr/share'), folder('usr/share/n'), file('usr/share/n/README', b'1'), file('usr/share/n/readme', b'2'),
                           file('usr/share/n/with space', b'3'), file('usr/share/n/\u00e9t\u00e9', b'4'), file('usr/share/n/e\u0301te\u0301', b'5'),
                           file('usr/share/n/quo"te\\', b'6'), link('usr/share/n/\u00fc', '\u00e9t\u00e9')]),
    Package('special', rows=[usr, folder('usr/bin'), file('usr/bin/su', b'su', mode=0o4755), folder('usr/share'), folder('usr/share/sticky', mode=0o1777),
                             file('usr/bin/capable', b'cap', mode=0o755, **packed(b'cap', SCHILY__xattr__security__capability='\x01\x00\x00\x02\x20\x04')),
                             file('usr/share/half', b'x', mtime=1600000000.75, **packed(b'x'))]),
    Package('quirks', info=quirks), Package('empty', rows=[]),
    Package('victim', rows=[usr, file('usr/fight', b'old')]), Package('winner', rows=[usr, file('usr/fight', b'new')], replaces=['victim']),
    Package('own-world', rows=[etc, folder('etc/apk'), file('etc/apk/world', b'mine\n')]),
    Package('many', rows=[usr, folder('usr/many')] + [file(f'usr/many/{i:05}') for i in range(3000)]),
    Package('lib', '1-r0'), Package('glue', install_if=['hard', 'names'])]
make_repository('repo', 'test.rsa', {'x86_64': packages})
make_repository('edge', 'test.rsa', {'x86_64': [Package('lib', '2-r0'), Package('shiny', depends=['lib']), Package('sharp', depends=['lib>=2'])]})
PY
check "odd packages" python3 make.py || finish
head_of_yaml() { printf 'contents:\n  repositories: [%s/repo, "@edge %s/edge"]\n  keyring: [%s/test.rsa.pub]\n  packages: [%s]\narchs: [x86_64]\n' "$scratch" "$scratch" "$scratch" "$1"; }

echo "-- packages"
head_of_yaml "layout, hard, chain, long, names, special, quirks, empty, victim, winner, many" >odd.yaml
mkdir layout
check "an image of all of them" "$apko" build odd.yaml x layout --vcs=false --sbom=false
# entry NAME…: type, mode, owner, date, size and link of entries of the newest single layer.
entries() {
  python3 - "$@" <<'PY'
import gzip, io, json, sys, tarfile
blob = lambda d: open('layout/blobs/sha256/' + d[7:], 'rb').read()
m = json.loads(blob(json.load(open('layout/index.json'))['manifests'][0]['digest']))
found = {e.name: e for l in m['layers'] for e in tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(l['digest']))))}
for name in sys.argv[1:]:
    e = found[name]
    print(name, e.type.decode(), oct(e.mode), f'{e.uid}:{e.gid}', e.mtime, e.size, e.linkname)
PY
}
same "  a link to a link is one to its file" "usr/c3 1 0o644 0:0 0 0 usr/c1" "$(entries usr/c3)"
same "  setuid stays, sticky of a directory does not, half a second is rounded" "usr/bin/su 0 0o4755 0:0 0 2 
usr/share/sticky 5 0o777 0:0 0 0 
usr/share/half 0 0o644 0:0 1600000001 1 " "$(entries usr/bin/su usr/share/sticky usr/share/half)"
root() { "$apko" build-minirootfs "$1" root.tar 2>/dev/null && tar xOf root.tar "$2"; }
same "  the replaced file is the winner's" new "$(root odd.yaml usr/fight)"
same "  triggers, a line each" "/one,/two /three," "$(root odd.yaml usr/lib/apk/db/triggers | cut -d' ' -f2- | tr '\n' ',')"
says_in() { if root odd.yaml usr/lib/apk/db/installed | grep -xF "$2" >/dev/null; then passed "$1"; else fail "$1: no line '$2'"; fi; }
says_in "  a description as the reference's reader cuts it" "T:The C"
says_in "  a dependency that is written twice, once" "D:layout"
same "  a root says what was asked for" "layout hard" "$(head_of_yaml "layout, hard" >two.yaml; root two.yaml etc/apk/world | sort -r | tr '\n' ' ' | sed 's/ $//')"
{ head_of_yaml "layout"; echo "vcs-url: https://github.com/x/y"; } >source.yaml
check "a vcs-url without a commit" "$apko" build source.yaml x layout --vcs=false
same "  is no empty version" '"pkg:github/x/y"' "$(grep -oh '"pkg:github/[^"]*"' sbom-index.spdx.json)"
head_of_yaml "layout, own-world" >world.yaml
what="a package with a world of its own" expect_error 4 "'etc/apk/world' is in own-world=1-r0" -- "$apko" build world.yaml x layout --vcs=false
head_of_yaml "layout, hard" >permissions.yaml
printf 'paths:\n  - {path: /usr/lib, type: permissions, permissions: 0o750, uid: 4, recursive: true}\n' >>permissions.yaml
check "permissions of one name of a file" "$apko" build permissions.yaml x layout --vcs=false --sbom=false
same "  are those of all" "0o750 4:0 0o750 4:0 0o750 4:0" "$(entries usr/bin/a usr/bin/b usr/lib/c | awk '{ print $3, $4 }' | tr '\n' ' ' | sed 's/ $//')"

echo "-- tags"
head_of_yaml "layout, shiny@edge" >tag.yaml
check "a tag prefers nothing for what its package needs" "$apko" show-packages tag.yaml
says "  the untagged one" "$out" "lib 1-r0"
head_of_yaml "layout, sharp@edge" >tag.yaml
check "and lets it in" "$apko" show-packages tag.yaml
says "  where no other fits" "$out" "lib 2-r0"
printf 'contents:\n  repositories: [%s/repo, "@edge %s/edge", %s/edge]\n  keyring: [test.rsa.pub]\n  packages: [lib, shiny]\narchs: [x86_64]\n' \
  "$scratch" "$scratch" "$scratch" >both.yaml
check "a repository that is named with its tag and without" "$apko" show-packages both.yaml
says "  counts without" "$out" "lib 2-r0"

echo "-- --format"
format() { "$apko" show-packages two.yaml --format "$1" 2>"$err" | head -n 1; }
place=$scratch/repo/x86_64/hard-1-r0.apk
for pair in "name-version=hard 1-r0" "name-version-source=hard 1-r0 $place" "name=version=hard=1-r0" "name=version-source=hard=1-r0 $place" \
  "name-(version)=hard (1-r0)" "name-(version)-source=hard (1-r0) $place" "packagelock=- hard=1-r0" "packagelock-source=- hard=1-r0 # $place"; do
  case $pair in name=version*) name=${pair%%=hard*} ;; *) name=${pair%%=*} ;; esac
  same "$name" "${pair#"$name"=}" "$(format "$name")"
done
same "of one's own" "<hard|1-r0>" "$(format '<{{.Name}}|{{ .Version }}>')"
what="an unknown variable" expect_error 2 ".Nope" "there are .Name, .Version and .Source" -- "$apko" show-packages two.yaml --format '{{ .Nope }}'
what="a brace that is not closed" expect_error 2 "without '}}'" -- "$apko" show-packages two.yaml --format '{{ .Name'
what="build --format of an unknown form" expect_error 2 "reading --format" -- "$apko" build two.yaml x layout --format squashfs
check "build --format tar" "$apko" build two.yaml x layout --format tar --vcs=false --sbom=false

check "apko -C" "$apko" -C "$scratch" show-packages two.yaml
cp "$out" named
for flags in "-C $scratch" "--workdir=$scratch --log-level debug" "--log-level=error"; do
  # shellcheck disable=SC2086
  check "nacre apko $flags" "$NACRE" apko $flags show-packages two.yaml
  same "  answers the same" "$(cat named)" "$(cat "$out")"
done
check "a date of another zone" "$apko" build two.yaml x layout --vcs=false --sbom=false --build-date 2050-01-01T00:00:00+02:00
same "  is one in UTC" 2049-12-31T22:00:00Z "$(python3 -c '
import json
print(json.load(open("layout/index.json"))["annotations"]["org.opencontainers.image.created"])')"

echo "-- order"
printf 'contents:\n  repositories: [%s/repo, %s/edge]\n  keyring: [test.rsa.pub]\n  packages: [layout]\narchs: [x86_64]\n' "$scratch" "$scratch" >order.yaml
check "lock" "$apko" lock order.yaml -r "$scratch/empty"
same "  repositories as they are written, then what the call adds" "repo edge empty" "$(python3 -c '
import json
print(*(r["name"].split("/")[-2] for r in json.load(open("order.lock.json"))["contents"]["repositories"]))')"
check "show-config" "$apko" show-config order.yaml
same "  the same" "repo edge" "$(grep -oE '(repo|edge)$' "$out" | tr '\n' ' ' | sed 's/ $//')"
written() { python3 -c 'import json, sys; print(*(r.split("/")[-1] for r in json.load(sys.stdin)["contents"]["repositories"]))'; }
same "a root has that order" "repo edge" "$(root order.yaml etc/apko.json | written)"
check "an image" "$apko" build order.yaml x layout --vcs=false --sbom=false
image=$(python3 -c 'import json; print(json.load(open("layout/index.json"))["manifests"][0]["digest"])')
check "  exported" "$NACRE" image export --quiet "$image" image.tar
same "  has them sorted" "edge repo" "$(tar xOf image.tar etc/apko.json | written)"

echo "-- passwords in addresses"
cat >secret.yaml <<'YAML'
contents:
  repositories: ["https://me:s3cret@host.example/os", "@edge https://me:s3cret@host.example/edge", "https://token@host.example/only-a-user"]
  build_repositories: ["http://me:s3cret@host.example:8080/build"]
  runtime_repositories: ["https://me:s3cret@host.example/run"]
  keyring: ["https://me:s3cret@host.example/key.rsa.pub"]
  packages: [layout]
YAML
check "show-config" "$apko" show-config secret.yaml
same "  hides each" "5 0" "$(grep -c 'me:xxxxx@host.example' "$out") $(grep -c s3cret "$out")"
says "  a tag, too" "$out" "@edge https://me:xxxxx@host.example/edge"
says "  not the user" "$out" "https://token@host.example/only-a-user"

echo "-- pushes"
what="by digest" expect_error 2 "names a digest, and a push gives a tag" -- "$apko" publish two.yaml \
  "127.0.0.1:1/x@sha256:$(printf '%064d' 0)" --vcs=false --sbom=false
cat >refuses.py <<'PY'
"""A registry that takes blobs and refuses manifests by digest (argument 'digest') or by tag ('tag')."""
import hashlib, http.server, sys
class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *_): pass
    def reply(self, status, headers=(), body=b''):
        self.send_response(status)
        for key, value in headers: self.send_header(key, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    def answer(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        last = self.path.split('/')[-1]
        if self.path == '/v2/': return self.reply(200)
        if self.command == 'POST': return self.reply(202, [('Location', '/v2/x/blobs/uploads/1')])
        if self.command == 'PATCH': return self.reply(202, [('Location', '/v2/x/blobs/uploads/1')])
        if self.command == 'PUT' and '/manifests/' in self.path:
            open('asked', 'a').write(last + '\n')
            if last.startswith('sha256:') == (sys.argv[1] == 'digest'):
                return self.reply(400, [], b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}')
            return self.reply(201, [('Docker-Content-Digest', 'sha256:' + hashlib.sha256(body).hexdigest())])
        if self.command == 'PUT': return self.reply(201)
        self.reply(404)
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Registry)
open('port-' + sys.argv[1], 'w').write(str(server.server_port))
server.serve_forever()
PY
for how in digest tag; do
  python3 refuses.py $how >/dev/null 2>&1 &
  children+=($!)
  for _ in $(seq 100); do [ -s port-$how ] && break; sleep 0.05; done
  : >asked
  what="a registry that refuses a manifest by $how" expect_error 2 "DIGEST_INVALID" "provided digest did not match" "pushing" -- "$apko" publish \
    two.yaml "127.0.0.1:$(cat port-$how)/x:1" --vcs=false --sbom=false --image-refs refs
  [ -e refs ] && fail "  and references were written" || passed "  and no reference was written"
  case $how in
    digest) same "  the tag was not touched" 0 "$(grep -cv '^sha256:' asked)" ;;
    tag) same "  after the images were there" "sha256" "$(head -n 1 asked | cut -d: -f1)" ;;
  esac
done
if command -v docker-registry >/dev/null; then
  start_registry
  check "to several tags" "$apko" publish two.yaml "$registry/first:1" "$registry/first:2" "$registry/second:3" --vcs=false --sbom=false --image-refs refs
  same "  one answer, of the first" "$registry/first" "$(cut -d@ -f1 "$out")"
  same "  one reference for each image, then the index" "2 $(cat "$out")" "$(wc -l <refs) $(tail -n 1 refs)"
  same "  all tags are there" '["1","2"] ["3"]' "$(for name in first second; do curl -s "http://$registry/v2/$name/tags/list" |
    python3 -c 'import json, sys; print(json.dumps(sorted(json.load(sys.stdin)["tags"]), separators=(",", ":")))'; done | tr '\n' ' ' | sed 's/ $//')"
else
  absent "no docker-registry"
fi

echo "-- devices"
cat >devices.py <<'PY'
"""OCI layouts of one layer with a device: devices.py DIR TYPE MAJOR MINOR"""
import gzip, hashlib, io, json, os, sys, tarfile
place, kind, major, minor = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
os.makedirs(place + '/blobs/sha256')
def put(data, media):
    digest = hashlib.sha256(data).hexdigest()
    open(f'{place}/blobs/sha256/{digest}', 'wb').write(data)
    return {'mediaType': media, 'digest': 'sha256:' + digest, 'size': len(data)}
raw = io.BytesIO()
with tarfile.open(fileobj=raw, mode='w') as archive:
    for name, type_ in (('dev', tarfile.DIRTYPE), ('dev/thing', kind)):
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.devmajor, entry.devminor = type_, 0o755 if type_ == tarfile.DIRTYPE else 0o660, major, minor
        archive.addfile(entry)
oci = 'application/vnd.oci.image.'
layer = put(gzip.compress(raw.getvalue(), mtime=0), oci + 'layer.v1.tar+gzip')
config = put(json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': [
    'sha256:' + hashlib.sha256(raw.getvalue()).hexdigest()]}}).encode(), oci + 'config.v1+json')
manifest = put(json.dumps({'schemaVersion': 2, 'mediaType': oci + 'manifest.v1+json', 'config': config, 'layers': [layer]}).encode(), oci + 'manifest.v1+json')
json.dump({'schemaVersion': 2, 'manifests': [manifest]}, open(place + '/index.json', 'w'))
open(place + '/oci-layout', 'w').write('{"imageLayoutVersion": "1.0.0"}')
PY
python3 devices.py null 3 1 3 && python3 devices.py zero 3 1 5 && python3 devices.py block 4 1 3
for other in zero block; do
  "$NACRE" image diff --quiet --json ./null ./$other >"$out" 2>"$err"
  same "nacre image diff of a device and another ($other)" "3 0660 0:0 device 1:3" "$(json '["files"]["changed"]["dev/thing"]["before"]' <"$out")"
done
same "  its kind" "4 0660 0:0 device 1:3" "$(json '["files"]["changed"]["dev/thing"]["after"]' <"$out")"
"$NACRE" image diff --quiet ./null ./null >"$out" 2>"$err"
same "  and of one and itself" "0 no difference" "$? $(cat "$out")"

echo "-- a run that was killed"
export NACRE_HOME=$scratch/killed
packages=(repo/x86_64/*.apk)
ours=$scratch/ours
check "nacre repo add of one" "$NACRE" repo add --quiet --arch x86_64 "$ours" "${packages[0]}"
cp -a "$ours/tuf" tuf-before
check "and of another" "$NACRE" repo add --quiet --arch x86_64 "$ours" "${packages[1]}"
trusted() { python3 - "$ours" <<'PY'
import glob, hashlib, json, sys
newest = max(glob.glob(sys.argv[1] + '/tuf/*.targets.json'), key=lambda p: int(p.split('/')[-1].split('.')[0]))
snapshot = max(glob.glob(sys.argv[1] + '/tuf/*.snapshot.json'), key=lambda p: int(p.split('/')[-1].split('.')[0]))
stamp = json.load(open(sys.argv[1] + '/tuf/timestamp.json'))['signed']['meta']['snapshot.json']
have = hashlib.sha256(open(sys.argv[1] + '/x86_64/APKINDEX.tar.gz', 'rb').read()).hexdigest()
named = json.load(open(newest))['signed']['targets']['x86_64/APKINDEX.tar.gz']['hashes']['sha256']
print(named == have, hashlib.sha256(open(snapshot, 'rb').read()).hexdigest() == stamp['hashes']['sha256'])
PY
}
same "  the metadata names the index" "True True" "$(trusted)"
# As a kill after the index leaves it; root.json is not there yet either.
rm -rf "$ours/tuf" && cp -a tuf-before "$ours/tuf" && rm "$ours/tuf/root.json"
same "  without the end of that run it does not" "False True" "$(trusted)"
check "  the same call again" "$NACRE" repo add --quiet --arch x86_64 "$ours" "${packages[1]}"
same "  ends it" "True True" "$(trusted)"
same "  root.json, too" "$(cat "$ours/tuf/1.root.json")" "$(cat "$ours/tuf/root.json")"
check "  and a third time" "$NACRE" repo add --quiet --arch x86_64 "$ours" "${packages[1]}"
says "  changes nothing" "$out" "2 packages, unchanged"
# A file that was never written to its end: the machine lost its power before the index named it.
"$NACRE" repo remove --quiet --arch x86_64 "$ours" chain >"$out" 2>"$err"
name=${packages[2]##*/}
head -c 300 "${packages[2]}" >"$ours/x86_64/$name"
check "  a torn package in the way" "$NACRE" repo add --quiet --arch x86_64 "$ours" "${packages[2]}"
says "  is replaced" "$out" "added ${name%.apk}"
same "  by a whole one" "$(tail -c 100 "${packages[2]}" | sha256sum)" "$(tail -c 100 "$ours/x86_64/$name" | sha256sum)"
kills=0
for i in 1 2 3 4 5 6 7 8; do
  "$NACRE" repo add --quiet --arch x86_64 "$scratch/often" "${packages[@]}" >/dev/null 2>&1 </dev/null &
  pid=$!
  sleep "0.0$i"
  kill -9 $pid 2>/dev/null && kills=$((kills + 1))
  { wait $pid; } 2>/dev/null
done
check "after $kills kills" "$NACRE" repo add --quiet --arch x86_64 "$scratch/often" "${packages[@]}"
ours=$scratch/often
same "  all packages, and metadata that names them" "${#packages[@]} True True" \
  "$(tar xzOf "$ours/x86_64/APKINDEX.tar.gz" APKINDEX | grep -c '^P:') $(trusted)"

echo "-- beside apko"
export NACRE_HOME=$scratch/home
if [ -x "${NACRE_APKO:-/nonexistent}" ]; then
  head_of_yaml "layout, long, names, special, quirks, empty, victim, winner, many" >beside-all.yaml
  head_of_yaml "layout, hard, long, special" >beside-paths.yaml
  cat >>beside-paths.yaml <<'YAML'
layering: {strategy: origin, budget: 3}
accounts: {run-as: web, users: [{username: web, uid: 77}], groups: [{groupname: web, gid: 78}]}
paths:
  - {path: /usr/share, type: permissions, permissions: 0o750, uid: 77, gid: 78, recursive: true}
  - {path: /srv/link, type: symlink, source: /etc/os-release, permissions: 0o644}
  - {path: /srv/hard, type: hardlink, source: /etc/os-release, permissions: 0o600}
  - {path: /usr/bin/b, type: permissions, permissions: 0o711}
YAML
  cat >diff_ids.py <<'PY'
import json, sys
blob = lambda d: json.load(open(sys.argv[1] + '/blobs/sha256/' + d[7:]))
for row in json.load(open(sys.argv[1] + '/index.json'))['manifests']:
    print(*blob(blob(row['digest'])['config']['digest'])['rootfs']['diff_ids'])
PY
  for name in all paths; do
    rm -rf theirs ours-image && mkdir theirs ours-image
    check "apko builds beside-$name" "$NACRE_APKO" build beside-$name.yaml x theirs --vcs=false --sbom=false
    check "  and we" "$apko" build beside-$name.yaml x ours-image --vcs=false --sbom=false
    same "  the same layers" "$(python3 diff_ids.py theirs)" "$(python3 diff_ids.py ours-image)"
  done
else
  absent "no program of the reference: NACRE_APKO names none"
fi
finish
