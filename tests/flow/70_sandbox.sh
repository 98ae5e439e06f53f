#!/usr/bin/env bash
# A definition that attacks: the network, the host's files and processes, the signer and its keys, the kernel, and its own provenance.
# The build ends well, so that all that it tried is in its log; every attempt must have failed.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os

secret=$scratch/secret
echo "the secret of the host" >"$secret"
sleep 271.828 &
victim=$!
children+=("$victim")
python3 -c 'import socket, time
server = socket.create_server(("127.0.0.1", 0)); print(server.getsockname()[1], flush=True); time.sleep(600)' >"$scratch/port" &
children+=($!)
abstract=nacre-flow-$$
python3 -c 'import socket, sys, time
server = socket.socket(socket.AF_UNIX); server.bind("\0" + sys.argv[1]); server.listen(); time.sleep(600)' "$abstract" &
children+=($!)
for _ in $(seq 100); do [ ! -s "$scratch/port" ] || break; sleep 0.1; done

# What a shell cannot try: system calls. Exit 0: it could.
mkdir "$NACRE_OS_DIR/packages/flow-hostile"
cat >"$NACRE_OS_DIR/packages/flow-hostile/attack.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int abstract(const char* name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path + 1, name);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return connect(fd, (void*)&address, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

int main(int count, char** words) {
  const char *what = words[1], *word = count > 2 ? words[2] : "";
  struct timespec past = {978307200, 0};
  char bytes[64];
  if (!strcmp(what, "abstract")) return abstract(word) != 0;
  if (!strcmp(what, "name")) return getaddrinfo(word, "80", 0, &(struct addrinfo*){0}) != 0;
  if (!strcmp(what, "raw")) return socket(AF_INET, SOCK_RAW, 1) < 0;
  if (!strcmp(what, "netlink")) return socket(AF_NETLINK, SOCK_RAW, 9) < 0;
  if (!strcmp(what, "mount")) return mount("none", "/mnt", word, 0, 0) != 0;
  if (!strcmp(what, "remount")) return mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0) != 0;
  if (!strcmp(what, "bind")) return mount("/", "/mnt", 0, MS_BIND, 0) != 0;
  if (!strcmp(what, "umount")) return umount2("/proc", MNT_DETACH) != 0;
  if (!strcmp(what, "fsopen")) return syscall(SYS_fsopen, "tmpfs", 0) < 0;
  if (!strcmp(what, "pivot")) return syscall(SYS_pivot_root, "/", "/tmp") != 0;
  if (!strcmp(what, "user")) return unshare(CLONE_NEWUSER) != 0;
  if (!strcmp(what, "space")) return unshare(CLONE_NEWNS) != 0;
  if (!strcmp(what, "net")) return unshare(CLONE_NEWNET) != 0;
  if (!strcmp(what, "enter")) return setns(open("/proc/1/ns/net", O_RDONLY), CLONE_NEWNET) != 0;
  if (!strcmp(what, "device")) return mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)) != 0 || open("/tmp/disk", O_RDONLY) < 0;
  if (!strcmp(what, "dmesg")) return klogctl(3, bytes, sizeof bytes) < 0;
  if (!strcmp(what, "clock")) return clock_settime(CLOCK_REALTIME, &past) != 0;
  if (!strcmp(what, "host")) return sethostname("broken", 6) != 0;
  if (!strcmp(what, "module")) return syscall(SYS_init_module, bytes, 64, "") != 0;
  if (!strcmp(what, "bpf")) return syscall(SYS_bpf, 0, bytes, sizeof bytes) < 0;
  if (!strcmp(what, "keys")) return syscall(SYS_add_key, "user", "x", "y", 1, -5) < 0;
  if (!strcmp(what, "perf")) return syscall(SYS_perf_event_open, bytes, 1, 0, -1, 0) < 0;
  if (!strcmp(what, "handle")) return syscall(SYS_open_by_handle_at, AT_FDCWD, bytes, O_RDONLY) < 0;
  if (!strcmp(what, "ptrace")) return ptrace(PTRACE_ATTACH, atoi(word), 0, 0) != 0;
  if (!strcmp(what, "kill")) return kill(atoi(word), SIGKILL) != 0;
  return 0;  // "control"
}
C
# On the host these succeed, so that failing in the sandbox means something.
reach_port="exec 3<>/dev/tcp/127.0.0.1/$(cat "$scratch/port")"
see_process='cat /proc/[0-9]*/cmdline | tr "\\000" " " | grep -q "271[.]828"'
gcc -w -o "$scratch/attack" "$NACRE_OS_DIR/packages/flow-hostile/attack.c" || skip "no C compiler"
for command in "$reach_port" "$see_process" "cat $secret" "kill -0 $victim" "$scratch/attack abstract $abstract" "$scratch/attack netlink"; do
  check "on the host: ${command//"$scratch"/…}" bash -c "$command"
done

