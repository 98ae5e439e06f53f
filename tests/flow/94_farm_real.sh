#!/usr/bin/env bash
# The farm on nacre's real packages and a real feed: zlib is at an older release; Debian's source index is the upstream; the
# newer release goes all the way to images in a registry, and back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/farm_lib.sh"
. "$(dirname "$0")/old_zlib.sh"
need_home
command -v curl >/dev/null && command -v git >/dev/null && command -v docker-registry >/dev/null || skip "no curl, git or docker-registry"
need_old_zlib

clone_home home
copy_os os
export NACRE_FEED_GITHUB=off NACRE_FEED_RELEASE_MONITOR=off NACRE_FEED_DEBIAN_SUITES="forky sid"
set_zlib_back
# Of all upstreams only zlib's is asked: the others' releases are tests of other days.
for file in "$NACRE_OS_DIR"/packages/*.yaml; do
  [ "$file" = "$zlib" ] || sed -i 's/^\( *\)enabled: true/\1enabled: false/' "$file"
done
printf 'watch: {every: 1d}\nchannels: {stable: {soak: 0s}}\n' >"$NACRE_OS_DIR/farm.yaml"

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
