#!/usr/bin/env bash
# What a definition changes of upstream is counted, has a budget, and leaves by itself once upstream has it: two patches and
# two cherry-picks, one of each taken over by the next release, which a local feed names.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
command -v git >/dev/null || skip "no git"
export NACRE_HOME=$scratch/home
mkdir "$NACRE_HOME"
copy_os os tini
rm "$NACRE_OS_DIR"/packages/*.yaml
rm -f "$NACRE_OS_DIR/delta.yaml"
echo "sources: []" >"$NACRE_OS_DIR/sources.lock"
packages=$NACRE_OS_DIR/packages
export NACRE_FEED_RELEASE_MONITOR=off NACRE_FEED_PYPI=off NACRE_FEED_NPM=off NACRE_FEED_GO=off NACRE_FEED_CRATES=off NACRE_FEED_MAVEN=off
unset NACRE_SOURCE_MIRRORS

# ---- upstream: two releases as archives, the same two as tags; a feed that names them

www=$scratch/www
mkdir -p "$www/src" "$www/github/repos/up/tool"
# release VERSION BODY-OF-SUM: an archive in $www/src.
release() {
  mkdir -p "$scratch/tool-$1/src"
  printf 'int sum(int a, int b)\n{\n  return %s;\n}\n' "$2" >"$scratch/tool-$1/src/sum.c"
  printf 'PREFIX = /usr/local\nall:\n\ttrue\n' >"$scratch/tool-$1/Makefile"
  printf '#!/bin/sh\ncat <<_ACEOF\n  --disable-nls           do not use Native Language Support\n_ACEOF\n' >"$scratch/tool-$1/configure"
  printf 'version %s\n' "$1" >"$scratch/tool-$1/VERSION"
  tar -C "$scratch" --sort=name --mtime=@1700000000 --owner=0 --group=0 -czf "$www/src/tool-$1.tar.gz" "tool-$1"
}
release 1.0 'a - b'
release 1.1 'a + b'
cat >"$www/github/repos/up/tool/tags.json" <<'END'
[{"name": "1.1"}, {"name": "1.0"}]
END
cat >"$scratch/server.py" <<'END'
import http.server, os, sys
os.chdir(sys.argv[1])
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.path = self.path.split("?")[0]
        if self.path.endswith("/tags"):
            self.path += ".json"
        super().do_GET()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
python3 "$scratch/server.py" "$www" >"$scratch/port" 2>/dev/null </dev/null &
children+=("$!")
for _ in $(seq 100); do [ -s "$scratch/port" ] && break; sleep 0.05; done
base=http://127.0.0.1:$(cat "$scratch/port")
export NACRE_FEED_GITHUB=$base/github

mkdir -p "$packages/tool"
cat >"$packages/tool/mends-the-sum.patch" <<'END'
Forwarded: https://example.org/tool/pull/7
--- a/src/sum.c
+++ b/src/sum.c
@@ -1,4 +1,4 @@
 int sum(int a, int b)
 {
-  return a - b;
+  return a + b;
 }
END
cat >"$packages/tool/prefix.patch" <<'END'
Forwarded: not-needed
--- a/Makefile
+++ b/Makefile
@@ -1,3 +1,3 @@
-PREFIX = /usr/local
+PREFIX = /usr
 all:
 	true
END
cp "$packages/tool/prefix.patch" "$packages/tool/forgotten.patch"
{
  version=1.0 head_of tool
  cat <<END
pipeline:
  - uses: fetch
    with:
      uri: $base/src/tool-\${{package.version}}.tar.gz
      expected-sha256: $(sha256sum "$www/src/tool-1.0.tar.gz" | cut -d' ' -f1)

  # What upstream does not have.
  - uses: patch
    with:
      patches: |
        mends-the-sum.patch
        prefix.patch

  - name: More of it
    runs: |
      sed -i 's/version/release/' VERSION
      echo extra > EXTRA

  - uses: autoconf/configure
    with:
      opts: --disable-nls --enable-other

  - runs: mkdir -p \${{targets.destdir}}/usr/share/tool && cp src/sum.c Makefile VERSION \${{targets.destdir}}/usr/share/tool/

update:
  enabled: true
  github: {identifier: up/tool, use-tag: true}
END
} >"$packages/tool.yaml"
cp "$packages/tool.yaml" "$scratch/tool.before"
git -C "$NACRE_OS_DIR" init -q
git -C "$NACRE_OS_DIR" add -A
GIT_COMMITTER_DATE='@1700000000 +0000' git -C "$NACRE_OS_DIR" -c user.name=A -c user.email=a@example.org commit -q -m all

# of EXPRESSION: of the package in the last `nacre delta --json`.
of() { python3 -c 'import json, sys; p = json.load(open(sys.argv[1]))["packages"][0]; print(eval(sys.argv[2]))' "$out" "$1"; }

# ---- counting

check "delta counts" "$NACRE" delta --quiet --json --offline
same "  patches, hunks and lines" "2 2 4" \
  "$(of 'len(p["patches"]), sum(x["hunks"] for x in p["patches"]), sum(x["added"] + x["removed"] for x in p["patches"])' | tr -d '(),')"
same "  where upstream stands" "forwarded, not needed" "$(of '", ".join(x["upstream"] for x in p["patches"])')"
same "  their age, from git" 1700000000 "$(of 'p["patches"][0]["carriedSince"]')"
same "  a patch that nothing names" "forgotten.patch" "$(of '" ".join(p["deadPatches"])')"
same "  edits in place" "sed VERSION" "$(of '" ".join(x["kind"] + " " + x["files"] for x in p["edits"])')"
same "  switches are only stated while the source is not here" "stated stated" "$(of '" ".join(x["verdict"] for x in p["switches"])')"
check "delta asks the feed" "$NACRE" delta --quiet tool
says "  one release behind" "$out" "1.1               1"
says "  the parts, when a package is named" "$out" "patch     mends-the-sum.patch  +1 -1 in 1 hunks, forwarded, "

# ---- budgets

check "no budget, nothing over it" "$NACRE" delta --quiet --offline --check
printf 'defaults: {patches: 1, dead-patches: 0}\n' >"$NACRE_OS_DIR/delta.yaml"
check "without --check it is only said" "$NACRE" delta --quiet --offline
says "  over" "$out" "over its budget: 2 patches, at most 1"
refused 4 "$NACRE" delta --quiet --offline --check && passed "with --check: exit 4"
says "  and what is over" "$out" "over its budget: 1 dead patches, at most 0"
printf 'defaults: {patches: 1}\npackages:\n  tool: {patches: 2}\n' >"$NACRE_OS_DIR/delta.yaml"
what="more, and no reason" expect_error 2 "delta.yaml:3:3: 'tool' has limits of its own and no reason" -- "$NACRE" delta --quiet --offline
printf 'defaults: {patches: 1}\npackages:\n  tool: {patches: 2, reason: both are forwarded}\n' >"$NACRE_OS_DIR/delta.yaml"
check "more, with a reason" "$NACRE" delta --quiet --offline --check

# ---- the next release has one of the two

check "watch" "$NACRE" watch --quiet
says "  says what is dropped, and why" "$out" "drops patch mends-the-sum.patch: 1.1 has it: all 1 hunks fit in reverse, byte for byte"
check "watch --write" "$NACRE" watch --quiet --write --json
same "  as JSON" "patch mends-the-sum.patch" "$(python3 -c '
import json, sys
for d in json.load(sys.stdin)[0]["proposal"]["dropped"]: print(d["kind"], d["name"])' <"$out")"
new=$(sha256sum "$www/src/tool-1.1.tar.gz" | cut -d' ' -f1)
same "  the definition: version, digest, and one patch less" \
  "$(sed -e 's/version: "1.0"/version: "1.1"/' -e "s/expected-sha256: .*/expected-sha256: $new/" -e '/mends-the-sum/d' "$scratch/tool.before")" \
  "$(cat "$packages/tool.yaml")"
