#!/usr/bin/env bash
# What was published, served: `nacre serve` with TLS, limits and its log; plain files behind nginx; the pull part of the OCI
# conformance suite, where it can be had.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_home
for program in curl openssl skopeo; do command -v "$program" >/dev/null || skip "no $program"; done
clone_home home
arch=$(uname -m)
export no_proxy='*'
image_digest=$("$NACRE" serials --quiet --json | python3 -c '
import json, sys
print(next(i["digest"] for i in json.load(sys.stdin)[-1]["images"] if i["name"] == "nginx"))')

# serve OPTION…: starts it; $address becomes its host:port, $log what it prints.
serve() {
  log=$scratch/serve.$RANDOM.log
  "$NACRE" serve --quiet --json --port 0 "$@" >"$log" 2>&1 </dev/null &
  serving=$!
  children+=("$serving")
  for _ in $(seq 100); do grep -q port "$log" && break; sleep 0.05; done
  address=127.0.0.1:$(head -n 1 "$log" | json '["port"]')
}
end() { kill "$serving" && wait "$serving" 2>/dev/null; }

# ---- TLS

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$scratch/key.pem" -out "$scratch/chain.pem" 2>/dev/null
serve --tls-certificate "$scratch/chain.pem" --tls-key "$scratch/key.pem"
check "TLS: a client that trusts the certificate" curl -fsS --cacert "$scratch/chain.pem" "https://$address/v2/"
if curl -fs "https://$address/v2/" >"$out" 2>&1; then fail "TLS: a client without it is answered"; else passed "TLS: a client without it refuses"; fi
if curl -fs "http://$address/v2/" >"$out" 2>&1; then fail "TLS: plain HTTP is answered"; else passed "TLS: plain HTTP is not answered"; fi
mkdir "$scratch/trust"
cp "$scratch/chain.pem" "$scratch/trust/ca.crt"
check "TLS: skopeo copies nginx" skopeo --insecure-policy copy -q --src-cert-dir "$scratch/trust" --multi-arch all \
  "docker://$address/nacre/nginx:latest" "dir:$scratch/tls"
same "  with its digest" "$image_digest" "sha256:$(sha256sum "$scratch/tls/manifest.json" | cut -d' ' -f1)"
curl -fsS --cacert "$scratch/chain.pem" "https://$address/" >"$out"
says "  the page says https" "$out" "https://$address/community"
end
what="a certificate without its key" expect_error 2 "TLS needs both" -- "$NACRE" serve --quiet --port 0 --tls-certificate "$scratch/chain.pem"
what="a key that is none" expect_error 2 "does not start with this certificate" -- \
  "$NACRE" serve --quiet --port 0 --tls-certificate "$scratch/chain.pem" --tls-key "$scratch/chain.pem"

# ---- limits and the log

serve --requests-per-second 1 --access-log
codes=$(curl -s -o /dev/null -w '%{http_code}\n' "http://$address/v2/?n=[1-110]" | sort | uniq -c | awk '{ print $2 }' | xargs)
same "a client that asks 110 times at once is told 429 in the end" "200 429" "$codes"
curl -s -A $'a"b\e[31m' -o /dev/null "http://$address/nothing?x=1"
sleep 0.2
check "the log is JSON lines" python3 - "$log" <<'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])][1:]
assert len(rows) == 111, len(rows)
assert rows[0]["method"] == "GET" and rows[0]["target"].startswith("/v2/?n=") and rows[0]["status"] == 200, rows[0]
assert rows[0]["remote"] == "127.0.0.1" and rows[0]["complete"], rows[0]
assert rows[-1]["userAgent"] == 'a"b\x1b[31m', rows[-1]
END
end
"$NACRE" serve --quiet --port 0 --access-log >"$scratch/text.log" 2>&1 </dev/null &
serving=$!
children+=("$serving")
for _ in $(seq 100); do grep -q serving "$scratch/text.log" && break; sleep 0.05; done
address=$(sed -n 's|^serving http://||p' "$scratch/text.log")
curl -s -A $'a"b\e[31m' -o /dev/null "http://$address/nothing?x=1"
sleep 0.2
says "a line for people; what a client sends cannot steer the terminal" "$scratch/text.log" \
  '"GET /nothing?x=1" 404 '
says "  the agent" "$scratch/text.log" '"a\x22b\x1b[31m"'

same "tags/list in pages" '1 </v2/nacre/nginx/tags/list?n=1&last=' "$(curl -s -D "$scratch/head" "http://$address/v2/nacre/nginx/tags/list?n=1" |
  python3 -c 'import json, sys; print(len(json.load(sys.stdin)["tags"]))') $(sed -n 's/^[Ll]ink: \(.*last=\).*/\1/p' "$scratch/head")"
count=$(curl -s "http://$address/v2/nacre/nginx/tags/list" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["tags"]))')
next=/v2/nacre/nginx/tags/list?n=2 seen=0
while [ -n "$next" ]; do
  seen=$((seen + $(curl -s -D "$scratch/head" "http://$address$next" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["tags"]))')))
  next=$(sed -n 's/^[Ll]ink: <\([^>]*\)>.*/\1/p' "$scratch/head")
done
same "  all $count, two at a time" "$count" "$seen"
same "errors have the protocol's codes" "MANIFEST_UNKNOWN BLOB_UNKNOWN NAME_UNKNOWN" "$(for path in nginx/manifests/none \
  "nginx/blobs/sha256:$(printf '%064d' 0)" none/tags/list; do
  curl -s "http://$address/v2/nacre/$path" | json '["errors"][0]["code"]'; done | xargs)"

