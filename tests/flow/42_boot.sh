#!/usr/bin/env bash
# Machines that boot our images: a disk and an initramfs under QEMU, without hardware acceleration. The kernel is Debian's, from
# outside the image (design, decision 10); what loads its modules is tests/flow/boot_helper.c. Within 90 seconds each the image's
# own web server must answer, and its end must turn the machine off.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_home
[ "$(uname -m)" = x86_64 ] || skip "boots x86_64 only"
for program in qemu-system-x86_64 cpio curl gcc; do command -v "$program" >/dev/null || skip "no $program"; done
clone_home home
cd "$scratch" || exit 1

# ---- kernel and modules, from the archive that this machine's apt knows

kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$kernel" ] || skip "apt knows no linux-image-cloud-amd64"
debian=$tools/$kernel
if [ ! -d "$debian" ]; then
  mkdir -p "$tools" deb
  (cd deb && timeout 120 apt-get -qq -o APT::Sandbox::User=root download "$kernel") >"$out" 2>&1 && dpkg -x deb/*.deb unpacked &&
    mv unpacked "$debian" || skip "apt cannot fetch $kernel: $(tail -n 1 "$out")"
fi
vmlinuz=$(echo "$debian"/boot/vmlinuz-*) modules=$(echo "$debian"/lib/modules/*/kernel)
mkdir -p early/boot-modules
number=10
for module in drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_modern_dev \
  drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci net/core/failover drivers/net/net_failover \
  drivers/net/virtio_net drivers/block/virtio_blk lib/libcrc32c fs/erofs/erofs; do
  cp "$modules/$module.ko" "early/boot-modules/$((number++))-$(basename "$module").ko" || skip "no module $module in $kernel"
done
check "the helper that loads modules" gcc -static -O2 -Wall -Werror -o early/boot-helper \
  "$source_root/tests/flow/boot_helper.c" || finish
(cd early && find . | cpio -o -H newc --quiet) >early.cpio

# ---- the image: nginx as it is, and an init

cat >machine.yaml <<'END'
contents:
  packages: [nacre-baselayout, nacre-init, nginx, nginx-config]
entrypoint: {command: "/usr/bin/nginx -g 'daemon off;'"}
stop-signal: SIGQUIT
accounts:
  run-as: 65532
  users: [{username: nonroot, uid: 65532, gid: 65532}]
  groups: [{groupname: nonroot, gid: 65532}]
environment: {PATH: /usr/bin}
volumes: [/var/cache]
archs: [x86_64]
END
check "an image with nacre-init" "$NACRE" image build --quiet --json machine.yaml || finish
image=$(json '["digest"]' <"$out")
check "a disk" "$NACRE" image export --quiet --format disk "$image" machine.img || finish
check "an initramfs" "$NACRE" image export --quiet --format cpio "$image" machine.cpio || finish
sum=$(sha256sum <machine.img)
check "the disk again" "$NACRE" image export --quiet --format disk "$image" machine.img
same "  the same bytes" "$sum" "$(sha256sum <machine.img)"
if command -v sfdisk >/dev/null; then
  check "  sfdisk reads the partition table" sfdisk --verify machine.img
  check "  one partition" sfdisk --json machine.img
  same "    named root" "root" "$(json '["partitiontable"]["partitions"][0]["name"]' <"$out")"
fi
if command -v fsck.erofs >/dev/null; then
  dd if=machine.img of=machine.erofs bs=1M skip=1 status=none
  check "  fsck.erofs reads the partition" fsck.erofs machine.erofs
fi
"$NACRE" image files --quiet "$image" >files
if grep -q stage0 files; then fail "there is something of stage 0 in the image"; else passed "nothing of stage 0 in it"; fi

# boots TEXT INITRD APPEND OPTION…: the server must answer in time.
boots() {
  local what=$1 initrd=$2 append=$3 start=$SECONDS answer= pid port
  shift 3
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  rm -f control
  qemu-system-x86_64 -machine pc,accel=tcg -cpu max -m 256 -nodefaults -no-user-config -display none -no-reboot \
    -serial "file:$scratch/console" -kernel "$vmlinuz" -initrd "$initrd" \
    -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$port-:8080" -device virtio-net-pci,netdev=net \
    -qmp "unix:control,server=on,wait=off" "$@" \
    -append "console=ttyS0 panic=-1 quiet rdinit=/boot-helper nacre.address=10.0.2.15/24 nacre.gateway=10.0.2.2 $append" \
    >"$scratch/qemu.log" 2>&1 </dev/null &
  pid=$!
  children+=("$pid")
  while [ $((SECONDS - start)) -lt 90 ] && kill -0 "$pid" 2>/dev/null; do
    answer=$(curl -s --noproxy '*' --max-time 5 "http://127.0.0.1:$port/") && [ -n "$answer" ] && break
    sleep 0.5
  done
  if grep -q 'Welcome to nginx' <<<"$answer"; then
    passed "$what: the server answers after $((SECONDS - start)) s"
  else
    fail "$what: no answer in $((SECONDS - start)) s; the console:"
    tail -n 20 "$scratch/console" "$scratch/qemu.log" | sed 's/^/      /'
  fi
  says "  started by our init" "$scratch/console" "nacre-init: started /usr/bin/nginx"
  # Ctrl-Alt-Del: the service ends by its own signal, and the machine goes off.
  check "  Ctrl-Alt-Del" python3 -c '
import json, socket, sys
control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
stream = control.makefile("rw")
keys = [{"type": "qcode", "data": name} for name in ("ctrl", "alt", "delete")]
for command in ({"execute": "qmp_capabilities"}, {"execute": "send-key", "arguments": {"keys": keys}}):
    stream.readline()
    stream.write(json.dumps(command) + "\n")
    stream.flush()
print(stream.readline())' control
  for _ in $(seq 60); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.5
  done
  if kill -0 "$pid" 2>/dev/null; then fail "  it does not turn the machine off"; kill "$pid"; else passed "  turns the machine off"; fi
  says "  the service ended well" "$scratch/console" "nacre-init: /usr/bin/nginx ended with 0"
}

boots "disk" early.cpio "root=/dev/vda1" -drive file=machine.img,format=raw,if=virtio,readonly=on
cat machine.cpio early.cpio >whole.cpio
boots "initramfs" whole.cpio ""
finish
