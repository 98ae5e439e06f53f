#!/usr/bin/env bash
# `nacre watch` asks each kind of feed in its own protocol, here with recorded answers from a local server, and proposes edits
# that keep comments and layout; answers that are no use become notes.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "no python3"
export NACRE_HOME=$scratch/home
mkdir "$NACRE_HOME"
copy_os os tini
rm "$NACRE_OS_DIR"/packages/*.yaml
echo "sources: []" >"$NACRE_OS_DIR/sources.lock"
cat >"$NACRE_OS_DIR/pipelines/git-checkout.yaml" <<'END'
name: Check out
inputs:
  repository: {required: true}
  tag: {}
  expected-commit: {}
pipeline:
  - runs: git clone "${{inputs.repository}}"
END

python3 "$source_root/tests/flow/recorded_feeds.py" >"$scratch/port" 2>"$scratch/feeds.log" </dev/null &
children+=("$!")
for _ in $(seq 100); do [ -s "$scratch/port" ] && break; sleep 0.05; done
base=http://127.0.0.1:$(cat "$scratch/port")
export NACRE_FEED_GITHUB=$base/github NACRE_FEED_RELEASE_MONITOR=$base/monitor NACRE_FEED_PYPI=$base/pypi/simple/
export NACRE_FEED_NPM=$base/npm/ NACRE_FEED_GO=$base/go NACRE_FEED_CRATES=$base/crates/ NACRE_FEED_MAVEN=$base/maven

# digest FILE: of what the server gives for it.
digest() { printf 'the source %s' "$1" | sha256sum | cut -d' ' -f1; }

# tool NAME FILE [UPDATE]: a definition at 1.3.1, written in nobody's layout. FILE is its source's path, with VERSION in it.
tool() {
  local uri=${from:-$base/src}/${2//VERSION/'${{package.version}}'} file
  file=$(basename "${2//VERSION/1.3.1}")
  cat >"$NACRE_OS_DIR/packages/$1.yaml" <<END
# $1: the first line is a comment.

package:
    name: $1     # aligned
    version:   "1.3.1"
    epoch:  7    # raised for a reason
    description:  >-
      A tool that
      is watched
    copyright: [{license: MIT}]


pipeline:
- uses: fetch   # not indented
  with: {uri: "$uri",
         expected-sha256: '$(digest "$file")'}

# Where to look.
update:
  enabled:   true
${3:-}
# The last line, too.
END
  cp "$NACRE_OS_DIR/packages/$1.yaml" "$scratch/$1.before"
}
tool on-releases x/releases-VERSION.tar.gz "  github: {identifier: up/releases-tool, strip-prefix: v}"
tool on-tags x/tags-VERSION.tar.gz "  version-separator: _
  github:
    identifier: up/tags-tool
    strip-prefix: tags_
    tag-filter-prefix: tags_
    use-tag: true"
tool on-monitor x/monitor-VERSION.tar.gz "  release-monitor: {identifier: 42}"
tool on-pypi packages/source/p/py-tool/py_tool-VERSION.tar.gz
tool on-npm @up/node-tool/-/node-tool-VERSION.tgz
# A module's path begins right after the proxy's host.
from=$base tool on-go example.org/Up/gotool/@v/vVERSION.zip
tool on-crates crates/crate-tool/crate-tool-VERSION.crate
tool on-maven maven2/org/up/jar-tool/VERSION/jar-tool-VERSION.jar
tool on-git x/git-VERSION.tar.gz "  git: {strip-prefix: v}"
sed -i "s|^- uses: fetch.*|- {uses: git-checkout, with: {repository: $base/git/tool.git, tag: v1.3.1}}|; /^  with: {uri/,/expected-sha256/d" \
  "$NACRE_OS_DIR/packages/on-git.yaml"
cp "$NACRE_OS_DIR/packages/on-git.yaml" "$scratch/on-git.before"

# row NAME EXPRESSION: of the last `watch --json`, in $scratch/rows.
row() {
  python3 -c '
import json, sys
row = next(r for r in json.load(open(sys.argv[1])) if r["package"] == sys.argv[2])
print(eval(sys.argv[3]))' "$scratch/rows" "$1" "$2"
}

check "watch asks all feeds" "$NACRE" watch --quiet --json
cp "$out" "$scratch/rows"
while read -r name feed to; do
  same "$name: $feed says $to" "$feed $to []" "$(row "$name" 'row["feed"], row.get("proposal", {}).get("to"), row["unreachable"]' |
    tr -d "(),'")"
done <<'END'
on-releases GitHub 1.4.0
on-tags GitHub 1.5
on-monitor release-monitoring 1.7
on-pypi PyPI 1.10
on-npm npm 1.9.0
on-go Go 1.12.0
on-crates crates 1.14.0
on-maven Maven 1.16
on-git git 1.17
END
same "on-git: says what is left to do by hand" "no source's address or tag holds the version" \
  "$(row on-git 'row["proposal"]["problem"]')"
for file in "$NACRE_OS_DIR"/packages/*.yaml; do
  cmp -s "$file" "$scratch/$(basename "$file" .yaml).before" || fail "watch changed $(basename "$file")"
done
passed "watch changed no definition"
check "watch for people" "$NACRE" watch --quiet on-pypi on-npm
says "  one line each" "$out" "1.3.1 -> 1.10  (PyPI)"

rm "$NACRE_OS_DIR/packages/on-git.yaml"
check "watch --write" "$NACRE" watch --quiet --write
for name in on-releases on-tags on-monitor on-pypi on-npm on-go on-crates on-maven; do
  to=$(row "$name" 'row["proposal"]["to"]')
  file=$(sed -n 's|.*uri: ".*/\([^/"]*\)".*|\1|p' "$scratch/$name.before")
  new=$(digest "${file/'${{package.version}}'/$to}")
  same "$name: version, epoch and digest moved, nothing else" \
    "$(sed -e "s/version:   \"1.3.1\"/version:   \"$to\"/" -e 's/epoch:  7 /epoch:  0 /' \
      -e "s/expected-sha256: '[^']*'/expected-sha256: '$new'/" "$scratch/$name.before")" \
    "$(cat "$NACRE_OS_DIR/packages/$name.yaml")"
  grep -q "sha256: $new" "$NACRE_OS_DIR/sources.lock" || fail "$name: its new source is not in sources.lock"
done
check "asked again" "$NACRE" watch --quiet --json
cp "$out" "$scratch/rows"
same "  nothing is newer" "" "$(python3 -c '
import json, sys
print(" ".join(r["package"] for r in json.load(sys.stdin) if "proposal" in r))' <"$out")"
same "  and says so" "at the newest release (PyPI says 1.10)" "$(row on-pypi 'row["note"]')"

# ---- answers that are no use

rm "$NACRE_OS_DIR"/packages/*.yaml
github() { tool "$1" "x/$1-VERSION.tar.gz" "  github: {identifier: up/$1}"; }
for name in broken-html broken-object broken-empty broken-500 broken-404; do github $name; done
tool broken-py packages/source/b/broken-py/broken_py-VERSION.tar.gz
tool broken-crate crates/broken-crate/broken-crate-VERSION.crate
tool broken-maven maven2/org/none/none/VERSION/none-VERSION.jar
tool broken-source x/no-VERSION.tar.gz "  github: {identifier: up/releases-tool, strip-prefix: v}"
sed -i "s|$base/src/x/no-|http://127.0.0.1:1/no-|" "$NACRE_OS_DIR/packages/broken-source.yaml"
tool fine x/fine-VERSION.tar.gz "  github: {identifier: up/releases-tool, strip-prefix: v}"
tool silent x/silent-VERSION.tar.gz "  release-monitor: {identifier: 7}"
NACRE_FEED_RELEASE_MONITOR=http://127.0.0.1:1 check "watch with feeds that answer nonsense" "$NACRE" watch --quiet --json
cp "$out" "$scratch/rows"
while IFS='|' read -r name words; do
  note=$(row "$name" 'row.get("note") or row["proposal"]["problem"]')
  if [[ $note == *"$words"* ]]; then passed "$name: $(tr '\n' ' ' <<<"$note" | cut -c1-150)"; else fail "$name: expected \"$words\" in \"$note\""; fi
done <<'END'
broken-html|GitHub: answer of GitHub:1:1: 
broken-object|GitHub: its answer is no list of releases
broken-empty|GitHub: none of its 0 releases fits the update block
broken-500|GitHub: it answers with status 500
broken-404|GitHub: it does not know this package
broken-py|PyPI: it gives no JSON index
broken-crate|crates: answer of the crates index:1:
broken-maven|Maven: it does not know this package
broken-source|'http://127.0.0.1:1/no-1.4.0.tar.gz' cannot be reached
silent|release-monitoring: it does not answer
END
same "one that is fine is proposed all the same" 1.4.0 "$(row fine 'row["proposal"]["to"]')"
check "watch for people" "$NACRE" watch --quiet broken-object
says "  the note names the feed and its fault" "$out" "GitHub: its answer is no list of releases"
what="a name that is not there" expect_error 3 "no definition 'brokenobject'" "did you mean 'broken-object'" -- "$NACRE" watch --quiet brokenobject
what="writing what cannot be had" expect_error 5 "cannot be reached" -- "$NACRE" watch --quiet --write broken-source
same "  the definition stays" "$(sed "s|$base/src/x/no-|http://127.0.0.1:1/no-|" "$scratch/broken-source.before")" \
  "$(cat "$NACRE_OS_DIR/packages/broken-source.yaml")"
finish