if oci_conformance; then
  manifest=$(curl -fs "http://$address/v2/nacre/nginx/manifests/latest" | json '["manifests"][0]["digest"]')
  blobs=$(curl -fs "http://$address/v2/nacre/nginx/manifests/$manifest" | python3 -c '
import json, sys
found = json.load(sys.stdin)
print(found["config"]["digest"], *[layer["digest"] for layer in found["layers"]])')
  mkdir "$scratch/conformance"
  (cd "$scratch/conformance" && OCI_RESULTS_DIR=. OCI_REGISTRY=$address OCI_TLS=disabled OCI_REPO1=nacre/nginx \
    OCI_API_PUSH=false OCI_API_BLOBS_DELETE=false OCI_API_MANIFESTS_DELETE=false OCI_API_TAGS_DELETE=false \
    OCI_API_BLOBS_DIGEST_HEADER=true OCI_RO_DATA_TAGS="latest" OCI_RO_DATA_MANIFESTS="$image_digest $manifest" \
    OCI_RO_DATA_BLOBS="$blobs" OCI_RO_DATA_REFERRERS="$image_digest $manifest" "$conformance" \
    >"$scratch/conformance.log" 2>&1)
  says "OCI conformance, pull" "$scratch/conformance.log" "OCI Conformance Result: Pass"
  same "  nothing failed" "0 0" "$(sed -n 's/^  \(FAIL\|Error\)\.\.*: *//p' "$scratch/conformance.log" | xargs)"
else
  absent "the OCI conformance suite: $(tail -n 1 "$scratch/go.log")"
fi
kill "$serving"

# ---- plain files behind nginx

nginx=$(command -v nginx || command -v /usr/sbin/nginx) || { absent "no nginx"; finish; }
site=$scratch/site
check "packages as files" "$NACRE" index --quiet --repository "$site/community"
check "keys as files" "$NACRE" key --quiet --out "$scratch/keys"
check "images as files" "$NACRE" image publish --quiet --static "$site/registry"
stamp=$(find "$site/registry/v2" -type f -printf '%p %T@ %i\n' | sort | sha256sum)
check "  again" "$NACRE" image publish --quiet --static "$site/registry"
same "  nothing is written anew" "$stamp" "$(find "$site/registry/v2" -type f -printf '%p %T@ %i\n' | sort | sha256sum)"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chmod -R a+rX "$site"
{
  echo "pid $scratch/nginx.pid; error_log $scratch/nginx.log; events {} http { access_log off; client_body_temp_path $scratch/body;"
  sed "s/listen 127.0.0.1:8485;/listen 127.0.0.1:$port;/" "$site/registry/nginx.conf"
  echo "server { listen 127.0.0.2:$port; root $site; } }"
} >"$scratch/nginx.conf"
"$nginx" -c "$scratch/nginx.conf" -g 'daemon off; user root;' >"$scratch/nginx.out" 2>&1 </dev/null &
children+=("$!")
for _ in $(seq 100); do curl -fs -o /dev/null "http://127.0.0.1:$port/v2/" && break; sleep 0.05; done
check "nginx: /v2/" curl -fsS "http://127.0.0.1:$port/v2/" || { tail -n 5 "$scratch/nginx.log" "$scratch/nginx.out"; finish; }
check "nginx: skopeo copies nginx" skopeo --insecure-policy copy -q --src-tls-verify=false --multi-arch all \
  "docker://127.0.0.1:$port/nacre/nginx:latest" "dir:$scratch/static"
same "  with its digest" "$image_digest" "sha256:$(sha256sum "$scratch/static/manifest.json" | cut -d' ' -f1)"
check "nginx: skopeo lists the tags" skopeo list-tags --tls-verify=false "docker://127.0.0.1:$port/nacre/nginx"
says "  latest" "$out" '"latest"'
home=$NACRE_HOME
NACRE_HOME=$(mktemp -d "$scratch/client.XXXXXX")
chmod 755 "$NACRE_HOME"
curl -fsS -o "$scratch/APKINDEX.tar.gz" "http://127.0.0.2:$port/community/$arch/APKINDEX.tar.gz" || fail "nginx does not serve the index"
check "nginx: a client verifies nginx through it" "$NACRE" verify --quiet --key-package "$scratch/keys/nacre-community.rsa.pub" \
  --key-attestation "$scratch/keys/nacre-community.ecdsa.pub" --index "$scratch/APKINDEX.tar.gz" "127.0.0.1:$port/nacre/nginx:latest"
NACRE_HOME=$home
missing=0
while IFS=$'\t' read -r key file type; do
  [ -f "$site/registry/$file" ] && [ -n "$key" ] && [ -n "$type" ] || missing=$((missing + 1))
done <"$site/registry/objects.tsv"
same "objects.tsv: each file is there, with key and type" 0 $missing
same "  and each manifest has the type that nginx gives it" "" "$(
  grep $'\tv2/nacre/nginx/manifests/' "$site/registry/objects.tsv" | head -n 5 | while IFS=$'\t' read -r key file type; do
    found=$(curl -s -o /dev/null -w '%{content_type}' "http://127.0.0.1:$port/$key")
    [ "$found" = "$type" ] || echo "$key: $found"
  done)"
finish
