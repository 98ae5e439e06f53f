#!/usr/bin/env bash
# Every form of an image, read by programs that we did not write: owners, modes, devices, hard links, setuid, capabilities. Needs
# no distribution: its packages are made here.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
export NACRE_HOME=$scratch/home
command -v python3 >/dev/null && command -v openssl >/dev/null || skip "no python3 or no openssl"
[ "$(id -u)" -eq 0 ] || skip "only root can unpack owners and devices"
cd "$scratch" || exit 1
python3 "$source_root/tests/flow/make_apks.py" "$scratch/repo" || skip "the packages cannot be made"
cat >special.yaml <<END
contents:
  repositories: [$scratch/repo]
  keyring: [$scratch/repo/keys/test.rsa.pub]
  packages: [special, demo]
entrypoint: {command: /usr/bin/demo}
archs: [$(uname -m)]
END
check "an image with everything that a package may hold" "$NACRE" image build --quiet --json special.yaml || finish
image=$(json '["digest"]' <"$out")
check "  its files" "$NACRE" image files --quiet --json "$image"
cp "$out" files.json
rows=$source_root/tests/flow/tree_rows.py

# same_tree TEXT DIR: what was unpacked is what `image files` says, and what the first form gave.
same_tree() {
  check "  $1: every file as \`image files\` has it" python3 "$rows" "$2" files.json || return
  [ -f first.rows ] || cp "$out" first.rows
  same "  $1: the same contents, links, devices and capabilities" "$(cat first.rows)" "$(cat "$out")"
}
# stable FORMAT FILE: a second export gives the same bytes.
stable() {
  local sum
  sum=$(sha256sum <"$2")
  check "$1, again" "$NACRE" image export --quiet --format "$1" "$image" "$2"
  same "  the same bytes" "$sum" "$(sha256sum <"$2")"
}

# ---- tar

check "tar" "$NACRE" image export --quiet "$image" root.tar
mkdir tar
check "  GNU tar reads it" tar -C tar --xattrs --xattrs-include='*' --numeric-owner -xpf root.tar && same_tree tar tar
if command -v bsdtar >/dev/null; then
  mkdir bsdtar
  check "  bsdtar reads it" bsdtar -C bsdtar --numeric-owner -xpf root.tar && same_tree bsdtar bsdtar
else
  absent "no bsdtar"
fi
stable tar root.tar
check "tar.gz" "$NACRE" image export --quiet "$image" root.tar.gz
same "  is the same" "$(sha256sum <root.tar)" "$(gzip -dc root.tar.gz | sha256sum)"

# ---- cpio: it has no room for capabilities

check "cpio" "$NACRE" image export --quiet --format cpio "$image" root.cpio
if command -v cpio >/dev/null; then
  mkdir cpio
  check "  cpio reads it" sh -c 'cd cpio && cpio -i --quiet --make-directories <../root.cpio'
  check "  every file as \`image files\` has it" python3 "$rows" cpio files.json
  same "  the same contents, links and devices" "$(sed 's/"capability": "[0-9a-f]*", //' first.rows)" "$(cat "$out")"
else
  absent "no cpio"
fi
stable cpio root.cpio

# ---- EROFS

check "EROFS" "$NACRE" image export --quiet --format erofs "$image" root.erofs
if command -v fsck.erofs >/dev/null; then
  check "  fsck.erofs finds nothing" fsck.erofs root.erofs
  check "  dump.erofs reads the superblock" dump.erofs -s root.erofs
  says "    with its checksum" "$out" sb_csum
  check "  dump.erofs finds a file" dump.erofs --path=/usr/bin/su root.erofs
  says "    with its permissions" "$out" "Access: 0755/rwxr-xr-x"
else
  absent "no erofs-utils"
fi
mkdir erofs
if mount -t erofs -o loop,ro root.erofs erofs 2>"$err"; then
  cleaners+=("umount '$scratch/erofs'")
  passed "  this machine's kernel mounts it"
  same_tree EROFS erofs
else
  absent "no mount of EROFS here ($(tail -n 1 "$err")): 42_boot.sh has a kernel that can"
fi
stable erofs root.erofs
what="a disk without an init" expect_error 3 "would not start" "add the package nacre-init" -- \
  "$NACRE" image export --quiet --format disk "$image" root.img

# ---- Docker's archive and OCI

check "docker archive" "$NACRE" image export --quiet --format docker --tag example.org/special:1 "$image" docker.tar
check "OCI layout" "$NACRE" image export --quiet --format oci "$image" oci
if command -v skopeo >/dev/null && command -v umoci >/dev/null; then
  goarch=$(python3 -c "import json; print(json.load(open('oci/index.json'))['manifests'][0]['platform']['architecture'])")
  check "  skopeo reads the archive" skopeo --insecure-policy copy -q docker-archive:docker.tar oci:from-docker:x
  check "  skopeo finds the tag" skopeo --insecure-policy inspect "docker-archive:docker.tar:example.org/special:1-$goarch"
  check "  umoci unpacks it" umoci unpack --keep-dirlinks --image from-docker:x docker && same_tree docker docker/rootfs
  check "  skopeo reads the layout" skopeo --insecure-policy copy -q oci:oci oci:from-oci:x
  check "  umoci unpacks it" umoci unpack --keep-dirlinks --image from-oci:x umoci && same_tree OCI umoci/rootfs
else
  absent "no skopeo or no umoci"
fi
mv docker.tar first.tar
check "docker archive, again" "$NACRE" image export --quiet --format docker --tag example.org/special:1 "$image" docker.tar
same "  the same bytes" "$(sha256sum <first.tar)" "$(sha256sum <docker.tar)"
what="an unknown form" expect_error 2 "there is no format 'iso'" "tar, cpio, erofs, disk, docker or oci" -- \
  "$NACRE" image export --quiet --format iso "$image" x
finish
