#!/usr/bin/env bash
# Clients that we did not write read what we publish: a second reader of packages, skopeo, umoci, cosign of two Debian suites,
# pyspdxtools and the NTIA checker; and apk, where one is at hand (NACRE_PEER_APK).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_home
for program in skopeo umoci curl openssl; do command -v "$program" >/dev/null || skip "no $program"; done
clone_home home
arch=$(uname -m)

check "repository as a directory" "$NACRE" index --quiet --repository "$scratch/repository" || finish
keys=$scratch/repository/keys packages=$scratch/repository/$arch
mapfile -t apks < <(find "$packages" -name '*.apk' | sort)
check "a second reader reads all ${#apks[@]} packages and the index" \
  python3 "$source_root/tests/conformance/apk_reader.py" "$keys" "$packages/APKINDEX.tar.gz" "${apks[@]}"
apk=$(printf '%s\n' "${apks[@]}" | grep '/zlib-[0-9]')
cp "$apk" "$scratch/changed.apk"
flip_byte "$scratch/changed.apk" $(($(stat -c %s "$apk") / 2))
if python3 "$source_root/tests/conformance/apk_reader.py" "$keys" "$packages/APKINDEX.tar.gz" "$scratch/changed.apk" \
  >"$out" 2>&1; then
  fail "the second reader takes a changed package"
else
  passed "the second reader refuses a changed package: $(tail -n 1 "$out" | cut -c1-100)"
fi

# ---- OCI layout

