#!/usr/bin/env bash
# Definitions that attack the factory: what went wrong in tools of this family before, and near relatives of it. Each is refused
# with a message that names the place, or does no harm outside its own guest.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
copy_os os
rm -rf "$NACRE_OS_DIR/packages" "$NACRE_OS_DIR/images"
mkdir "$NACRE_OS_DIR/packages" "$NACRE_OS_DIR/images"
secret=$scratch/host-secret
echo 'the secret of the host' >"$secret"
x=$NACRE_OS_DIR/packages/x.yaml

# definition <<END: x.yaml of a definition whose lines after the head come from stdin; the first of them is line 12.
definition() {
  { head_of "${name-x}"
    cat
  } >"$x"
}
# With a step that makes a file, for definitions whose fault is elsewhere.
harmless='pipeline:
  - runs: mkdir -p "${{targets.destdir}}/usr" && echo 1 > "${{targets.destdir}}/usr/x"'
build() { "$NACRE" build --quiet "$x"; }
untouched() {
  local found
  found=$(find "$NACRE_OS_DIR" "$scratch" -maxdepth 2 -name 'pwned*' 2>/dev/null; ls -d /pwned* /tmp/pwned* /home/build 2>/dev/null)
  same "$1: nothing of it is on the host" "" "$found"
}
log_has() { "$NACRE" log x >"$out" 2>&1; says "$1" "$out" "$2"; }

echo "-- names of pipelines"
mkdir "$scratch/outside"
printf 'pipeline:\n  - runs: echo pwned\n' >"$scratch/outside/evil.yaml"
for word in ../../outside/evil /etc/passwd patch/../../../outside/evil ./patch patch// ''; do
  definition <<END
pipeline:
  - uses: "$word"
END
  what="uses '$word'" expect_error 2 'x.yaml:1' -- build
done
ln -s "$scratch/outside/evil.yaml" "$NACRE_OS_DIR/pipelines/link.yaml"
definition <<'END'
pipeline:
  - uses: link
END
what='a pipeline that is a link out of its directory' expect_error 2 'link' -- build
rm "$NACRE_OS_DIR/pipelines/link.yaml"

echo "-- names of packages"
for word in ../../pwned 'a/b' '.hidden' 'a b' $'a\nb' '-x' 'x;touch pwned' '$(touch pwned)'; do
  name=$word
  definition <<<"$harmless"
  what="package name '$word'" expect_error 2 'x.yaml:' -- build
done
name=x
for word in '../1' '1/../../2' '1 2' '1-r0; x' ''; do
  version=$word
  definition <<<"$harmless"
  what="version '$word'" expect_error 2 'x.yaml:' -- build
done
version=1
for word in '../../pwned' 'x/y' '${{range.key}}' '..'; do
  definition <<END
data:
  - name: evil
    items:
      ../../../pwned: 1
subpackages:
  - name: "$word"
    range: evil
    pipeline:
      - runs: "true"
$harmless
END
  what="subpackage name '$word'" expect_error 2 'x.yaml:' -- build
done

echo "-- working directories"
for word in '$(touch /tmp/pwned1)' '`touch /tmp/pwned2`' "'; touch /tmp/pwned3; '" '"; touch /tmp/pwned4; "' 'a b;c'; do
  definition <<END
vars:
  where: |-
    $word
pipeline:
  - runs: pwd
    working-directory: \${{vars.where}}
  - runs: |
      [ ! -e /tmp/pwned1 ] && [ ! -e /tmp/pwned2 ] && [ ! -e /tmp/pwned3 ] && [ ! -e /tmp/pwned4 ] && echo "nothing ran"
      mkdir -p "\${{targets.destdir}}/usr" && echo 1 > "\${{targets.destdir}}/usr/x"
END
  check "working directory $word is a name" build
  log_has "…and nothing else" 'nothing ran'
done
definition <<END
pipeline:
  - runs: pwd; ls
    working-directory: ../../../..
  - runs: |
      cat "$secret" && exit 9
      mkdir -p "\${{targets.destdir}}/usr" && echo 1 > "\${{targets.destdir}}/usr/x"
