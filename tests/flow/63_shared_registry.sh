#!/usr/bin/env bash
# Several control planes on one state whose blobs are in a registry: Debian's docker-registry, with a password. B finds what A made;
# the registry's own collector takes nothing that is needed; the registry goes wrong.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
. "$(dirname "$0")/grid_lib.sh"
. "$(dirname "$0")/small_os.sh"
. "$(dirname "$0")/planes_lib.sh"
. "$(dirname "$0")/registry_lib.sh"
for program in apt-get python3 curl openssl; do command -v "$program" >/dev/null || skip "no $program"; done
[ "$(id -u)" -eq 0 ] || skip "only root may start a server as another user"
start_postgres
printf 'flow:%s\n' "$(python3 -c 'import crypt; print(crypt.crypt("only-of-this-test", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' 2>/dev/null)" >"$scratch/htpasswd"
start_registry "auth: {htpasswd: {realm: flow, path: $scratch/htpasswd}}"
export NACRE_REGISTRY_AUTH=flow:only-of-this-test NACRE_HTTP_TIMEOUT=10 no_proxy='*'
unset NACRE_FARM_DATABASE
export NACRE_STATE=$postgres_url NACRE_ARTIFACTS=oci://$registry/factory/blobs
asked() { curl -sS --max-time 20 -u "$NACRE_REGISTRY_AUTH" "$@"; }
tags() { asked "http://$registry/v2/factory/blobs/tags/list?n=100000" | python3 -c 'import json, sys; print(*sorted(json.load(sys.stdin)["tags"] or []), sep="\n")'; }

small_os "$scratch/os"
small_package libtiny 1.0 "" 'echo 1.0 >"$d/version"'
small_package tool 2.5 libtiny 'echo tool >"$d/data"; : >"$d/empty"'
small_image tool tool
A=$scratch/a B=$scratch/b

echo "-- A builds and publishes"
plane "$A"
NACRE_REGISTRY_AUTH=flow:wrong what="a wrong password" expect_error 6 "$registry" -- "$NACRE" up --quiet
NACRE_ARTIFACTS=oci://factory what="no repository" expect_error 2 "names no place for blobs" "oci://HOST/REPOSITORY" -- "$NACRE" up --quiet
NACRE_ARTIFACTS=oci://$registry/factory/blobs:1 what="a tag" expect_error 2 "a tag is not part" -- "$NACRE" up --quiet
NACRE_ARTIFACTS=ftp://x what="another scheme" expect_error 2 "begins with neither oci:// nor s3://" -- "$NACRE" up --quiet
check "nacre up" "$NACRE" up --quiet --json || finish
first=$(digest tool)
tags >"$scratch/tags"
[ "$(grep -c '^blob-' "$scratch/tags")" -gt 20 ] && passed "  the blobs are in the registry ($(wc -l <"$scratch/tags") tags)" ||
  fail "the registry has $(wc -l <"$scratch/tags") tags"
same "  nothing waits to go there" "" "$(ls "$A/unshared")"
if grep -rqF only-of-this-test "$A" 2>/dev/null; then fail "the password is below NACRE_HOME"; fi

echo "-- B has nothing but the keys"
joined "$B"
plane "$B"
check "nacre up" "$NACRE" up --quiet --json
same "  builds nothing" "kept:2" "$(made)"
same "  has A's image" "$first" "$(digest tool)"
check "  and its evidence" "$NACRE" verify --quiet tool
small_package libtiny 1.1 "" 'echo 1.1 >"$d/version"'
check "  builds what is new" "$NACRE" up --quiet --json
plane "$A"
same "A sees it" 2 "$(newest_serial)"
check "  with all bytes" "$NACRE" index --quiet --repository "$scratch/repository"

echo "-- the registry's own collector"
docker-registry garbage-collect --delete-untagged "$scratch/registry.yml" >"$scratch/collected" 2>&1 || fail "it ends with an error: $(tail -n 2 "$scratch/collected")"
C=$scratch/c
joined "$C"
plane "$C"
for serial in 1 2; do
  check "  leaves serial $serial whole, as a third machine finds" "$NACRE" index --quiet --serial "$serial" --repository "$scratch/all/$serial"
