#!/usr/bin/env bash
# Images of foreign packages, under the name `apko` and with `nacre image build`: locks, tampering, other forms, a registry.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_home
clone_home home
mkdir "$scratch/bin" "$scratch/work"
ln -s "$(readlink -f "$NACRE")" "$scratch/bin/apko"
apko=$scratch/bin/apko
cd "$scratch/work"

check "stage 0 becomes a repository" "$NACRE" index --quiet --edition stage0 --repository "$scratch/repo"
key=$scratch/repo/keys/nacre-stage0.rsa.pub
cat >base.yaml <<END
contents:
  repositories: [$scratch/repo]
  keyring: [$key]
  packages: [stage0-layout]
environment: {LANG: C.UTF-8}
END
cat >web.yaml <<'END'
include: base.yaml
contents:
  packages: [bash, sed]
entrypoint: {command: /bin/bash}
accounts:
  run-as: app
  groups: [{groupname: app, gid: 1000}]
  users: [{username: app, uid: 1000}]
paths: [{path: /srv/app, type: directory, uid: 1000, gid: 1000, permissions: 0o750}]
archs: [x86_64]
END
mkdir layout

# ---- apko's commands

check "show-config merges what is included" "$apko" show-config web.yaml
says "  with its variables" "$out" "LANG: C.UTF-8"
check "show-packages" "$apko" show-packages web.yaml --format packagelock
says "  names dependencies too" "$out" "- libc"
check "build makes a layout" "$apko" build web.yaml example.org/web:1 layout --vcs=false
check "  and SBOMs" test -s sbom-x86_64.spdx.json -a -s sbom-index.spdx.json
if command -v skopeo >/dev/null; then
  check "skopeo reads it, diff IDs too" skopeo --insecure-policy copy -q --override-arch amd64 oci:layout oci:copied:x
else
  absent "no skopeo"
fi
check "build makes the directory that a / asks for" "$apko" build web.yaml example.org/web:1 made/ --sbom=false --vcs=false
check "  with the same layout" cmp layout/index.json made/index.json
check "build makes an archive" "$apko" build web.yaml example.org/web:1 web.tar --sbom=false --vcs=false
check "  with a tag" sh -c 'tar xOf web.tar manifest.json | grep -q "example.org/web:1-amd64"'
check "an initramfs" "$apko" build-cpio web.yaml root.cpio --build-arch x86_64
if command -v cpio >/dev/null; then
  check "  that cpio reads" sh -c 'cpio -t --quiet <root.cpio | grep -qx usr/bin/bash'
fi
check "dot" "$apko" dot web.yaml
says "  knows what bash needs" "$out" '"bash" ->'

# ---- locks

check "lock" "$apko" lock web.yaml
check "build from the lock alone" "$apko" build web.yaml example.org/web:1 layout --vcs=false --lockfile web.lock.json --locked
# etc/apko.json then has the packages in the order of the lock, as apko writes it: an image of its own.
digest=sha256:$(sha256sum <layout/index.json | cut -d' ' -f1)
check "another store gives it too" env NACRE_HOME="$scratch/other" "$apko" build web.yaml example.org/web:1 layout \
  --vcs=false --lockfile web.lock.json --locked
same "  the same image" "$digest" "sha256:$(sha256sum <layout/index.json | cut -d' ' -f1)"
cp -r "$scratch/repo" "$scratch/changed"
sed "s,$scratch/repo,$scratch/changed,g" web.lock.json >changed.lock.json
sed "s,$scratch/repo,$scratch/changed,g" base.yaml >base.tmp && mv base.tmp base.yaml
"$apko" lock web.yaml --output changed.lock.json >/dev/null 2>&1
package=$(ls "$scratch"/changed/x86_64/sed-*.apk | head -n 1)
size=$(stat -c %s "$package")
for at in 20 700 $((size / 2)) $((size - 4)); do
  cp "$scratch/repo/x86_64/${package##*/}" "$package"
  printf '\xff' | dd of="$package" bs=1 seek="$at" conv=notrunc status=none
  if cmp -s "$package" "$scratch/repo/x86_64/${package##*/}"; then printf '\x00' | dd of="$package" bs=1 seek="$at" conv=notrunc status=none; fi
  env NACRE_HOME="$scratch/third$at" "$apko" build web.yaml x layout --vcs=false --sbom=false --lockfile changed.lock.json \
    --locked >"$out" 2>"$err"
  rc=$?
  if [ "$rc" -ne 0 ]; then passed "a changed byte at $at is refused ($rc)"; else fail "a changed byte at $at was taken"; fi
done
cp "$scratch/repo/x86_64/${package##*/}" "$package"
echo "# changed" >>web.yaml
"$apko" build web.yaml x layout --vcs=false --lockfile changed.lock.json >"$out" 2>"$err"
same "a lock of another definition is refused" 4 "$?"
"$apko" build web.yaml x layout --vcs=false -k /nonexistent.pub >"$out" 2>"$err"
same "a key that is not there is an error" 3 "$?"
sed -i '/keyring/d' base.yaml
"$apko" build web.yaml x layout --vcs=false >"$out" 2>"$err"
same "no key, no image" 6 "$?"
sed -i "s,^contents:,contents:\n  keyring: [$key]," base.yaml

# ---- the packages' own segments

check "nacre image build keeps segments" "$NACRE" image build --quiet --json web.yaml --layout segments
layers=$(python3 -c 'import json, sys; print(len(json.load(sys.stdin)["images"][0]["layers"]))' <"$out")
if [ "$layers" -gt 3 ]; then passed "  in $layers layers"; else fail "only $layers layers"; fi
manifest=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["images"][0]["digest"])' <"$out")
if command -v skopeo >/dev/null; then
  check "  skopeo reads it" skopeo --insecure-policy copy -q --override-arch amd64 oci:segments oci:copied:y
fi
check "few layers: segments are cut, not compressed again" sh -c \
  'echo "layering: {strategy: single}" >>web.yaml && "$0" image build --quiet web.yaml --layout single' "$NACRE"
if command -v skopeo >/dev/null; then
  check "  skopeo reads that" skopeo --insecure-policy copy -q --override-arch amd64 oci:single oci:copied:z
fi
check "export as tar" "$NACRE" image export --quiet "$manifest" root.tar.gz
check "  tar reads it" sh -c 'tar tzf root.tar.gz | grep -qx srv/app/*'
"$NACRE" image diff --quiet "$manifest" "$manifest" >"$out" 2>"$err"
same "an image does not differ from itself" "0 no difference" "$? $(cat "$out")"

# ---- others read what we write

if sbom_tools; then
  check "pyspdxtools reads the image's SBOM" "$tools/sbom/bin/pyspdxtools" -i sbom-x86_64.spdx.json
  check "pyspdxtools reads the index's SBOM" "$tools/sbom/bin/pyspdxtools" -i sbom-index.spdx.json
else
  absent "no spdx-tools: $(tail -n 1 "$scratch/pip.log")"
fi
if command -v docker-registry >/dev/null; then
  start_registry
  check "publish" "$apko" publish web.yaml "$registry/team/web:1" --vcs=false --sbom=false --image-refs refs
  same "  writes references" 2 "$(wc -l <refs)"
  check "  the registry has it" curl -fs -o "$scratch/index" -H 'Accept: application/vnd.oci.image.index.v1+json' \
    "http://$registry/v2/team/web/manifests/1"
else
  absent "no docker-registry"
fi
finish
