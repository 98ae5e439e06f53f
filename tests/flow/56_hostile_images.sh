#!/usr/bin/env bash
# Packages and indexes that attack whoever makes an image of them. Each ends in an error that names the place, in bounded memory and
# time. No distribution is needed: everything is made here (apk_maker.py).
. "$(dirname "$0")/lib.sh"
own_packages
most_kib=262144  # address space of the program is more; what it touches is not
seconds=60

cat >web.yaml <<'YAML'
contents:
  repositories: [./repo]
  keyring: [./test.rsa.pub]
  packages: [tool]
archs: [x86_64]
YAML

# The program itself, with what it used: its largest memory must stay below $most_kib.
measured() {
  python3 - "$most_kib" "$seconds" "$@" <<'PY'
import os, subprocess, sys, resource
most, seconds, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
try:
    code = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=seconds).returncode
except subprocess.TimeoutExpired:
    print(f'took more than {seconds} s', file=sys.stderr)
    sys.exit(99)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
if used > most:
    print(f'took {used} KiB, more than {most}', file=sys.stderr)
    sys.exit(98)
sys.exit(code)
PY
}
image() { rm -rf home layout; mkdir layout; measured ./apko build web.yaml x layout --vcs=false --sbom=false; }
segments() { rm -rf home; measured "$NACRE" image build --quiet web.yaml; }

# repository SCRIPT: ./repo anew, signed: SCRIPT sets `packages`, or `index` (the unsigned archive).
repository() {
  rm -rf repo
  python3 - "$1" <<'PY'
import sys
from apk_maker import *
D, F, L, H = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
packages, index = [Package('tool', files={'usr/bin/tool': b'tool'})], None
exec(sys.argv[1])
make_repository('repo', 'test.rsa', {'x86_64': packages})
if index is not None:
    write_index('repo', 'x86_64', 'test.rsa', index)
PY
}
attack() {
  local text=$1 code=$2
  shift 2
  what="$text" expect_error "$code" "$@" -- image
}
# In both forms of layers.
both() {
  local text=$1 code=$2
  shift 2
  attack "$text" "$code" "$@"
  what="$text, in segments" expect_error "$code" "$@" -- segments
}

repository ''
check "a repository that is right" image
check "…in segments" segments

echo "-- names in packages"
repository "packages = [Package('tool', rows=[('../../pwned', F, '', b'1')])]"
both "a file above the root" 2 "'..'" "tool"
repository "packages = [Package('tool', rows=[('usr/../../../pwned', F, '', b'1')])]"
both "'..' in the middle" 2 "'..'" "tool"
repository "packages = [Package('tool', rows=[('/etc', D, '', b''), ('/etc/pwned', F, '', b'1')])]"
both "an absolute name" 2 "absolute" "tool"
repository "packages = [Package('tool', rows=[('out', L, '/tmp', b''), ('out/pwned', F, '', b'1')])]"
image >"$out" 2>"$err" && passed "a file through an absolute link: below the root, $(ls -d /tmp/pwned 2>/dev/null || echo nothing outside)" ||
  passed "a file through an absolute link: refused, $(message | head -n 1 | cut -c1-120)"
[ ! -e /tmp/pwned ] || fail "a link led outside"
repository "packages = [Package('tool', rows=[('a', L, 'b', b''), ('b', L, 'a', b''), ('a/x', F, '', b'1')])]"
both "links in a circle" 2 "too many levels of symlinks"
repository "packages = [Package('tool', rows=[('usr', D, '', b''), ('usr/x', H, '/etc/shadow', b'')])]"
both "a hard link to what is not in the package" 2 "usr/x"
repository "packages = [Package('tool', rows=[('x', F, '', b'1'), ('x', F, '', b'2')])]"
both "one name twice" 2 "'x'"
repository "packages = [Package('tool', files={'usr/x': b'1'}), Package('other', files={'usr/x': b'2'})]
packages[0].depends.append('other')"
both "two packages with one name" 4 "usr/x" "tool" "other"
repository "packages = [Package('tool', files={'usr/Makefile': b'1', 'usr/makefile': b'2'})]"
check "names that differ by case alone are two files" image
repository "packages = [Package('tool', rows=[('usr', D, '', b''), ('usr/' + 'x' * 300, F, '', b'1')])]"
both "a name of 300 bytes" 2 "300"
repository "packages = [Package('tool', rows=[('a\\nR:evil', F, '', b'1')])]"
both "a line end in a name" 2 "holds a line end" "tool"

echo "-- kinds of entries"
repository "packages = [Package('tool', rows=[('dev', D, '', b''), ('dev/sda', tarfile.BLKTYPE, '', b'', {'devmajor': 8})])]"
both "a block device" 2 "dev/sda"
repository "packages = [Package('tool', rows=[('pipe', tarfile.FIFOTYPE, '', b'')])]"
both "a pipe" 2 "pipe"
repository "packages = [Package('tool', rows=[('x', b'Z', '', b'')])]"
both "a kind that nobody knows" 2 "'x'"