done
check "  and its images" "$NACRE" image publish --quiet --static "$scratch/static"

echo "-- the registry goes wrong"
plane "$A"
small_package libtiny 3.0 "" 'echo 3.0 >"$d/version"'
NACRE_ARTIFACTS=oci://$registry/factory/other what="another place" expect_error 4 "the blobs of this state are in oci://" -- "$NACRE" up --quiet
kill -STOP "$registry_pid"
NACRE_HTTP_TIMEOUT=1 what="it does not answer" expect_error 5 "$registry" -- "$NACRE" up --quiet
kill -CONT "$registry_pid"
same "  nothing was published" 2 "$(newest_serial)"
check "it answers: the same command goes on" "$NACRE" up --quiet
same "  and publishes" 3 "$(newest_serial)"
hex=$(ask_postgres farm "SELECT value FROM records WHERE kind = 'name/community' AND key = 'libtiny-3.0-r0.$(uname -m)'")
hex=${hex#sha256:}
file=$registry_data/docker/registry/v2/blobs/sha256/${hex:0:2}/$hex/data
same "the registry has the package" "$hex" "$(sha256sum <"$file" | cut -d' ' -f1)"
flip_byte "$file" 100
D=$scratch/d
joined "$D"
plane "$D"
what="  damaged there, it is refused and named" expect_error 6 "blob $hex" -- "$NACRE" index --quiet --repository "$scratch/from-d"
flip_byte "$file" 100
check "  mended" "$NACRE" index --quiet --repository "$scratch/from-d"

echo "-- gc"
printf 'nobody names this' >"$scratch/nobody"
nobody=$(sha256sum "$scratch/nobody" | cut -d' ' -f1)
NACRE_STATE=$postgres_url NACRE_ARTIFACTS=$NACRE_ARTIFACTS python3 - "$registry" "$nobody" <<'END'
import base64, hashlib, json, os, sys, urllib.request
registry, hex_ = sys.argv[1:]
auth = 'Basic ' + base64.b64encode(os.environ['NACRE_REGISTRY_AUTH'].encode()).decode()
def send(method, url, body=b'', kind='application/octet-stream'):
    request = urllib.request.Request(url if '://' in url else f'http://{registry}{url}', body, {'Authorization': auth, 'Content-Type': kind}, method=method)
    return urllib.request.urlopen(request)
place = send('POST', '/v2/factory/blobs/blobs/uploads/').headers['Location']
send('PUT', place + ('&' if '?' in place else '?') + 'digest=sha256:' + hex_, b'nobody names this')
row = lambda kind, digest, size: {'mediaType': kind, 'digest': 'sha256:' + digest, 'size': size}
manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'artifactType': 'application/vnd.nacre.blob.v1',
            'config': row('application/vnd.oci.empty.v1+json', hashlib.sha256(b'{}').hexdigest(), 2), 'layers': [row('application/octet-stream', hex_, 17)]}
send('PUT', f'/v2/factory/blobs/manifests/blob-{hex_}', json.dumps(manifest).encode(), manifest['mediaType'])
END
plane "$B"
count=$(tags | wc -l)
check "gc --days 0" "$NACRE" gc --quiet --days 0 --json
[ "$(json '["sharedBlobs"]' <"$out")" -ge 1 ] && passed "  removed $(json '["sharedBlobs"]' <"$out") of $count" || fail "removed nothing"
tags | grep -q "$nobody" && fail "what nobody names is still there"
E2=$scratch/e
joined "$E2"
plane "$E2"
for serial in 1 2 3; do check "  serial $serial is whole" "$NACRE" index --quiet --serial "$serial" --repository "$scratch/after/$serial"; done
check "  up builds nothing there" "$NACRE" up --quiet --json
same "  but finds all" "kept:2" "$(made)"
finish