END
check "a working directory above the workspace stays in the guest" build
untouched "working directories"

echo "-- inputs of built-in pipelines"
definition <<'END'
pipeline:
  - uses: patch
    with:
      patches: "x;touch${IFS}/tmp/pwned1 $(touch /tmp/pwned2) `touch /tmp/pwned3` |touch&&x"
END
what='names of patches' expect_error 2 "step 'patch' of 'x' stopped" -- build
"$NACRE" log x >"$out" 2>&1
if grep -q '^touch: \|pwned.*created' "$out"; then fail "a patch name was run"; else passed "no patch name was run"; fi
definition <<'END'
pipeline:
  - uses: patch
    with:
      patches: |
        a.patch
        NACRE-VALUE
        touch /tmp/pwned
END
what='a value that ends its own quotation' expect_error 2 'x.yaml:15:16' "has a line 'NACRE-VALUE'" -- build
definition <<'END'
pipeline:
  - runs: echo x > a.txt; mkdir d
  - uses: strip
  - uses: fetch
    with:
      uri: "https://h.example/$(touch /tmp/pwned).tar.gz"
      expected-sha256: "0000000000000000000000000000000000000000000000000000000000000000$(touch /tmp/pwned)"
END
what='a digest with more in it' expect_error 2 'x.yaml:18' 'expected-sha256' -- build
definition <<'END'
pipeline:
  - uses: git-checkout
    with:
      repository: "ext::sh -c touch% /tmp/pwned"
      tag: v1
END
what='a repository that is a command' expect_error 3 -- build || true
definition <<'END'
pipeline:
  - uses: git-checkout
    with:
      repository: https://h.example/x
      tag: "--upload-pack=touch /tmp/pwned"
      expected-commit: 0000000000000000000000000000000000000000
END
what='a tag that is an option' expect_error 2 'x.yaml:13:5' "cannot be the name of a tag" -- build
untouched inputs

echo "-- files of the host"
definition <<END
$harmless
END
sed -i "s|license: Apache-2.0|license: Apache-2.0\n      license-path: ../../../../../../../../..$secret|" "$x"
if build >"$out" 2>"$err"; then
  "$NACRE" build --quiet --out "$scratch/license" "$x" >/dev/null 2>&1
  if grep -rq 'secret of the host' "$scratch/license"; then fail 'license-path: a file of the host is in the SBOM'
  else passed 'license-path: no file of the host is in SBOM or package'; fi
else
  passed "license-path: refused, $(message | head -n 1 | cut -c1-140)"
fi
definition <<<"$harmless"
mkdir -p "$NACRE_OS_DIR/packages/x"
ln -s "$secret" "$NACRE_OS_DIR/packages/x/stolen"
ln -s / "$NACRE_OS_DIR/packages/x/root"
sed -i 's%echo 1 >%ls /home/build; cat /home/build/stolen /home/build/root'"$secret"' || true; echo 1 >%' "$x"
check "side files that are links" build
"$NACRE" log x >"$out" 2>&1
if grep -q 'secret of the host' "$out"; then fail 'a link among the side files gave a file of the host'
else passed 'links among side files give nothing of the host'; fi
rm -rf "$NACRE_OS_DIR/packages/x"

echo "-- what steps leave behind"
definition <<END
pipeline:
  - runs: |
      rmdir "\${{targets.destdir}}" && ln -s / "\${{targets.destdir}}"
END
what='an output directory that is a link' expect_error 2 'x' -- build
definition <<END
pipeline:
  - runs: |
      mkdir -p "\${{targets.destdir}}/usr/share"
      ln -s "$secret" "\${{targets.destdir}}/usr/share/file"
      ln -s / "\${{targets.destdir}}/usr/share/root"
      ln -s ../../../../../../../../../..$secret "\${{targets.destdir}}/usr/share/up"
      echo 1 > "\${{targets.destdir}}/usr/share/x"
