#!/usr/bin/env bash
# A user without any power, with a home of their own: builds, tests and packages give what root's builds give, byte for byte.
. "$(dirname "$0")/lib.sh"
need_home
[ "$(id -u)" -eq 0 ] || skip "needs to become another user"
command -v setpriv >/dev/null || skip "no setpriv"
id=64777
powerless() { setpriv --reuid=$id --regid=$id --clear-groups --bounding-set=-all --inh-caps=-all "$@"; }
powerless unshare -Ur true 2>/dev/null || skip "no user namespaces for users"
powerless test -x "$NACRE" || skip "another user cannot reach $NACRE"

# The user's home: root's stage 0 and keys, and no tree unpacked by root.
clone_home root
user=$scratch/user
mkdir -p "$user"/{trees,partial,quarantine,locks,work}
cp -al "$NACRE_HOME/blobs" "$user/"
cp -a "$NACRE_HOME"/{signer,state.db} "$user/"
find "$user" -type d -exec chown $id:$id {} +
chown -R $id:$id "$user"/{signer,state.db}
copy_os os
rm -rf "$NACRE_OS_DIR/packages" "$NACRE_OS_DIR/images"
mkdir "$NACRE_OS_DIR/packages" "$NACRE_OS_DIR/images" "$scratch/made" "$scratch/work"
chown $id:$id "$scratch/made" "$scratch/work"
as_user() { (cd "$scratch/work" && powerless env HOME="$scratch/work" NACRE_HOME="$user" "$@"); }

# definition NAME RUN-AS: C with a library, a subpackage, setuid bits that go again, what it deletes from the root.
definition() {
  cat >"$scratch/$1.yaml" <<END
package:
  name: $1
  version: "1"
  epoch: 0
  description: Made by a test
  copyright:
    - license: Apache-2.0
  checks:
    disabled: [hardening/cet]
environment:
  contents:
    packages:
      - build-base
$2
pipeline:
  - runs: |
      echo 'int answer(void) { return 42; }' >answer.c
      echo 'int answer(void); int main(void) { return answer() - 42; }' >main.c
      gcc -O2 -shared -fPIC -Wl,-z,now,-z,relro,-soname,lib$1.so.1 -o lib$1.so.1 answer.c
      gcc -O2 -Wl,-z,now -o $1 main.c lib$1.so.1
      LD_LIBRARY_PATH=. ./$1
      install -Dm755 lib$1.so.1 "\${{targets.destdir}}/usr/lib/lib$1.so.1"
      install -Dm755 $1 "\${{targets.destdir}}/usr/bin/$1"
  - runs: |
      [ "\$(id -u)" != 0 ] || { rm -rf /usr/share/doc; mkdir -p /opt/made; }
      umask 027; mkdir -p "\${{targets.destdir}}/etc/$1"; echo private >"\${{targets.destdir}}/etc/$1/conf"
      cd "\${{targets.destdir}}/usr/bin"; ln -s $1 $1-link; ln $1 $1-hard; chmod 4755 $1; chmod 755 $1
subpackages:
  - name: $1-doc
    pipeline:
      - runs: mkdir -p "\${{targets.subpkgdir}}/usr/share/doc/$1"; id -u >"\${{targets.subpkgdir}}/usr/share/doc/$1/id"
test:
  environment:
    contents:
      packages:
        - busybox
  pipeline:
    - runs: |
        $1
        $1-link
        test "\$(stat -c '%u %a' /etc/$1/conf)" = "0 640"
END
}
# unsigned FILE…: digest of what is not the signature: all after the first gzip member.
unsigned() {
  python3 - "$@" <<'END'
import hashlib, sys, zlib
for path in sys.argv[1:]:
    member = zlib.decompressobj(31)
    member.decompress(open(path, 'rb').read())
    print(hashlib.sha256(member.unused_data).hexdigest(), path.split('/')[-1])
END
}
for row in 'plain|' 'other|  accounts:
    run-as: build'; do
  name=${row%%|*}
  definition "$name" "${row#*|}"
  check "$name: a user's build" as_user "$NACRE" build "$scratch/$name.yaml" --out "$scratch/made/user"
  check "$name: root's build" "$NACRE" build "$scratch/$name.yaml" --out "$scratch/made/root"
  same "$name: the packages are equal" "$(unsigned "$scratch"/made/root/"$name"*.apk)" "$(unsigned "$scratch"/made/user/"$name"*.apk)"
  check "$name: the user's package verifies" as_user "$NACRE" verify --quiet "$scratch/made/user/$name-1-r0.apk"
done

# A test wants layout and shell, which are ours, not stage 0's.
check "a user's test" as_user env NACRE_OS_DIR="$source_root/os" "$NACRE" test "$scratch/plain.yaml"
says "  it was run" "$out" "1 tests passed"

definition owners ""
sed -i 's|^      umask 027|      chown 7:7 answer.c\n&|' "$scratch/owners.yaml"
what="a file for another user" expect_error 2 'nacre was not started as root, so all files of a build have one owner' -- \
  as_user "$NACRE" build "$scratch/owners.yaml"
definition small ""
sed -i 's|^package:|&\n  resources:\n    memory: 1Gi\n    disk: 1Mi|; s|^      umask 027|      head -c 8m /dev/zero >big\n&|' "$scratch/small.yaml"
what="a disk limit" expect_error 5 'over the disk limit of 1.0 MiB' -- as_user "$NACRE" build "$scratch/small.yaml"
says "  and no memory limit, which is said" "$err" "no memory limit: "
as_user "$NACRE" doctor >"$out" 2>&1
says "doctor says what a user lacks" "$out" "more than one id in the sandbox"
finish
