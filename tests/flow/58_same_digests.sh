#!/usr/bin/env bash
# One definition, one lock: the same digests whatever the threads, from an empty store and a full one, in any directory, in both forms
# of layers. No distribution is needed: everything is made here (apk_maker.py).
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
command -v openssl >/dev/null || skip "no openssl"
export PYTHONPATH=$source_root/tests/flow PYTHONDONTWRITEBYTECODE=1
cd "$scratch" || exit 1
ln -s "$(readlink -f "$NACRE")" apko

# 80 packages stand in fewer layers: some alone, some in groups. What the composer does only now and then is here: contents of
# several MiB, equal files in two packages, a replaced file, a folder beneath another package's link, accounts, hard links.
cat >make.py <<'PY'
import random
from apk_maker import *
chance = random.Random(1)
def noise(size):
    return bytes(chance.getrandbits(8) & 0x3f for _ in range(size))
rows = [('usr', tarfile.DIRTYPE, '', b''), ('usr/lib', tarfile.DIRTYPE, '', b''), ('lib', tarfile.SYMTYPE, 'usr/lib', b''),
        ('etc', tarfile.DIRTYPE, '', b''), ('etc/passwd', tarfile.REGTYPE, '', b'root:x:0:0:root:/root:/bin/sh\n'),
        ('etc/group', tarfile.REGTYPE, '', b'root:x:0:\n')]
all_ = [Package('layout', rows=rows),
        Package('linked', files={'lib/linked.so.1': b'beneath a link'}),
        Package('large', files={'usr/share/large': noise(3 << 20)}),
        Package('hard', rows=[('opt', tarfile.DIRTYPE, '', b''), ('opt/one', tarfile.REGTYPE, '', b'one'),
                              ('opt/two', tarfile.LNKTYPE, 'opt/one', b'')]),
        Package('first', files={'usr/share/both': b'equal', 'usr/share/taken': b'old'}),
        Package('second', files={'usr/share/both': b'equal', 'usr/share/taken': b'new'}, replaces=['first'])]
all_ += [Package(f'small{i}', files={f'usr/share/small{i}/{n}': noise(chance.randrange(1, 9000)) for n in range(5)}) for i in range(74)]
make_repository('repo', 'test.rsa', {'x86_64': all_})
with open('names', 'w') as file:
    file.write('\n'.join(p.name for p in all_))
PY
check "80 packages" python3 make.py || finish
define_image() {
  printf 'contents:\n  keyring: [%s/test.rsa.pub]\n  repositories: [%s/repo]\n  packages:\n' "$scratch" "$scratch"
  sed 's/^/    - /; $a\' "$1"
  printf 'archs: [x86_64]\naccounts: {users: [{username: web, uid: 1000}]}\n'
  printf 'paths:\n  - {path: /usr/share/large, type: permissions, uid: 1000, gid: 1000, permissions: 0o640}\n'
}
mkdir one two
define_image names >one/all.yaml
cp one/all.yaml two/
grep -E '^(layout|large|first|second|small[0-4])' names >some
define_image some >one/some.yaml

# image FORM THREADS HOME FOLDER [ARGUMENT …]: the digests of FOLDER/all.yaml's image, layers and all.
image() {
  local form=$1 threads=$2 home=$3 folder=$4 to
  shift 4
  to=$(mktemp -d "$scratch/layout.XXXXXX")
  (cd "$folder" && NACRE_THREADS=$threads NACRE_HOME=$home "$NACRE" image build --quiet all.yaml --layers "$form" --layout "$to" "$@") \
    >"$out" 2>"$err" </dev/null || { fail "image build: $(tail -n 3 "$err")"; return 1; }
  (cd "$to" && sha256sum index.json && find blobs -type f | sort)
}
for form in segments reference; do
  echo "-- layers: $form"
  expected=$(image $form 1 "$scratch/home-$form-1" one)
  # Index, manifest, configuration, a layer.
  [ "$(wc -l <<<"$expected")" -ge 4 ] || fail "too few blobs: $expected"
  for threads in 2 3 7; do
    same "$threads threads, an empty store" "$expected" "$(image $form $threads "$scratch/home-$form-$threads" two)"
  done
  same "again, from a full store" "$expected" "$(image $form 3 "$scratch/home-$form-1" two)"
  # A store that knows the packages and some layers from another image, and composes this one anew.
  check "another image first" env NACRE_HOME="$scratch/part-$form" "$NACRE" image build --quiet one/some.yaml --layers $form
  same "after another image" "$expected" "$(image $form 2 "$scratch/part-$form" one)"
  if [ $form = segments ]; then
    check "a lock" env NACRE_HOME="$scratch/home-$form-1" ./apko lock one/all.yaml --output two/all.lock.json
    locked=$(image $form 1 "$scratch/locked-1" two --lockfile all.lock.json --locked)
    same "its lock, 7 threads, another directory" "$locked" "$(cp two/all.lock.json one/ && image $form 7 "$scratch/locked-7" one --lockfile all.lock.json --locked)"
    same "its lock, from a full store" "$locked" "$(image $form 2 "$scratch/home-$form-1" two --lockfile all.lock.json --locked)"
  fi
done
finish