same "  its file is gone, the other stays" "forgotten.patch prefix.patch" "$(cd "$packages/tool" && echo *)"
printf 'defaults: {patches: 1, dead-patches: 1}\n' >"$NACRE_OS_DIR/delta.yaml"
check "within the budget of one patch now" "$NACRE" delta --quiet --offline --check --json
same "  the source is here: a switch is judged" "differs stated" "$(of '" ".join(x["verdict"] for x in p["switches"])')"
same "  by upstream's default" yes "$(of 'p["switches"][0]["default"]')"

# ---- a patch that fits neither way

sed -i 's/PREFIX/PREFIXES/' "$packages/tool/prefix.patch"
cp "$scratch/tool.before" "$packages/tool.yaml"
sed -i '/mends-the-sum/d; /- name: More/,/EXTRA/d' "$packages/tool.yaml"
what="a patch that no longer applies" expect_error 5 "'prefix.patch' no longer applies: hunk 1 of 'Makefile' does not fit" -- \
  "$NACRE" watch --quiet --write
says "  the definition stays at its version" "$packages/tool.yaml" 'version: "1.0"'

# ---- cherry-picks by ancestry

repo=$scratch/mirrors/127.0.0.1/up/picked
export NACRE_SOURCE_MIRRORS=$scratch/mirrors
git_in() { GIT_COMMITTER_DATE='@1700000000 +0000' GIT_AUTHOR_DATE='@1700000000 +0000' git -C "$repo" -c user.name=A -c user.email=a@example.org "$@"; }
mkdir -p "$repo"
git_in init -q -b main
commit() { echo "$2" >"$repo/$1" && git_in add -A && git_in commit -q -m "$1" && git_in rev-parse HEAD; }
first=$(commit a 1)
git_in tag 1.0
taken=$(commit b 2)
git_in tag 1.1
git_in checkout -q -b ours "$first"
ours=$(commit c 3)
git_in checkout -q main
rm -r "$packages"/tool*
{
  version=1.0 head_of picked
  cat <<END
pipeline:
  - uses: git-checkout
    with:
      repository: http://127.0.0.1/up/picked.git
      tag: \${{package.version}}
      expected-commit: $first
      cherry-picks: |
        $taken: mends it
        ours/$ours: ours # and stays
  - runs: cp a b c \${{targets.destdir}}/
update:
  enabled: true
  github: {identifier: up/tool, use-tag: true}
END
} >"$packages/picked.yaml"
cp "$packages/picked.yaml" "$scratch/picked.before"
mv "$repo/.git" "$scratch/mirrors/up+picked" && git -C "$scratch/mirrors/up+picked" config core.bare true
check "watch --write moves a tag with picks" "$NACRE" watch --quiet --write
says "  one is upstream's" "$out" "drops pick $taken: it is in the history of 1.1"
same "  the other stays" \
  "$(sed -e 's/version: "1.0"/version: "1.1"/' -e "s/expected-commit: .*/expected-commit: $taken/" -e '/mends it/d' "$scratch/picked.before")" \
  "$(cat "$packages/picked.yaml")"

