#!/usr/bin/env bash
# First definitions from real sources: written, refused, and built as they are.
. "$(dirname "$0")/lib.sh"
command -v git >/dev/null || skip "no git"
export NACRE_HOME=$scratch/home
mkdir "$scratch/work"
cd "$scratch/work"

# A small project in a repository with a tag.
project=$scratch/greet
mkdir -p "$project/src"
git init -q "$project" 2>/dev/null
cat >"$project/Makefile" <<'END'
VERSION = 1.4
PREFIX = /usr/local
greet: src/greet.c
	$(CC) $(CFLAGS) -DVERSION='"$(VERSION)"' -o $@ $<
install: greet
	install -Dm755 greet $(DESTDIR)$(PREFIX)/bin/greet
	install -Dm644 greet.1 $(DESTDIR)$(PREFIX)/share/man/man1/greet.1
END
cat >"$project/src/greet.c" <<'END'
#include <stdio.h>
int main(void) { puts("greet " VERSION); return 0; }
END
printf '.TH greet 1\n.SH OPTIONS\n\\-\\-version says the version.\n' >"$project/greet.1"
printf '# greet\n\nA program that greets whoever calls it. And more.\n' >"$project/README.md"
cat >"$project/LICENSE" <<'END'
Permission is hereby granted, free of charge, to any person obtaining a copy, to deal in the Software without restriction,
provided that the above copyright notice and this permission notice are included.
END
git_project() { git -C "$project" -c user.name=t -c user.email=t@example.org "$@"; }
git_project add -A
git_project commit -qm one
git_project tag v1.4
git_project remote add origin 'https://somebody:secret@github.com/example/greet.git'
commit=$(git_project rev-parse HEAD)

check "a checkout becomes a definition" "$NACRE" init --quiet "$project"
cp greet.yaml first.yaml 2>/dev/null
for words in 'version: "1.4"' 'license: MIT' 'description: A program that greets whoever calls it' 'tag: v${{package.version}}' \
  "expected-commit: $commit" 'repository: https://github.com/example/greet.git' 'identifier: example/greet' 'uses: autoconf/make' \
  'opts: PREFIX=/usr' 'uses: split/manpages' 'uses: test/tw/ver-check'; do
  says "it says $words" greet.yaml "$words"
done
if grep -q secret greet.yaml; then fail "a password of the remote came in"; else passed "no password of the remote"; fi
check "it compiles" "$NACRE" compile --quiet greet.yaml
check "nothing is wrong with it" "$NACRE" lint --quiet --strict greet.yaml
check "it is laid out" "$NACRE" fmt --check greet.yaml
what="a file that is there" expect_error 4 "'greet.yaml' is there already" -- "$NACRE" init --quiet "$project"
check "it was left as it was" cmp greet.yaml first.yaml
echo '# mine' >>greet.yaml
check "--force replaces it" "$NACRE" init --quiet --force "$project"
check "with the same" cmp greet.yaml first.yaml
check "--output - prints it" "$NACRE" init --quiet --output - "$project"
cp "$out" printed.yaml
check "which is the same again" cmp printed.yaml first.yaml
check "--json" "$NACRE" init --quiet --json --output other.yaml --name other "$project"
same "what was found, for programs" "other 1.4 make v1.4 other.yaml" \
  "$(python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(j["name"], j["version"], j["build-system"], j["source"]["tag"], j["file"])' "$out")"
git_project commit -q --allow-empty -m two
check "a commit behind the tag" "$NACRE" init --quiet --force "$project"
says "is taken from its branch" greet.yaml "expected-commit: $(git_project rev-parse HEAD)"
check "and compiles" "$NACRE" compile --quiet greet.yaml
tar -C "$scratch" -czf greet-1.4.tar.gz --exclude .git greet
check "an archive of an unknown place" "$NACRE" init --quiet --force --set-version 1.4 greet-1.4.tar.gz
says "says so" greet.yaml "Where the sources are published is not known"