# attempt NAME COMMAND: prints "BROKE NAME" when the command succeeds, else "held NAME".
define flow-hostile <<STEP
mkdir -p \${{targets.destdir}}/usr/share/flow
echo built > \${{targets.destdir}}/usr/share/flow/hostile
gcc -w -o attack attack.c
attempt() { name=\$1; shift; if timeout 5 "\$@" >/tmp/said 2>&1; then echo "BROKE \$name: \$(head -c 200 /tmp/said)"; else echo "held \$name"; fi; }
sh_attempt() { attempt "\$1" bash -c "\$2"; }
sh_attempt 'control: an attempt can succeed' true
attempt 'network: the host on 127.0.0.1' bash -c "$reach_port"
sh_attempt 'network: an outside address' 'exec 3<>/dev/tcp/192.0.2.1/80'
sh_attempt 'network: any interface but lo' 'grep -v -e lo: -e "|" /proc/net/dev'
sh_attempt 'host: the secret by its path' 'cat $secret'
sh_attempt 'host: NACRE_HOME' 'ls $NACRE_HOME'
sh_attempt 'host: the checkout' 'ls $source_root'
sh_attempt 'host: shadow' 'grep -q "^root:[^*!]" /etc/shadow'
sh_attempt 'host: through the root of process 1' 'cat /proc/1/root$secret'
sh_attempt 'host: a device' 'head -c 512 /dev/vda || head -c 512 /dev/sda || head -c 16 /dev/mem'
sh_attempt 'signer: its directory' 'ls $NACRE_HOME/signer'
sh_attempt 'signer: its keys' 'cat $NACRE_HOME/signer/keys/nacre-community-package.pem $NACRE_HOME/signer/keys/community-package.pem'
sh_attempt 'signer: any socket below /' 'find / -xdev -type s | grep .'
attempt 'processes: see it' bash -c '$see_process'
sh_attempt 'kernel: sysrq' 'echo h > /proc/sysrq-trigger'
sh_attempt 'kernel: core pattern' 'echo "|/tmp/x" > /proc/sys/kernel/core_pattern'
sh_attempt 'kernel: host name' 'echo broken > /proc/sys/kernel/hostname'
sh_attempt 'kernel: cgroups' 'mkdir /sys/fs/cgroup/x'
sh_attempt 'setuid: a program of its own' 'cp /bin/id /tmp/id && chown 0:0 /tmp/id && chmod 4755 /tmp/id && chroot --userspec=65534 / /tmp/id -u | grep -qx 0'
sh_attempt 'setuid: capabilities' 'grep -q "CapEff:.*0000003fffffffff\\|CapEff:.*000001ffffffffff" /proc/self/status'
sh_attempt 'setuid: new privileges are possible' 'grep -qx "NoNewPrivs:[[:space:]]*0" /proc/self/status'
sh_attempt 'ptrace: process 1' 'cat /proc/1/mem | head -c 1; head -c 1 /proc/1/environ | grep .'
for what in control 'abstract $abstract' 'name example.org' raw 'mount tmpfs' 'mount proc' 'mount sysfs' remount bind umount fsopen pivot \
  user space net enter device dmesg clock host module bpf keys perf handle 'ptrace 1' 'ptrace $victim' 'kill $victim'; do
  attempt "\$([ "\$what" = control ] && echo control || echo system call): \$what" ./attack \$what
done
for name in flow-hostile-1-r0.apk.intoto.sigstore.json provenance.json; do
  for place in \${{targets.outdir}} \${{targets.destdir}}/.. /home/build /; do
    echo '{"predicate": {"runDetails": {"builder": {"id": "https://example.com/forged"}}}}' > \$place/\$name || true
  done
done 2>/dev/null
STEP

check "the hostile build" "$NACRE" build --quiet --out "$scratch/out-dir" flow-hostile
check "its log" "$NACRE" log --quiet flow-hostile
cp "$out" "$scratch/log"
tried=$(grep -oE '(held|BROKE) (control|network|host|signer|processes|mount|namespace|kernel|setuid|ptrace|system call): .*' "$scratch/log")
same "control: what may succeed does" 2 "$(grep -c '^BROKE control:' <<<"$tried")"
while read -r verdict name; do
  case $verdict-$name in
    BROKE-control:*) ;;
    held-*) passed "failed: $name" ;;
    *) fail "it could: $name" ;;
  esac
done <<<"$tried"
count=$(grep -c '^held' <<<"$tried")
if [ "$count" -ge 45 ]; then passed "$count attempts failed"; else fail "only $count attempts were made and failed"; fi
if kill -0 "$victim" 2>/dev/null; then passed "the host's process lives"; else fail "the host's process is gone"; fi
same "the host's file is as it was" "the secret of the host" "$(cat "$secret")"

echo "-- its provenance"
apk=$scratch/out-dir/flow-hostile-1-r0.apk
says "the forged one is nowhere: the builder is ours" <(python3 -c 'import base64, json, sys
print(base64.b64decode(json.load(open(sys.argv[1]))["dsseEnvelope"]["payload"]).decode())' "$apk.intoto.sigstore.json") "https://nacre.dev/builders/local"
check "the package verifies" "$NACRE" verify --quiet "$apk"
same "and holds only what stands in its own directory" "usr/share/flow/hostile" \
  "$(tar -tvzf "$apk" 2>/dev/null | awk '/^-/ { print $NF }' | grep -v -e '^\.' -e '^var/lib/db/sbom/' | xargs)"
same "one package came out" 1 "$(find "$scratch/out-dir" -name '*.apk' | wc -l)"
if grep -rqs example.com/forged "$scratch/out-dir" "$NACRE_HOME/state.db"; then fail "the forged provenance was taken"; else passed "nothing of the forged one was kept"; fi
finish