END
check "links to the host's files are packed as links" "$NACRE" build --quiet --out "$scratch/links" "$x"
if zcat "$scratch"/links/x-1-r0.apk 2>/dev/null | grep -aq 'secret of the host'; then fail 'a link was followed by the packer'
else passed 'no link was followed by the packer'; fi
definition <<END
pipeline:
  - runs: |
      mkdir -p "\${{targets.destdir}}/usr"
      cp /bin/true "\${{targets.destdir}}/usr/x" && chmod 4755 "\${{targets.destdir}}/usr/x"
END
what='a setuid program' expect_error 6 'setuidgid' -- build

echo "-- too much of everything"
{ printf 'x: &a [1]\ny: [*a, *a]\n'; } >"$x"
what='aliases in YAML' expect_error 2 'x.yaml:2' 'aliases are not read' -- build
python3 -c 'print("a: " + "[" * 100000)' >"$x"
what='100,000 lists in lists' expect_error 2 'x.yaml:1' -- build
python3 -c 'print("package:\n  name: " + "x" * (40 << 20))' >"$x"
what='40 MiB of name' expect_error 2 'x.yaml' -- build
printf 'package: \0\377\376\n' >"$x"
what='bytes that are no text' expect_error 2 'x.yaml' -- build
definition <<END
vars:
  a: "${scratch//?/aaaaaaaaaaaaaaaaaaaaaaaa}"
var-transforms:
$(for i in $(seq 40); do printf '  - from: ${{vars.a}}${{vars.a}}\n    match: "^(.*)$"\n    replace: "$1$1"\n    to: a\n'; done)
$harmless
END
what='variables that double 40 times' expect_error 2 'x.yaml:' -- timeout 20 "$NACRE" build --quiet "$x"
definition <<'END'
vars:
  a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!
var-transforms:
  - from: ${{vars.a}}
    match: "^(a+)+$"
    replace: "$1"
    to: b
pipeline:
  - runs: mkdir -p "${{targets.destdir}}/usr" && echo "${{vars.b}}" > "${{targets.destdir}}/usr/x"
END
check 'an expression that is slow elsewhere' timeout 60 "$NACRE" build --quiet "$x"
mkdir -p "$NACRE_OS_DIR/pipelines/loop"
printf 'pipeline:\n  - uses: loop/b\n  - uses: loop/b\n' >"$NACRE_OS_DIR/pipelines/loop/a.yaml"
printf 'pipeline:\n  - uses: loop/a\n  - uses: loop/a\n' >"$NACRE_OS_DIR/pipelines/loop/b.yaml"
definition <<'END'
pipeline:
  - uses: loop/a
END
what='pipelines that use each other' expect_error 2 'deeper than' -- timeout 20 "$NACRE" build --quiet "$x"
definition <<'END'
pipeline:
  - runs: |
      ulimit -u 2>/dev/null; (while :; do sleep 300 & done) 2>/dev/null || true
      echo "too many processes: survived"; exit 7
END
what='processes without end' expect_error 5 'over the limit of 4096 processes' -- timeout 300 "$NACRE" build --quiet "$x"
[ "$(pgrep -cf 'sleep 300' || true)" -lt 100 ] && passed 'none of them is left' || fail 'processes of the guest are left'
# limited RESOURCE QUANTITY SCRIPT: a definition with that limit.
limited() {
  definition <<END
pipeline:
  - runs: $3
END
  sed -i "s|^  epoch: 0|&\n  resources:\n    $1: $2|" "$x"
}
limited memory 64Mi 'head -c 300m /dev/zero | tail >/dev/null'
what='memory without end' expect_error 5 'over the memory limit of 64.0 MiB' '`resources:`' -- timeout 300 "$NACRE" build --quiet "$x"
limited disk 64Mi 'i=0; while :; do i=$((i+1)); head -c 4m /dev/zero >/tmp/$i; done'
what='files without end in /tmp' expect_error 5 'over the disk limit of 64.0 MiB' -- timeout 300 "$NACRE" build --quiet "$x"
limited disk 64Mi 'head -c 300m /dev/zero >/root/large'
what='a large file in the root' expect_error 5 'over the disk limit of 64.0 MiB' -- timeout 300 "$NACRE" build --quiet "$x"
limited disk 64Mi 'head -c 300m /dev/zero >"${{targets.destdir}}/large"'
what='a large file in the output' expect_error 5 'over the disk limit of 64.0 MiB' -- timeout 300 "$NACRE" build --quiet "$x"
limited disk lots 'true'
what='a quantity that is none' expect_error 2 'resources.disk' "'lots'" -- build