# ---- a page

check "delta --page" "$NACRE" delta --quiet --offline --page "$scratch/delta.html"
cat >"$scratch/page.py" <<'END'
import html.parser, re, sys
text = open(sys.argv[1]).read()
assert not re.search(r"(src|href)=|<script", text), "it loads something"
open_tags = []
class Parser(html.parser.HTMLParser):
    def handle_starttag(self, tag, _):
        if tag not in ("meta",):
            open_tags.append(tag)
    def handle_startendtag(self, *_):
        pass
    def handle_endtag(self, tag):
        assert open_tags.pop() == tag, tag
Parser().feed(text)
assert not open_tags and "<td>picked</td>" in text and text.count("<svg ") == 8
END
check "  is one well-formed file" python3 "$scratch/page.py" "$scratch/delta.html"

# ---- what preparation does, from trees: needs stage 0

if [ ! -f "$NACRE_TEST_HOME/state.db" ]; then
  passed "trees were not compared: 10_up.sh made no home in $NACRE_TEST_HOME"
  finish
fi
os=$NACRE_OS_DIR
clone_home trees
export NACRE_OS_DIR=$os
unset NACRE_SOURCE_MIRRORS
rm "$packages/picked.yaml"
git -C "$os" checkout -q -- packages
check "delta --trees" "$NACRE" delta --quiet --offline --trees --json tool
same "  files and lines that differ" "EXTRA a +1 -0, Makefile m +1 -1, VERSION m +1 -1, src/sum.c m +1 -1" \
  "$(of '", ".join("{path} {change} +{added} -{removed}".format(**f) for f in p["tree"]["files"])')"
same "  before the first build step" "step 4 (line $(grep -n 'uses: autoconf/configure' "$packages/tool.yaml" | cut -d: -f1)) uses autoconf/configure" "$(of 'p["tree"]["until"]')"
check "asked again, without running anything" "$NACRE" delta --quiet --offline --json
same "  the same" 4 "$(of 'len(p["tree"]["files"])')"
printf 'defaults: {tree-lines: 6}\n' >"$os/delta.yaml"
refused 4 "$NACRE" delta --quiet --offline --check && passed "a budget of lines: exit 4"
says "  and what is over" "$out" "over its budget: 7 lines changed by preparation, at most 6"
sed -i 's/echo extra/echo other/' "$packages/tool.yaml"
check "another recipe" "$NACRE" delta --quiet --offline --json
same "  has no tree yet" False "$(of '"tree" in p')"
finish
