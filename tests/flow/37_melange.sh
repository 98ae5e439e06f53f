#!/usr/bin/env bash
# Under the name `melange`: its commands, their files checked with stock tools, and beside the reference where there is one.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
command -v openssl >/dev/null || skip "no openssl"
arch=$(uname -m)
mkdir "$scratch/bin" "$scratch/work" "$scratch/work/src"
ln -s "$(readlink -f "$NACRE")" "$scratch/bin/melange"
melange=$scratch/bin/melange
cd "$scratch/work"

check "stage 0 becomes a repository" "$NACRE" index --quiet --edition stage0 --repository "$scratch/repo"
root=(--repository-append "$scratch/repo" -k "$scratch/repo/keys/nacre-stage0.rsa.pub")

cat >src/hello.c <<'END'
#include <stdio.h>
#include "hello.h"
int main(void) { puts(HELLO); return 0; }
END
echo '#define HELLO "hello from melange"' >src/hello.h
# The definition that bench/build.sh measures, with a header in a subpackage, and tests.
sed 's/trivial-c/hello-m # the name/; s/epoch: 0/epoch: 2/' "$source_root/bench/trivial-c.yaml" >hello.yaml
cat >>hello.yaml <<'END'
      install -Dm644 hello.h ${{targets.destdir}}/usr/include/hello.h
subpackages:
  - name: hello-m-dev
    description: its header
    pipeline:
      - runs: |
          mkdir -p ${{targets.subpkgdir}}/usr
          mv ${{targets.destdir}}/usr/include ${{targets.subpkgdir}}/usr/
    test:
      environment:
        contents:
          packages: [build-base, stage0-layout]
      pipeline:
        - runs: grep -q melange /usr/include/hello.h
test:
  environment:
    contents:
      packages: [build-base, stage0-layout]
  pipeline:
    - runs: test "$(hello)" = "hello from melange"
END

echo "-- keys"
check "keygen" "$melange" keygen local.rsa
check "openssl reads the private key" openssl rsa -in local.rsa -check -noout
same "and it has 4096 bits" "Public-Key: (4096 bit)" "$(openssl rsa -pubin -in local.rsa.pub -text -noout | head -n 1)"
what="keygen again" expect_error 4 "'local.rsa' is there already" -- "$melange" keygen local.rsa

echo "-- build"
build=(build hello.yaml --source-dir src --arch "$arch" --signing-key local.rsa --git-commit "$(printf %040d 7)")
what="no key" expect_error 6 "signed by 'nacre-stage0.rsa.pub', which is not in the keyring" -- \
  "$melange" "${build[@]}" -r "$scratch/repo"
check "build against the repository" "$melange" "${build[@]}" "${root[@]}" -r ./packages -k local.rsa.pub \
  --generate-provenance --dependency-log deps
apk=packages/$arch/hello-m-1.0.0-r2.apk
index=packages/$arch/APKINDEX.tar.gz
same "its files" "$(printf '%s\n' .PKGINFO usr/bin/hello)" \
  "$(tar -tzf "$apk" 2>/dev/null | grep -Ex '\.PKGINFO|usr/bin/hello')"
same "the subpackage's header" usr/include/hello.h "$(tar -tzf "packages/$arch/hello-m-dev-1.0.0-r2.apk" 2>/dev/null | grep -x usr/include/hello.h)"
tar -xzOf "$apk" .PKGINFO >pkginfo 2>/dev/null
for line in 'pkgname = hello-m' 'pkgver = 1.0.0-r2' "commit = $(printf %040d 7)" 'provides = cmd:hello=1.0.0-r2' \
  'depend = so:libc.so.6'; do
  says ".PKGINFO: $line" pkginfo "$line"
done
same "both are in the index" "hello-m hello-m-dev" "$(tar -xzOf "$index" APKINDEX | sed -n 's/^P://p' | xargs)"

# signed FILE: the signature over what follows its first gzip member (a package: over the second) fits local.rsa.pub.
signed() {
  python3 - "$1" "$2" <<'END'
import sys, zlib
data = open(sys.argv[1], 'rb').read()
members, rest = [], data
while rest and len(members) < 2:
    d = zlib.decompressobj(31)
    d.decompress(rest)
    members.append(rest[:len(rest) - len(d.unused_data)])
    rest = d.unused_data
tar = zlib.decompress(members[0], 31)
size = int(tar[124:135], 8)
open('signature', 'wb').write(tar[512:512 + size])
open('signed', 'wb').write(members[1] if sys.argv[2] == 'package' else data[len(members[0]):])
print(tar[:100].rstrip(b'\0').decode())
END
}
same "the package's signature names the key" .SIGN.RSA256.local.rsa.pub "$(signed "$apk" package)"
check "and openssl finds that it fits" openssl dgst -sha256 -verify local.rsa.pub -signature signature signed
same "the index's signature names the key" .SIGN.RSA256.local.rsa.pub "$(signed "$index" index)"
check "and openssl finds that it fits" openssl dgst -sha256 -verify local.rsa.pub -signature signature signed
says "provenance is of no edition of ours" <(tar -xzOf "packages/$arch/hello-m-1.0.0-r2.attest.tar.gz" \
  hello-m-1.0.0-r2.attestation) '"edition":"foreign"'
says "the dependency log" "deps.$arch" '"package":"hello-m"'
same "nothing of it is in an edition" "" "$("$NACRE" index --quiet | grep -o '^hello-m' | head -n 1)"
cp "$apk" first.apk
check "a second build" "$melange" "${build[@]}" "${root[@]}" -r ./packages -k local.rsa.pub
check "gives the same bytes" cmp first.apk "$apk"

