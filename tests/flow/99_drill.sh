#!/usr/bin/env bash
# An emergency rehearsed: `nacre drill` rebuilds, tests, composes and publishes in a copy, and leaves the edition as it was. Its own
# small distribution: three packages of Debian as stage 0, two definitions, one image.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
[ "$(id -u)" -eq 0 ] && command -v python3 >/dev/null || skip "not root, or no python3"
# state: a digest of all records of the home.
state() {
  python3 -c '
import hashlib, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT kind, key, value FROM records ORDER BY 1, 2").fetchall()
print(len(rows), hashlib.sha256(repr(rows).encode()).hexdigest())' "$NACRE_HOME/state.db"
}
export NACRE_HOME=$scratch/home
. "$(dirname "$0")/small_os.sh"
small_os "$scratch/os"
printf 'sources: []\n' >"$NACRE_OS_DIR/sources.lock"
define libtiny <<'END'
mkdir -p "${{targets.destdir}}/usr/share/tiny"
echo "${{package.full-version}}" >"${{targets.destdir}}/usr/share/tiny/version"
END
define tool <<'END'
mkdir -p "${{targets.destdir}}/usr/share/tool"
echo tool >"${{targets.destdir}}/usr/share/tool/data"
END
sed -i 's/^environment:/  dependencies:\n    runtime: [libtiny]\nenvironment:/' "$NACRE_OS_DIR/packages/tool.yaml"
printf 'contents:\n  packages: [tool]\n' >"$NACRE_OS_DIR/images/tool.yaml"
what="nothing published yet" expect_error 3 "edition community has no serial yet" "nacre up" -- "$NACRE" drill --quiet libtiny
"$NACRE" up --quiet >"$out" 2>"$err" || { tail -n 3 "$err"; skip "the small distribution cannot be made: no archive of Debian?"; }
same "a serial" 1 "$(newest_serial)"
before=$(state)
definitions=$(cd "$NACRE_OS_DIR" && find . -type f -exec sha256sum {} + | sort)

check "a drill" "$NACRE" drill --quiet --json libtiny || finish
cp "$out" "$scratch/drill.json"
same "  builds what was touched, and composes the image that has it" "libtiny 1-r1 | libtiny 1-r1 | tool" "$(python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
print(d["package"], d["version"], "|", *d["built"], "|", *d["images"])' "$scratch/drill.json")"
same "  with a time for each stage" "copy plan build test images publish" "$(python3 -c '
import json, sys
print(*json.load(open(sys.argv[1]))["stages"])' "$scratch/drill.json")"
same "the edition is as it was" 1 "$(newest_serial)"
same "  so is its state" "$before" "$(state)"
same "  and the definitions" "$definitions" "$(cd "$NACRE_OS_DIR" && find . -type f -exec sha256sum {} + | sort)"
same "  the copy is gone" "" "$(find "$NACRE_HOME/work" -maxdepth 1 -name 'drill-*')"
check "for people" "$NACRE" drill --quiet --skip-tests libtiny
says "  it says what was done" "$out" "1 built, "

# ---- with a push, to a registry that we did not write

if command -v docker-registry >/dev/null && command -v curl >/dev/null; then
  start_registry
  # there NAME: the digest of a tag.
  there() {
    curl -fsI -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$registry/v2/nacre/tool/manifests/$1" 2>/dev/null |
      tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'
  }
  check "a drill with a push" "$NACRE" drill --quiet --json --push "$registry" libtiny
  cp "$out" "$scratch/drill.json"
  same "  pushed the one image, in a stage of its own" "1 copy plan build test images publish push" "$(python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
print(d["pushed"], *d["stages"])' "$scratch/drill.json")"
  first=$(there serial-2)
  same "  as the serial that the edition does not have" "1 sha256" "$(newest_serial) ${first%%:*}"
  check "  the edition's keys" "$NACRE" key --quiet --out "$scratch/keys"
  check "  and its index" "$NACRE" index --quiet --repository "$scratch/repository"
  # A client with an empty store: all bytes come from the registry. The edition never published this release.
  what="  do not take what was drilled for the edition's own" expect_error 6 libtiny -- env NACRE_HOME="$scratch/client" "$NACRE" verify --quiet \
    --key-package "$scratch/keys/nacre-community.rsa.pub" --key-attestation "$scratch/keys/nacre-community.ecdsa.pub" \
    --index "$scratch/repository/$(uname -m)/APKINDEX.tar.gz" "$registry/nacre/tool:serial-2"
  check "  and it is what the drill built" env NACRE_HOME="$scratch/client" "$NACRE" image export --quiet "$registry/nacre/tool:serial-2" "$scratch/tool.tar"
  same "    with the new release of the library" "1-r1" "$(tar -xOf "$scratch/tool.tar" usr/share/tiny/version)"
  same "the edition is as it was" "$before" "$(state)"
  same "  the copy is gone" "" "$(find "$NACRE_HOME/work" -maxdepth 1 -name 'drill-*')"
  # The copy of the first drill took with it what it knew of the registry.
  check "a second drill" "$NACRE" drill --quiet --json --push "$registry" libtiny
  same "  gives the same image, and nothing breaks" "$first" "$(there serial-2)"
  stopped=$registry
  kill "${children[-1]}" && wait "${children[-1]}" 2>/dev/null
  what="a registry that is gone" expect_error 5 "rehearsing an emergency in 'libtiny'" "$stopped" -- \
    "$NACRE" drill --quiet --push "$stopped" libtiny
  same "  leaves the edition as it was" "$before" "$(state)"
  same "  and no copy" "" "$(find "$NACRE_HOME/work" -maxdepth 1 -name 'drill-*')"
  what="no registry at all" expect_error 2 "is no registry's host" -- "$NACRE" drill --quiet --push nonsense libtiny
else
  absent "no docker-registry or no curl"
fi
what="a slip of the pen" expect_error 3 "no definition 'libtny'" "did you mean 'libtiny'?" -- "$NACRE" drill --quiet libtny
finish