echo "-- what a step leaves in place of its output"
definition <<'END'
pipeline:
  - runs: cd /home/build/melange-out; rmdir x; ln -s / x
END
what='a link to the root' expect_error 2 "removed the output directory of 'x'" -- build
definition <<END
subpackages:
  - name: y
    pipeline:
      - runs: mkdir "\${{targets.subpkgdir}}/z"; cd /home/build/melange-out; rm -r y; ln -s $scratch y
$harmless
END
what='a link to a directory of the host' expect_error 2 "removed the output directory of 'y'" -- build

echo "-- packages and repositories of others"
# forged FILE SCRIPT: a package of Python's making: `info` is its .PKGINFO, `entries` (name, type, link, content) its data.
forged() {
  python3 - "$@" <<'END'
import gzip, io, sys, tarfile, hashlib
info, entries = 'pkgname = forged\npkgver = 1-r0\narch = x86_64\nsize = 1\n', []
exec(sys.argv[2])
def archive(rows):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link, content in rows:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mode = kind, link, len(content), 0o644
            if kind == tarfile.REGTYPE: entry.pax_headers = {'APK-TOOLS.checksum.SHA1': hashlib.sha1(content).hexdigest()}
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
data = gzip.compress(archive(entries), 1)
info += 'datahash = ' + hashlib.sha256(data).hexdigest() + '\n'
control = archive([('.PKGINFO', tarfile.REGTYPE, '', info.encode())]).rstrip(b'\0')
control += b'\0' * (-len(control) % 512)
open(sys.argv[1], 'wb').write(gzip.compress(control, 1) + data)
END
}
ln -s "$NACRE" "$scratch/melange"
mkdir "$scratch/lint"
lint() { (cd "$scratch/lint" && timeout 60 "$scratch/melange" lint --persist-lint-results "$scratch/forged.apk"); }
forged "$scratch/forged.apk" 'entries = [("usr/x", b"0", "", b"1")]'
check 'a forged package that is right' lint
forged "$scratch/forged.apk" 'info = info.replace("forged", "../../pwned")'
what='a name that leads elsewhere' expect_error 2 "'../../pwned' is no name" -- lint
forged "$scratch/forged.apk" 'info = info.replace("1-r0", "1/../../pwned-r0")'
what='a version that leads elsewhere' refused 2 lint && passed 'a version that leads elsewhere'
forged "$scratch/forged.apk" "entries = [('a', b'2', '$scratch', b''), ('a/pwned', b'0', '', b'1')]"
what='a file through a link' expect_error 2 "'a'" -- lint
forged "$scratch/forged.apk" "entries = [('../../pwned', b'0', '', b'1')]"
what='a file above the root' expect_error 2 "'..'" -- lint
forged "$scratch/forged.apk" 'info += "#" * (1 << 30)'
what='a GiB of .PKGINFO' expect_error 2 'inflates to more than' -- lint
"$NACRE" index --quiet --edition stage0 --repository "$scratch/repo" >/dev/null
definition <<<"$harmless"
other() {
  (cd "$scratch" && ./melange build "$x" --arch "$(uname -m)" -r "$scratch/repo" -k "$scratch/repo/keys/nacre-stage0.rsa.pub" --out-dir "$scratch/others")
}
check 'a repository that is right' other
make=$(ls "$scratch/repo/$(uname -m)"/make-[0-9]*.apk | head -n 1)
export NACRE_HOME=$scratch/fresh  # the other home has the right bytes already
cp --remove-destination "$scratch/forged.apk" "$make"
forged "$make" 'entries = [("usr/bin/make", b"0", "", b"#!/bin/sh\ntouch /tmp/pwned\n")]; info = info.replace("forged", "make")'
what='another package under the name that the index gives' refused 6 other && passed "$(message | head -n 1 | cut -c1-150)"
untouched "all of it"
finish
