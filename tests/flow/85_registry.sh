#!/usr/bin/env bash
# Registries: pushing to Debian's docker-registry and pulling back, `nacre serve`, and one that lies.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_home
for program in skopeo curl; do command -v "$program" >/dev/null || skip "no $program"; done
clone_home home
arch=$(uname -m)
digests=$("$NACRE" serials --quiet --json | python3 -c '
import json, sys
for image in json.load(sys.stdin)[-1]["images"]: print(image["name"], image["digest"])')
nginx=$(awk '$1 == "nginx" { print $2 }' <<<"$digests")
busybox=$(awk '$1 == "busybox" { print $2 }' <<<"$digests")
serial=$(newest_serial)

# tag_of REGISTRY REPOSITORY TAG: the digest that it stands for.
tag_of() {
  curl -fsI -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$1/v2/$2/manifests/$3" |
    tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'
}
client() { skopeo --insecure-policy "$@"; }

# ---- a registry that we did not write

start_registry
check "all images pushed" "$NACRE" image publish --quiet --json --registry "$registry"
sent=$(python3 -c 'import json, sys; print(sum(r["bytesSent"] for r in json.load(sys.stdin)))' <"$out")
if [ "$sent" -gt 1000000 ]; then passed "  $sent bytes sent"; else fail "the first push sent only $sent bytes"; fi
# The images hold the same C library: only one of them brings it.
shared=$(python3 - "$out" "$NACRE_HOME" <<'END'
import collections, json, sys
count = collections.Counter()
for receipt in json.load(open(sys.argv[1])):
    blob = lambda digest: json.load(open("{}/blobs/sha256/{}/{}".format(sys.argv[2], digest[7:9], digest[7:])))
    seen = set()
    for row in blob(receipt["digest"])["manifests"]:
        manifest = blob(row["digest"])
        seen.update(layer["digest"] for layer in manifest["layers"])
    count.update(seen)
print(sum(times - 1 for times in count.values()))
END
)
mounted=$(python3 -c 'import json, sys; print(sum(r["blobsMounted"] for r in json.load(sys.stdin)))' <"$out")
if [ "$shared" -gt 0 ] && [ "$mounted" -ge "$shared" ]; then
  passed "  layers that images share are mounted, not sent again ($mounted blobs)"
else
  fail "  $shared layers are in another image, too, and $mounted blobs were mounted"
fi
check "pushed again" "$NACRE" image publish --quiet --json --registry "$registry"
same "  nothing is sent" "0 0" "$(python3 -c '
import json, sys
rows = json.load(sys.stdin)
print(sum(r["bytesSent"] for r in rows), sum(r["blobsSent"] for r in rows))' <"$out")"
while read -r name digest; do
  same "$name:latest and $name:serial-$serial are the published digest" "$digest $digest" \
    "$(tag_of "$registry" "nacre/$name" latest) $(tag_of "$registry" "nacre/$name" "serial-$serial")"
done <<<"$digests"
check "skopeo inspects nginx there" skopeo inspect --tls-verify=false "docker://$registry/nacre/nginx:latest"
check "skopeo copies it back" client copy -q --src-tls-verify=false --multi-arch all \
  "docker://$registry/nacre/nginx:latest" "dir:$scratch/back"
same "  with the digest that was published" "$nginx" "sha256:$(sha256sum "$scratch/back/manifest.json" | cut -d' ' -f1)"

# ---- a registry that asks who is there; the answer comes from a credential helper

open_registry=$registry
mkdir "$scratch/helper" "$scratch/docker"
python3 -W ignore -c 'import crypt; print("me:" + crypt.crypt("secret", "$2b$05$abcdefghijklmnopqrstuu"))' >"$scratch/htpasswd" 2>/dev/null
if start_registry "auth: {htpasswd: {realm: nacre, path: $scratch/htpasswd}}" && grep -q '2b' "$scratch/htpasswd"; then
  printf '#!/bin/sh\nread host; [ "$host" = %s ] || { echo "credentials not found in native keychain"; exit 1; }\n%s\n' "$registry" \
    'echo "{\"Username\":\"me\",\"Secret\":\"secret\"}"' >"$scratch/helper/docker-credential-test"
  chmod +x "$scratch/helper/docker-credential-test"
  what="without credentials" expect_error 6 "asks for credentials" -- env DOCKER_CONFIG="$scratch/docker" \
    "$NACRE" image publish --quiet --registry "$registry" busybox
  echo '{"credsStore": "test"}' >"$scratch/docker/config.json"
  check "with a credential helper, it takes the push" env DOCKER_CONFIG="$scratch/docker" PATH="$scratch/helper:$PATH" \
    "$NACRE" image publish --quiet --registry "$registry" busybox
  check "  and gives it back to one who logs in" client copy -q --src-tls-verify=false --src-creds me:secret --multi-arch all \
    "docker://$registry/nacre/busybox:latest" "dir:$scratch/with-login"
  same "  with the digest that was published" "$busybox" "sha256:$(sha256sum "$scratch/with-login/manifest.json" | cut -d' ' -f1)"
else
  absent "a registry with a password: no bcrypt in Python's crypt"
fi
registry=$open_registry registry_data=$scratch/registry

# ---- a client with an empty store, and the keys

check "keys" "$NACRE" key --quiet --out "$scratch/keys"
check "index" "$NACRE" index --quiet --repository "$scratch/repository"
keys=(--key-package "$scratch/keys/nacre-community.rsa.pub" --key-attestation "$scratch/keys/nacre-community.ecdsa.pub"
  --index "$scratch/repository/$arch/APKINDEX.tar.gz")
home=$NACRE_HOME
# new_client: NACRE_HOME becomes one that has nothing.
new_client() {
  [ "$NACRE_HOME" = "$home" ] || rm -rf "$NACRE_HOME"
  NACRE_HOME=$(mktemp -d "$scratch/client.XXXXXX")
  chmod 755 "$NACRE_HOME"
}
new_client
check "a client with the keys verifies nginx" "$NACRE" verify --quiet "${keys[@]}" "$registry/nacre/nginx:latest"
says "  its provenance" "$out" "provenance"
check "  and by digest" "$NACRE" verify --quiet "${keys[@]}" "$registry/nacre/nginx@$nginx"
new_client
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
if check "it runs the image that it pulls" "$NACRE" run --quiet --detach --name pulled --publish "$port:8080" "$registry/nacre/nginx:latest"; then
  cleaners+=("NACRE_HOME=$NACRE_HOME $NACRE run --quiet --stop pulled >/dev/null 2>&1")
  # At once: whoever has the container's name can connect, and the connection waits for the program to listen.
  check "  and nginx answers" curl -fsS --max-time 5 "http://127.0.0.1:$port/"
  check "  and stops" "$NACRE" run --quiet --stop pulled
fi

# ---- a push that is killed

python3 "$source_root/tests/flow/hostile_registry.py" "$registry" >"$scratch/liar" 2>"$scratch/liar.log" </dev/null &
children+=("$!")
for _ in $(seq 100); do [ -s "$scratch/liar" ] && break; sleep 0.05; done
liar=127.0.0.1:$(cat "$scratch/liar")
[ "$NACRE_HOME" = "$home" ] || rm -rf "$NACRE_HOME"
NACRE_HOME=$home
check "an older nginx:latest (another image will do)" client copy -q --src-tls-verify=false --dest-tls-verify=false --multi-arch all \
  "docker://$registry/nacre/busybox:latest" "docker://$registry/slow/nacre/nginx:latest"
layers=$registry_data/docker/registry/v2/repositories/slow/nacre/nginx/_layers/sha256
present() { find "$layers" -mindepth 1 -maxdepth 1 | wc -l; }
before=$(present)
"$NACRE" image publish --quiet --registry "$liar/slow" nginx >"$out" 2>"$err" </dev/null &
pusher=$!; disown
for _ in $(seq 500); do [ "$(present)" -le "$before" ] || break; sleep 0.01; done
if kill -9 $pusher 2>/dev/null; then passed "a push is killed after its first blob"; else fail "the push was over before it was killed"; fi
while [ -e "/proc/$pusher" ]; do sleep 0.05; done
passed "  $(($(present) - before)) blobs more were there"
same "  the tag is what it was" "$busybox" "$(tag_of "$registry" slow/nacre/nginx latest)"
check "the same push again" "$NACRE" image publish --quiet --json --registry "$liar/slow" nginx
if [ "$(json '[0]["blobsPresent"]' <"$out")" -gt 0 ]; then passed "  goes on where the first stopped"; else fail "  sends all blobs again"; fi
same "  the tag is the new image" "$nginx" "$(tag_of "$registry" slow/nacre/nginx latest)"

# ---- a registry that lies

# lie NAME CODE TEXT… : verify and run refuse, in short time and with little memory, and say why.
lie() {
  local name=$1 code=$2 verb start
  shift 2
  for verb in verify run; do
    new_client
    local -a command=("$NACRE" "$verb" --quiet)
    [ $verb = run ] || command+=("${keys[@]}")
    start=$SECONDS
    what="$name, $verb" expect_error "$code" "$@" -- bash -c 'ulimit -v 4000000; exec timeout 60 "$@"' - "${command[@]}" "$liar/$name/nacre/nginx:latest"
    [ $((SECONDS - start)) -le 20 ] || fail "$name, $verb: took $((SECONDS - start)) s"
  done
}
lie changed-manifest 6 "for manifest sha256:" "while pulling"
lie changed-blob 6 "for blob sha256:"
lie short-blob 6 "sha256:"
lie endless-blob 2 "bytes"
lie endless-manifest 2 "bytes"
lie to-file 2 "file"
lie to-itself 2 "redirect"
lie nested 2 "nested"
lie broken 5 "http://$liar/v2/broken/nacre/nginx" "500"
lie long-blob 2 "longer than"
lie other-type 2 "application/vnd.docker.distribution.manifest.v2+json"
lie two-faces 2 "is an index and an image at once"
export NACRE_HTTP_TIMEOUT=1
lie drip-blob 5 "too slow" "blob sha256:"
lie drip-manifest 5 "too slow" "manifests/latest"
unset NACRE_HTTP_TIMEOUT
lie cut-blob 5 "blob sha256:"
new_client
what="unsigned" expect_error 6 "no attestation of type" "$nginx" -- "$NACRE" verify --quiet "${keys[@]}" "$liar/unsigned/nacre/nginx:latest"
what="evidence of another image" expect_error 6 "no attestation of type" "$nginx" -- "$NACRE" verify --quiet "${keys[@]}" "$liar/borrowed/nacre/nginx:latest"
openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl ec -pubout -out "$scratch/other.pub" 2>/dev/null
what="another key" expect_error 6 "signature" -- "$NACRE" verify --quiet "${keys[@]}" --key-attestation "$scratch/other.pub" "$registry/nacre/nginx:latest"
rm -rf "$NACRE_HOME"
NACRE_HOME=$home

# push_lie NAME CODE TEXT…: a push that such a registry takes ends in a refusal that says why.
push_lie() {
  local name=$1 code=$2 start=$SECONDS
  shift 2
  what="$name" expect_error "$code" "$@" -- timeout 90 "$NACRE" image publish --quiet --registry "$liar/$name" busybox
  [ $((SECONDS - start)) -le 30 ] || fail "$name: took $((SECONDS - start)) s"
}
export NACRE_HTTP_TIMEOUT=2
push_lie push-to-itself 2 "redirect" "uploading blob sha256:"
push_lie push-to-file 2 "wants the upload at 'file:///etc/passwd'" "uploading blob sha256:"
push_lie push-nowhere 5 "gave no place for an upload"
push_lie push-other-digest 6 "says that blob sha256:" "0000000000"
push_lie push-forgets 3 "uploading blob sha256:" "404"
push_lie push-broken 5 "500"
push_lie push-drip 5 "too slow"
push_lie push-endless 2 "longer than"
push_lie push-manifest 6 "the registry says that manifest sha256:" "0000000000"
unset NACRE_HTTP_TIMEOUT

# ---- nacre serve

start_server
base=http://$served
check "skopeo copies nginx from \`nacre serve\`" client copy -q --src-tls-verify=false --multi-arch all \
  "docker://$served/nacre/nginx:latest" "dir:$scratch/served"
same "  with its digest" "$nginx" "sha256:$(sha256sum "$scratch/served/manifest.json" | cut -d' ' -f1)"
check "skopeo inspects it" skopeo inspect --tls-verify=false "docker://$served/nacre/nginx:serial-$serial"
same "_catalog" "nacre/busybox nacre/nginx nacre/static nacre/valkey" \
  "$(curl -fs "$base/v2/_catalog" | json '["repositories"]' | tr -d "[]',")"
curl -fs "$base/v2/nacre/nginx/tags/list" >"$out"
says "tags/list: latest" "$out" '"latest"'
says "tags/list: the serial" "$out" "\"serial-$serial\""
curl -fs "$base/v2/nacre/nginx/referrers/$nginx" >"$out"
same "referrers: SBOMs, signature, provenance" \
  "https://cyclonedx.org/bom https://sigstore.dev/cosign/sign/v1 https://slsa.dev/provenance/v1 https://spdx.dev/Document" \
  "$(python3 -c 'import json, sys
print(*sorted(m["annotations"]["dev.sigstore.bundle.predicateType"] for m in json.load(sys.stdin)["manifests"]))' <"$out")"
curl -fs "$base/v2/nacre/nginx/referrers/$nginx?artifactType=none" >"$out"
same "referrers of a type that nothing has" "[]" "$(json '["manifests"]' <"$out")"
curl -fs "$base/v2/nacre/nginx/manifests/latest" >"$scratch/index.json"
manifest=$(json '["manifests"][0]["digest"]' <"$scratch/index.json")
layer=$(curl -fs "$base/v2/nacre/nginx/manifests/$manifest" | json '["layers"][-1]["digest"]')
same "a blob by its digest" "$layer" "sha256:$(curl -fs "$base/v2/nacre/nginx/blobs/$layer" | sha256sum | cut -d' ' -f1)"
same "a range of it" "206 $(head -c 30 "$(blob "$layer")" | tail -c 20 | sha256sum)" \
  "$(curl -s -o "$scratch/range" -w '%{http_code}' -r 10-29 "$base/v2/nacre/nginx/blobs/$layer") $(sha256sum <"$scratch/range")"
new_client
check "a client verifies nginx from \`nacre serve\`" "$NACRE" verify --quiet "${keys[@]}" "$served/nacre/nginx:latest"
rm -rf "$NACRE_HOME"
NACRE_HOME=$home

for file in "$scratch/repository/$arch"/zlib-[0-9]*.apk{,.spdx.json,.intoto.sigstore.json} "$scratch/repository/$arch"/APKINDEX.tar.gz; do
  name=$(basename "$file")
  same "$name is what the repository directory has" "$(sha256sum <"$file")" "$(curl -fs "$base/community/$arch/$name" | sha256sum)"
  same "  and in serial $serial" "$(sha256sum <"$file")" "$(curl -fs "$base/community/serial/$serial/$arch/$name" | sha256sum)"
done
for key in nacre-community.rsa.pub nacre-community.ecdsa.pub; do
  same "key $key" "$(cat "$scratch/keys/$key")" "$(curl -fs "$base/community/keys/$key")"
done
check "the page" curl -fsS "$base/"
cp "$out" "$scratch/page.html"
check "  is HTML that opens what it closes" python3 -c '
import html.parser, sys
class Page(html.parser.HTMLParser):
    stack = []
    def handle_starttag(self, tag, _): self.stack.append(tag)
    def handle_endtag(self, tag):
        while self.stack and self.stack[-1] != tag and self.stack[-1] in ("p", "th", "td", "tr", "meta", "title", "style"): self.stack.pop()
        if not self.stack or self.stack.pop() != tag: sys.exit(f"</{tag}> closes nothing")
page = Page()
page.feed(open(sys.argv[1]).read())
page.close()' "$scratch/page.html"
says "  names nginx" "$scratch/page.html" "nacre/nginx"
check "  each package that it links to is there" bash -c '
  for link in $(grep -o "href=\"[^\"]*" "$1" | cut -c7- | grep "^/" | shuf -n 12 --random-source="$1"); do
    curl -fsS -o /dev/null "$2$link" || exit 1; done' - "$scratch/page.html" "$base"

# answer CODE PATH…: what the server says to each.
answer() {
  local code=$1 path
  shift
  for path in "$@"; do
    same "$path is $code" "$code" "$(curl -s --path-as-is -o /dev/null -w '%{http_code}' "$base$path")"
  done
}
answer 404 /nothing "/community/$arch/none-1-r0.apk" "/community/m68k/APKINDEX.tar.gz" "/community/serial/99/$arch/APKINDEX.tar.gz" \
  /v2/nacre/none/manifests/latest /v2/nacre/nginx/manifests/none "/v2/nacre/nginx/blobs/sha256:$(printf '%064d' 0)" \
  /v2/nacre/none/tags/list /v2/other/nginx/manifests/latest /community/keys/none.pub "/community/serial/-1/$arch/APKINDEX.tar.gz" \
  "/community/serial/1x/$arch/APKINDEX.tar.gz"
answer 404 /../../etc/passwd /community/keys/../../../etc/passwd /community/keys/..%2f..%2f..%2fetc%2fpasswd.pub \
  /community/keys/../signer/keys.pub "/community/$arch/..%2f..%2fstate.db" /v2/nacre/nginx/blobs/..%2f..%2fstate.db /signer/community
same "writing is refused" 405 "$(curl -s -o /dev/null -w '%{http_code}' -d x "$base/v2/nacre/nginx/blobs/uploads/")"
same "deleting is refused" 405 "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "$base/v2/nacre/nginx/manifests/latest")"
stop_server
finish