echo "-- test"
check "test" "$melange" test hello.yaml --arch "$arch" "${root[@]}" -r ./packages -k local.rsa.pub
says "both tests ran" "$err" "2 tests passed"
sed 's/hello from melange/something else/' hello.yaml >wrong.yaml
what="a test that fails" expect_error 2 "stopped: exit code 1" -- \
  "$melange" test wrong.yaml hello-m --arch "$arch" "${root[@]}" -r ./packages -k local.rsa.pub

echo "-- index, sign"
check "index" "$melange" index -o one.tar.gz "$apk" --signing-key local.rsa
check "index --merge" "$melange" index -m -s one.tar.gz -o two.tar.gz "packages/$arch/hello-m-dev-1.0.0-r2.apk"
same "holds both" "hello-m hello-m-dev" "$(tar -xzOf two.tar.gz APKINDEX | sed -n 's/^P://p' | xargs)"
check "another key" "$melange" keygen other.rsa --key-size 2048
check "sign-index" "$melange" sign-index --signing-key other.rsa two.tar.gz
check "sign-index leaves a signed one" "$melange" sign-index --signing-key local.rsa two.tar.gz
same "as it was" .SIGN.RSA256.other.rsa.pub "$(signed two.tar.gz index)"
check "sign-index --force" "$melange" sign-index -f --signing-key local.rsa two.tar.gz
signed two.tar.gz index >/dev/null
check "signs anew" openssl dgst -sha256 -verify local.rsa.pub -signature signature signed
cp "$apk" signed.apk
check "sign" "$melange" sign -k other.rsa signed.apk
same "replaces the signature" .SIGN.RSA256.other.rsa.pub "$(signed signed.apk package)"
check "which fits" openssl dgst -sha256 -verify other.rsa.pub -signature signature signed
cp -r packages tampered
cp "tampered/$arch/hello-m-dev-1.0.0-r2.apk" "tampered/$arch/hello-m-1.0.0-r2.apk"
mkdir -m 755 "$scratch/newcomer"
what="a package that is not the one of its index" expect_error 6 "hello-m-1.0.0-r2.apk" -- env NACRE_HOME="$scratch/newcomer" \
  "$melange" test hello.yaml hello-m --arch "$arch" "${root[@]}" -r ./tampered -k local.rsa.pub
check "who has the one of the index takes that" "$melange" test hello.yaml hello-m --arch "$arch" "${root[@]}" -r ./tampered -k local.rsa.pub

echo "-- questions"
same "package-version" hello-m-1.0.0-r2 "$("$melange" package-version hello.yaml)"
same "query" "hello-m: hello-m-dev [build-base stage0-layout]" \
  "$("$melange" query hello.yaml '{{ .Package.Name }}: {{ range .Subpackages }}{{ .Name }}{{ end }} {{ .Environment.Contents.Packages }}')"
what="query" expect_error 2 "a Package has no field 'Nmae'" "did you mean 'Name'?" -- \
  "$melange" query hello.yaml '{{ .Package.Nmae }}'
same "compile" hello-m "$("$melange" compile hello.yaml --arch "$arch" | json '["package"]["name"]')"
check "lint" "$melange" lint "$apk"
check "scan finds what the build found" "$melange" scan hello.yaml --arch "$arch" --diff
cp hello.yaml bumped.yaml
check "bump" "$melange" bump bumped.yaml 1.1.0
same "changes version and epoch alone" "$(sed 's/1\.0\.0/1.1.0/; s/epoch: 2/epoch: 0/' hello.yaml)" "$(cat bumped.yaml)"
check "bump to the same version" "$melange" bump bumped.yaml 1.1.0
says "raises the epoch" bumped.yaml "epoch: 1"
what="bump to what is no version" expect_error 2 "'v2' is no version that a definition can have" -- "$melange" bump bumped.yaml v2
check "completion" "$melange" completion bash
what="unknown flag" expect_error 2 "has no flag '--signing-kye'" "did you mean '--signing-key'?" -- \
  "$melange" build hello.yaml --signing-kye local.rsa

echo "-- beside the reference"
if [ -x "${NACRE_PEER_MELANGE:-/nonexistent}" ]; then
  for text in '{{.Package.Name}}-{{len .Subpackages}}' '{{range .Subpackages}}{{.Name}}{{else}}-{{end}} {{.Package.URL}}' \
    '{{if eq .Package.Version "1.0.0"}}{{.Environment.Contents.Packages}}{{end}}{{(index .Package.Copyright 0).License}}'; do
    same "query $text" "$("$NACRE_PEER_MELANGE" query hello.yaml "$text" 2>/dev/null)" "$("$melange" query hello.yaml "$text")"
  done
  same "package-version" "$("$NACRE_PEER_MELANGE" package-version hello.yaml 2>/dev/null)" \
    "$("$melange" package-version hello.yaml)"
  cp first.apk theirs.apk
  check "it signs what we built" "$NACRE_PEER_MELANGE" sign -k other.rsa theirs.apk
  check "it indexes what we built" "$NACRE_PEER_MELANGE" index -o theirs.tar.gz "$apk"
  "$melange" index -o ours.tar.gz "$apk" 2>/dev/null
  same "with the same records" "$(tar -xzOf theirs.tar.gz APKINDEX)" "$(tar -xzOf ours.tar.gz APKINDEX)"
else
  echo "skipped: NACRE_PEER_MELANGE names no reference"
fi
finish