mkdir empty hostile
what="nothing to go by" expect_error 2 "no file of a build system" -- "$NACRE" init --quiet empty
what="no such directory" expect_error 3 "nowhere" -- "$NACRE" init --quiet nowhere
what="no such build system" expect_error 2 "did you mean 'cmake'" -- "$NACRE" init --quiet --build-system cmak "$project"
what="a build system that is not there" expect_error 3 "has no files of the build system cmake" -- "$NACRE" init --quiet --build-system cmake "$project"
what="a library of Go" expect_error 2 "no program in the Go module" -- bash -c "printf 'module example.org/lib\n' >empty/go.mod; '$NACRE' init --quiet empty"

# A tree that means harm.
ln -s /etc/passwd hostile/LICENSE
ln -s / hostile/outside
ln -s . hostile/again
mkfifo hostile/README
head -c 3000000 /dev/zero | tr '\0' 'a' >hostile/CMakeLists.txt
cat >hostile/package.json <<'END'
{"name": "x\"; rm -rf ~; ${{package.name}}\n- uses: fetch", "version": "1.0", "description": "${{vars.none}}: #\n  evil: yes",
 "license": "MIT", "bin": {"$(touch pwned)": "a", "../../escape": "b", "fine": "c"}, "scripts": {"build": "true"}}
END
check "a tree that means harm" timeout 20 "$NACRE" init --quiet --build-system node --output hostile.yaml hostile
check "gives a definition that compiles" "$NACRE" compile --quiet hostile.yaml
if grep -qE 'touch pwned|escape|root:' hostile.yaml; then fail "its words came in: $(grep -E 'pwned|escape|root:' hostile.yaml)"; else passed "of commands and paths nothing came in"; fi
mkdir deep
(cd deep && for _ in $(seq 300); do mkdir d && cd d || exit; done; echo 'project(x)' >CMakeLists.txt)
what="directories without end" expect_error 2 "no file of a build system" -- timeout 20 "$NACRE" init --quiet deep

# Real sources, as they are.
[ -d "${NACRE_SHARED:-/nonexistent}/sources/sha256" ] && [ -f "$NACRE_TEST_HOME/state.db" ] || {
  echo "builds are left out: no sources in NACRE_SHARED, or no home of 10_up.sh"
  finish
}
clone_home built
# build NAME WORD…: `nacre init WORD…`, and `nacre build` of what that gave.
build() {
  local name=$1
  shift
  check "$name: init" "$NACRE" init --quiet --force "$@" || return
  check "$name: lint" "$NACRE" lint --quiet "$name.yaml"
  check "$name: build" "$NACRE" build --quiet "$name.yaml"
}
# source NAME ADDRESS SHA256: the same of a release that upstream publishes at ADDRESS.
source_of() {
  local file=$scratch/work/${2##*/}
  [ -f "$NACRE_SHARED/sources/sha256/$3" ] || { echo "      $1: its source is not here"; return; }
  cp "$NACRE_SHARED/sources/sha256/$3" "$file"
  build "$1" --name "$1" --uri "$2" "$file" && says "$1: its digest" "$1.yaml" "expected-sha256: $3"
}
# By its address, from a directory of mirrors.
sed -i '/greet.1/d' "$project/Makefile"
git_project rm -q greet.1
git_project commit -qam three
git_project tag v1.5
git_project tag r99
git clone -q --bare "$project" "$scratch/mirrors/example+greet" 2>/dev/null
export NACRE_SOURCE_MIRRORS=$scratch/mirrors:$NACRE_SOURCE_MIRRORS
check "greet by its address" "$NACRE" init --quiet --force https://github.com/example/greet
says "greet: the newest tag" greet.yaml 'version: "1.5"'
check "greet: lint" "$NACRE" lint --quiet greet.yaml
# Manuals need a reader and git a package that this distribution does not have: it is built from an archive, without them.
tar -C "$scratch" -czf greet-1.5.tar.gz --exclude .git --transform s/^greet/greet-1.5/ greet
build greet --uri https://example.org/greet-1.5.tar.gz greet-1.5.tar.gz
check "greet: its test" "$NACRE" test --quiet greet.yaml
source_of zlib https://zlib.net/zlib-1.3.2.tar.gz 7b6903eb019983987b7112eccf90f1703f1c6c0e0cede36564bf611d19ca579d
source_of pkgconf https://distfiles.ariadne.space/pkgconf/pkgconf-1.8.1.tar.xz 644361ada2942be05655d4452eb018791647c31bba429b287f1f68deb2dc6840
finish