digest_of() { "$NACRE" serials --quiet --json | json "[-1]['images']" | python3 -c "
import ast, sys
print(next(i['digest'] for i in ast.literal_eval(sys.stdin.read()) if i['name'] == '$1'))"; }
nginx=$(digest_of nginx)
layout=$scratch/layout
check "nginx as an OCI layout" "$NACRE" image publish --quiet --layout "$layout" nginx
check "skopeo inspects it" skopeo inspect "oci:$layout:latest"
same "  skopeo's name of the architecture" "$(python3 -c "print({'x86_64': 'amd64', 'aarch64': 'arm64'}['$arch'])")" \
  "$(json '["Architecture"]' <"$out")"
check "skopeo copies it, every digest checked" skopeo --insecure-policy copy -q --multi-arch all "oci:$layout:latest" \
  "dir:$scratch/copied"
same "  the copy is the same index" "$nginx" "sha256:$(sha256sum "$scratch/copied/manifest.json" | cut -d' ' -f1)"
check "skopeo copies the one for this machine" skopeo --insecure-policy copy -q "oci:$layout:latest" "oci:$scratch/one:latest"
check "umoci unpacks it, every diffID checked" umoci unpack --image "$scratch/one:latest" "$scratch/bundle"
program=$(cd "$scratch/bundle/rootfs" && find . -name nginx -type f -perm -u+x)
same "  its nginx is the package's" \
  "$(tar -xzOf "$(printf '%s\n' "${apks[@]}" | grep '/nginx-[0-9]')" "${program#./}" 2>/dev/null | sha256sum)" \
  "$(sha256sum <"$scratch/bundle/rootfs/$program")"
layer=$(find "$layout/blobs/sha256" -size +100k | head -n 1)
cp -r "$layout" "$scratch/changed"
flip_byte "$scratch/changed/blobs/sha256/$(basename "$layer")" 70000
if skopeo --insecure-policy copy -q --multi-arch all "oci:$scratch/changed:latest" "dir:$scratch/no" >"$out" 2>&1; then
  fail "skopeo takes a layout with a changed byte"
else
  passed "skopeo refuses a changed byte: $(tail -n 1 "$out" | grep -o 'msg=.*' | cut -c1-100)"
fi

# ---- cosign, offline, with the key

start_registry
check "nginx pushed to a registry" "$NACRE" image publish --quiet --registry "$registry" nginx
image=$registry/nacre/nginx
echo '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}' >"$scratch/trusted_root.json"
openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out "$scratch/other.pub" 2>/dev/null

# A manifest with one byte more, under a tag of its own: nobody signed it.
curl -fs -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$registry/v2/nacre/nginx/manifests/latest" -o "$scratch/index.json"
manifest=$(json '["manifests"][0]["digest"]' <"$scratch/index.json")
echo >>"$scratch/index.json"
curl -fs -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary "@$scratch/index.json" \
  "http://$registry/v2/nacre/nginx/manifests/changed" || fail "the registry refuses the changed manifest"

# cosign_says SUITE TEXT no|yes ARGUMENT…: it accepts, or refuses.
cosign_says() {
  local cosign=$tools/cosign-$1/usr/bin/cosign text="cosign of $1 $2" wanted=$3 rc=0
  shift 3
  HOME=$scratch timeout 60 "$cosign" "$@" >"$out" 2>"$err" </dev/null || rc=$?
  if [ "$wanted" = yes ] && [ $rc -ne 0 ] || [ "$wanted" = no ] && [ $rc -eq 0 ]; then
    fail "$text: exit $rc from cosign $*"
    tail -n 10 "$err" | cut -c1-300 | sed 's/^/      /'
  elif [ "$wanted" = no ]; then
    passed "$text: $(tail -n 1 "$err" | cut -c1-110)"
  else
    passed "$text"
  fi
}

ask_cosign() {
  local suite=$1 type file form
  local -a with=(--key "$keys/nacre-community.ecdsa.pub" --insecure-ignore-tlog=true)
  local -a wrong=(--key "$scratch/other.pub" --insecure-ignore-tlog=true)
  local -a remote=(--allow-http-registry=true)
  # cosign 2 takes the legacy form unless it is asked for the new one; cosign 3 the other way round.
  local -a forms=("the form that it writes") bundle=()
  local help
  help=$("$tools/cosign-$suite/usr/bin/cosign" verify-attestation --help 2>&1)
  [[ $help == *--new-bundle-format=false* ]] && forms+=("the new form")
  for form in "${forms[@]}"; do
    if [ "$form" = "the new form" ]; then
      bundle=(--new-bundle-format --trusted-root "$scratch/trusted_root.json")
    else
      cosign_says "$suite" "verifies the image by tag" yes verify "${with[@]}" "${remote[@]}" "$image:latest"
      cosign_says "$suite" "verifies the image by digest" yes verify "${with[@]}" "${remote[@]}" "$image@$nginx"
      cosign_says "$suite" "verifies the manifest" yes verify "${with[@]}" "${remote[@]}" "$image@$manifest"
    fi
    for type in slsaprovenance1 spdxjson cyclonedx; do
      cosign_says "$suite" "verifies $type ($form)" yes verify-attestation "${with[@]}" "${remote[@]}" "${bundle[@]}" \
        --type $type "$image:latest"
      cosign_says "$suite" "refuses $type under another key ($form)" no verify-attestation "${wrong[@]}" "${remote[@]}" \
        "${bundle[@]}" --type $type "$image:latest"
      cosign_says "$suite" "verifies $type of the manifest ($form)" yes verify-attestation "${with[@]}" "${remote[@]}" \
        "${bundle[@]}" --type $type "$image@$manifest"
    done
  done
  cosign_says "$suite" "refuses another key" no verify "${wrong[@]}" "${remote[@]}" "$image:latest"
  # Somebody else signs, too: their signature stands beside ours.
  local -a sign=(--tlog-upload=false)
  help=$("$tools/cosign-$suite/usr/bin/cosign" sign --help 2>&1)
  [[ $help == *--use-signing-config* ]] && sign+=(--use-signing-config=false)
  export COSIGN_PASSWORD=
  (cd "$scratch" && rm -f cosign.key cosign.pub && "$tools/cosign-$suite/usr/bin/cosign" generate-key-pair) >"$out" 2>&1
  cosign_says "$suite" "signs with a key of its own" yes sign -y "${sign[@]}" --key "$scratch/cosign.key" "${remote[@]}" "$image@$nginx"
  cosign_says "$suite" "verifies with that" yes verify --key "$scratch/cosign.pub" --insecure-ignore-tlog=true "${remote[@]}" "$image@$nginx"
  cosign_says "$suite" "verifies with ours as before" yes verify "${with[@]}" "${remote[@]}" "$image@$nginx"
  cosign_says "$suite" "refuses a manifest with one byte more" no verify "${with[@]}" "${remote[@]}" "$image:changed"
  for file in "$apk" "$packages/APKINDEX.tar.gz"; do
    cosign_says "$suite" "verifies the provenance of $(basename "$file")" yes verify-blob-attestation "${with[@]}" "${bundle[@]}" \
      --bundle "$file.intoto.sigstore.json" --type slsaprovenance1 "$file"
  done
  cosign_says "$suite" "refuses a changed package" no verify-blob-attestation "${with[@]}" "${bundle[@]}" \
    --bundle "$apk.intoto.sigstore.json" --type slsaprovenance1 "$scratch/changed.apk"
  python3 - "$apk.intoto.sigstore.json" >"$scratch/forged.json" <<'END'
import base64, json, sys
bundle = json.load(open(sys.argv[1]))
envelope = bundle["dsseEnvelope"]
payload = base64.b64decode(envelope["payload"])
envelope["payload"] = base64.b64encode(payload.replace(b"/local/", b"/l0cal/", 1)).decode()
json.dump(bundle, sys.stdout)
END
  cosign_says "$suite" "refuses provenance with a changed byte" no verify-blob-attestation "${with[@]}" "${bundle[@]}" \
    --bundle "$scratch/forged.json" --type slsaprovenance1 "$apk"
}

for suite in trixie sid; do
  if unpack_deb cosign $suite; then ask_cosign $suite; else absent "cosign of $suite cannot be had"; fi
done

# ---- SBOMs

# sbom FILE WHAT: both checkers take it.
sbom() {
  check "pyspdxtools takes the SBOM of $2" "$tools/sbom/bin/pyspdxtools" -i "$1"
  check "the NTIA checker takes the SBOM of $2" "$tools/sbom/bin/ntia-checker" "$1"
}
if sbom_tools; then
  mkdir "$scratch/sboms"
  python3 - "$layout" "$scratch/sboms" <<'END'
import base64, json, sys
layout, out = sys.argv[1:]
blob = lambda d: json.load(open(f"{layout}/blobs/sha256/{d['digest'][7:]}"))
number = 0
for row in json.load(open(layout + "/index.json"))["manifests"]:
    if row.get("annotations", {}).get("dev.sigstore.bundle.predicateType") == "https://spdx.dev/Document":
        bundle = blob(blob(row)["layers"][0])
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        number += 1
        json.dump(statement["predicate"], open(f"{out}/{number}.spdx.json", "w"))
END
  same "SBOMs of the image: of its index and of its manifest" 2 "$(find "$scratch/sboms" -name '*.json' | wc -l)"
  for file in "$scratch"/sboms/*.json; do sbom "$file" "an image's $(json '["name"]' <"$file" | cut -c1-18)…"; done
  sbom "$packages/APKINDEX.tar.gz.spdx.json" "the repository"
  for name in zlib nginx glibc nacre-baselayout; do sbom "$(find "$packages" -name "$name-[0-9]*.spdx.json")" "$name"; done
  python3 - "$apk.spdx.json" >"$scratch/bad.spdx.json" <<'END'
import json, sys
sbom = json.load(open(sys.argv[1]))
sbom["packages"][0]["SPDXID"] = "SPDXRef_Package"
json.dump(sbom, sys.stdout)
END
  if "$tools/sbom/bin/pyspdxtools" -i "$scratch/bad.spdx.json" >"$out" 2>&1; then
    fail "pyspdxtools takes a wrong SBOM"
  else
    passed "pyspdxtools refuses a wrong SBOM"
  fi
else
  absent "the SBOM checkers cannot be had: $(tail -n 1 "$scratch/pip.log")"
fi

# ---- apk

if [ -x "${NACRE_PEER_APK:-/nonexistent}" ]; then
  start_server
  root=$scratch/root
  mkdir -p "$root/etc/apk/keys"
  curl -fsS -o "$root/etc/apk/keys/nacre-community.rsa.pub" "http://$served/community/keys/nacre-community.rsa.pub"
  echo "http://$served/community" >"$root/etc/apk/repositories"
  check "apk installs nginx from \`nacre serve\`" "$NACRE_PEER_APK" add --root "$root" --initdb --arch "$arch" --no-cache --no-scripts nginx
  check "  and it runs there" chroot "$root" "/$program" -V
  rm "$root/etc/apk/keys/nacre-community.rsa.pub"
  if "$NACRE_PEER_APK" add --root "$root" --no-cache valkey >"$out" 2>&1; then
    fail "apk installs without the key"
  else
    passed "apk refuses the repository without its key: $(grep -m 1 -i untrusted "$out")"
  fi
  stop_server
else
  absent "apk: NACRE_PEER_APK names none"
fi
finish