echo "-- sizes"
repository "packages = [Package('tool', data=gzip.compress(raw_header(b'x', b'-0000000001\\0') + bytes(1024)))]"
attack "a negative size" 2 "tool"
repository "packages = [Package('tool', data=gzip.compress(raw_header(b'x', b'\\xff' * 12) + bytes(1024)))]"
attack "a negative size in base 256" 2 "tool"
repository "packages = [Package('tool', data=gzip.compress(raw_header(b'x', b'\\x80' + b'\\xff' * 11) + bytes(1024)))]"
attack "a size of 2^95" 2 "tool"
repository "packages = [Package('tool', data=gzip.compress(raw_header(b'x', 8 ** 11 - 1) + bytes(1024)))]"
attack "a size of 8 GiB, and 1 KiB of it" 2 "tool"
repository "packages = [Package('tool', data=gzip.compress(raw_header(b'x', 1 << 40 if False else 1, b'x') + b'9' * 512 + bytes(1024)))]"
attack "a PAX record that is none" 2 "tool"

echo "-- too much of everything"
repository "packages = [Package('tool', info=lambda lines: '\\n'.join(lines) + '\\n' + '#' * (256 << 20))]"
attack "256 MiB of .PKGINFO" 2 "inflates to more than"
repository "packages = [Package('tool', info=lambda lines: '\\n'.join(lines) + '\\n' + 'depend = a\\n' * 1500000)]"
check "a million and a half dependencies cost little" image
repository "packages = [Package('tool', data=gzip.compress(raw_header(b'x', 8 ** 11 - 1), 1) + zeros(1 << 30))]"
attack "1 GiB of zeros in 1 MiB that claims to be 8" 2 "tool"
repository "packages = [Package('tool')]
packages[0].bytes = packages[0].bytes[:-20]"
attack "a package that ends early" 6 "tool"
repository "packages = [Package('tool')]
packages[0].bytes += b'more'"
attack "a package with more after it" 2 "tool"
repository "packages = [Package('tool')]
packages[0].bytes += gzip.compress(b'more')"
attack "a package with another gzip member after it" 6 "tool"
repository "packages = [Package('tool')]
packages[0].bytes = b'ADB.' + packages[0].bytes"
attack "apk v3 under the name" 2 "apk v3 packages are not supported" "tool"

echo "-- indexes"
most_kib=655360  # an index may inflate to 300 MiB
repository "index = b'no gzip at all'"
attack "an index that is no archive" 2 "repo"
repository "index = index_of(b'P:tool')[:60]"
attack "an index that ends early" 2 "repo"
repository "index = index_of(b'P:tool\\nV:1\\n\\n')"
attack "a record without checksum" 2 "record has no"
repository "index = index_of(b'P:tool\\nV:1-r0\\nA:x86_64\\nC:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\\nS:-5\\n\\n')"
attack "a negative size" 2 "./repo/x86_64/APKINDEX.tar.gz:5:"
repository "index = index_of(b'P:tool\\nV:1-r0\\nA:x86_64\\nC:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\\nS:99999999999999999999999\\n\\n')"
attack "a size that overflows" 2 "too large"
repository "index = index_of(b'P:../../pwned\\nV:1-r0\\nA:x86_64\\nC:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\\np:tool\\n\\n')"
attack "a name that leads elsewhere" 2 "pwned"
repository "index = index_of(b'P:tool\\nV:1-r0\\nA:x86_64\\nC:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\\nX:new\\n\\n')"
attack "a key that must be understood" 2 "unknown mandatory key 'X'"
repository "index = index_of(b'T:' + b'x' * (200 << 20))"
attack "one line of 200 MiB" 2 "repo"
repository "index = gzip.compress(raw_header(b'APKINDEX', 2 << 30), 1) + zeros((2 << 30) + 1024)"
attack "2 GiB of zeros for an index" 2 "repo"
repository "index = index_of(b''.join(b'C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\\nP:p%d\\nV:1-r0\\nA:x86_64\\n\\n' % i for i in range(1000001)))"
attack "a million records and one" 2 "1000000"
repository "index = gzip.compress(tar([('APKINDEX', F, '', b'', {'pax_headers': {}}), ('../../pwned', F, '', b'x')]), 1)"
attack "another file in the archive of the index" 2 "repo"

echo "-- signatures"
repository ''
flip_byte repo/x86_64/APKINDEX.tar.gz 40
attack "a changed byte of the signature" 2 "gzip member 0 is broken" "repo"
python3 -c "
from apk_maker import *
make_key('other/test.rsa') if os.makedirs('other', exist_ok=True) is None else 0
write_index('repo', 'x86_64', 'other/test.rsa', index_of(Package('tool').record().encode()))"
what="another key of that name" expect_error 6 "does not fit the key" -- image
python3 -c "
from apk_maker import *
open('repo/x86_64/APKINDEX.tar.gz', 'wb').write(index_of(Package('tool').record().encode()))"
what="no signature" expect_error 6 "is not signed" -- image
[ -z "$(find / -maxdepth 2 -name 'pwned*' -not -path '/proc/*' 2>/dev/null)" ] && passed "nothing of it is on the host" || fail "something is on the host"
finish
