#!/usr/bin/env bash
# The farm on nacre's real packages and a real feed: zlib is at an older release; Debian's source index is the upstream; the
# newer release goes all the way to images in a registry, and back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
need_home
command -v curl >/dev/null && command -v git >/dev/null && command -v docker-registry >/dev/null || skip "no curl, git or docker-registry"

old=1.3.1
old_sha256=60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb
pool=pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz
archive=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | grep debian | head -n 1)
[ -n "$archive" ] || skip "apt names no Debian archive on this machine"
curl -fsSI --max-time 20 -o /dev/null "${archive%/}/${pool//+/%2B}" 2>/dev/null || skip "Debian's archive does not serve zlib $old now"

clone_home home
copy_os os
export NACRE_FEED_GITHUB=off NACRE_FEED_RELEASE_MONITOR=off NACRE_FEED_DEBIAN_SUITES="forky sid"
zlib=$NACRE_OS_DIR/packages/zlib.yaml
new_sha256=$(sed -n 's/.*expected-sha256: //p' "$zlib")
sed -i -e "s/^  version: .*/  version: $old/" -e "s/$new_sha256/$old_sha256/" "$zlib"
sed -i 's/^  epoch: 0$/  epoch: 1/' "$NACRE_OS_DIR/packages/nginx.yaml"
# Of all upstreams only zlib's is asked: the others' releases are tests of other days.
python3 - "$NACRE_OS_DIR" "$new_sha256" "$old_sha256" "$pool" <<'END'
import pathlib, re, sys
os_dir, new, old, pool = sys.argv[1:]
for file in pathlib.Path(os_dir, "packages").glob("*.yaml"):
    if file.stem != "zlib": file.write_text(re.sub(r"(?m)^(\s*)enabled: true", r"\1enabled: false", file.read_text()))
lock = pathlib.Path(os_dir, "sources.lock")
head, *entries = re.split(r"(?m)^(?=  - file: )", lock.read_text())
entries = [e for e in entries if new not in e]
entries.append(f"""  - file: zlib_1.3.dfsg+really1.3.1.orig.tar.gz
    sha256: {old}
    size: 1325737
    uri: https://zlib.net/zlib-1.3.1.tar.gz
    debian-pool: {pool}
    debian-suites: [trixie]
    repacked: true
    used-by: [zlib]
""")
lock.write_text(head + "".join(entries))
pathlib.Path(os_dir, "farm.yaml").write_text("watch: {every: 1d}\nchannels: {stable: {soak: 0s}}\n")
END

start_registry
farm() { "$NACRE" farm "$@"; }

# The first run sees the distribution at the older release, and zlib's newer one in Debian's index: both go their way, the second
# on top of the first.
check "from upstream's release to pushed images" farm run --quiet --once --json --registry "$registry" || finish
cp "$out" "$scratch/report"
python3 - "$scratch/report" >"$scratch/rows" <<'END'
import json, sys
for change in json.load(open(sys.argv[1]))["changes"]:
    print(change["package"], change["to"], change["state"], change["serial"])
END
to=$(awk '$1 == "zlib" { print $2 }' "$scratch/rows")
same "  a genuine newer release of zlib came all the way" "zlib $to done" "$(awk '$1 == "zlib" { print $1, $2, $3 }' "$scratch/rows")"
says "  main has it" <(git -C "$NACRE_HOME/farm/definitions.git" show main:packages/zlib.yaml) "version: $to"
check "  why" farm why --quiet "$(farm queue --all --quiet --json | json '[-1]["id"]')"
sed 's/^/      /' "$out"
check "  nginx verifies" "$NACRE" verify --quiet nginx
newest=$(pushed nginx latest)
serial=$(newest_serial)
same "  and is what the registry gives" "$newest" "$(pushed nginx "serial-$serial")"
check "stable and edge name it" "$NACRE" farm channel list --quiet --json
same "  both" "edge $serial stable $serial" "$(python3 -c '
import json, sys
print(" ".join("{} {}".format(c["channel"], c["serial"]) for c in json.load(sys.stdin)))' <"$out")"
check "rollback" "$NACRE" rollback --quiet
same "  serial $((serial + 1))" $((serial + 1)) "$(newest_serial)"
finish
