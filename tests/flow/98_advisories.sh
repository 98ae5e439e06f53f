#!/usr/bin/env bash
# Advisories beside the definitions, scanning against OSV records on disk, the gate, closing, feeds and figures. Needs no
# distribution and no network.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null && command -v openssl >/dev/null || skip "no python3 or no openssl"
export NACRE_HOME=$scratch/home NACRE_OS_DIR=$scratch/os
unset NACRE_OSV NACRE_FEED_PYPI
mkdir -p "$NACRE_OS_DIR/packages" "$scratch/osv/deep"
version=1.0 define demo <<'END'
mkdir -p "$MELANGE_OUT"
END
documents=$NACRE_OS_DIR/advisories

# ---- a package that names its source, and holds a Python package and a jar
python3 - "$source_root/tests/flow" "$scratch" <<'END' || skip "the package cannot be made"
import io, json, sys, zipfile
sys.path.insert(0, sys.argv[1])
from apk_maker import Package
scratch = sys.argv[2]
def sbom(version):
    return json.dumps({"packages": [{"externalRefs": [{"referenceType": "purl", "referenceLocator": locator}]} for locator in (
        f"pkg:apk/nacre/demo@{version}-r0?arch=x86_64", f"pkg:github/Example/demo@v{version}")]}).encode()
def jar():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/maven/org.example/thing/pom.properties", "groupId=org.example\nartifactId=thing\nversion=2.1\n")
    return out.getvalue()
for version in ("1.0", "1.1"):
    made = Package("demo", f"{version}-r0", files={
        f"var/lib/db/sbom/demo-{version}-r0.spdx.json": sbom(version),
        "usr/lib/python3/site-packages/Some_Thing-1.5.dist-info/METADATA": b"Metadata-Version: 2.1\nName: Some_Thing\nVersion: 1.5\n",
        "usr/share/java/thing.jar": jar(),
        "usr/share/java/broken.jar": b"PK\x03\x04 no jar",
    })
    open(f"{scratch}/demo-{version}-r0.apk", "wb").write(made.bytes)
def record(name, affected, **more):
    row = {"id": name, "modified": "2026-11-01T00:00:00Z", "affected": [affected], **more}
    json.dump(row, open(f"{scratch}/osv/deep/{name}.json", "w"))
git = {"ranges": [{"type": "GIT", "repo": "https://github.com/example/demo.git", "events": [{"introduced": "0"}, {"fixed": "a" * 40}]}],
       "versions": ["v0.9", "v1.0"]}
record("CVE-2026-0001", git, severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}])
record("GHSA-2222-3333-4444", {"package": {"ecosystem": "PyPI", "name": "some-thing"}, "ranges": [
    {"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "1.6rc1"}]}]}, aliases=["CVE-2026-0002"],
    database_specific={"severity": "MODERATE"})
record("GHSA-5555-6666-7777", {"package": {"ecosystem": "Maven", "name": "org.example:thing"}, "ranges": [
    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "2.0"}]}]})
record("X-1", {"package": {"ecosystem": "PyPI", "name": "some-thing"}, "ranges": [
    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "not a version"}]}]})
END

# ---- scan
what="no data" expect_error 3 "no data on vulnerabilities is named" "--osv" -- "$NACRE" scan --quiet "$scratch/demo-1.0-r0.apk"
check "a package is scanned" "$NACRE" scan --quiet --json --osv "$scratch/osv" "$scratch/demo-1.0-r0.apk"
cp "$out" "$scratch/before.json"
same "  what was found" "CVE-2026-0001 github.com/example/demo v1.0 - high True
CVE-2026-0002 some-thing 1.5 1.6rc1 medium True
X-1 some-thing 1.5 -  False" "$(python3 -c '
import json, sys
for row in json.load(open(sys.argv[1]))["findings"]:
    print(row["vulnerability"], row["component"]["name"], row["component"]["version"], row["fixed"] or "-", row["severity"], row["sure"])
' "$scratch/before.json")"
says "  the date of the data" "$scratch/before.json" '"dataDate": "2026-11-01T00:00:00Z"'
says "  what could not be read" "$scratch/before.json" "usr/share/java/broken.jar: "
says "  what cannot be compared" "$scratch/before.json" "'not a version' in its range is no PEP 440 version"
echo '{' >"$scratch/osv/cut-off.json"
check "a record that was cut off" "$NACRE" scan --osv "$scratch/osv" "$scratch/demo-1.0-r0.apk"
says "  is no silence" "$err" "1 JSON files are no OSV records: nothing in them was looked at"
rm "$scratch/osv/cut-off.json"
check "what would be looked up" "$NACRE" scan --quiet --components "$scratch/demo-1.0-r0.apk"
says "  a jar's" "$out" "Maven      org.example:thing 2.1  usr/share/java/thing.jar"
refused 1 "$NACRE" scan --quiet --osv "$scratch/osv" --fail-on fixable --max-age 0 "$scratch/demo-1.0-r0.apk" &&
  says "the gate refuses what has a fix" "$out" "breach: demo 1.0-r0 has CVE-2026-0002 (some-thing 1.5, medium), fixed in 1.6rc1"
check "  and not what has none, or is less" "$NACRE" scan --quiet --osv "$scratch/osv" --fail-on fixable --severity high --max-age 0 "$scratch/demo-1.0-r0.apk"
refused 1 "$NACRE" scan --quiet --osv "$scratch/osv" --max-age 1 "$scratch/demo-1.1-r0.apk" &&
  says "old data is a breach of its own" "$out" "breach: the data on vulnerabilities is of 2026-11-01T00:00:00Z"
python3 - "$scratch" <<'END'
import glob, sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/all.zip", "w") as archive:
    for name in glob.glob(sys.argv[1] + "/osv/deep/*.json"):
        archive.write(name, name.split("/")[-1])
END
mkdir "$scratch/zip" && mv "$scratch/all.zip" "$scratch/zip/"
check "the same from a zip file" "$NACRE" scan --quiet --json --osv "$scratch/zip" "$scratch/demo-1.0-r0.apk"
same "  finds the same" "$(json '["findings"]' <"$scratch/before.json")" "$(json '["findings"]' <"$out")"

# ---- advisories
check "detections are recorded" "$NACRE" scan --quiet --record --osv "$scratch/osv" "$scratch/demo-1.0-r0.apk"
says "  in the definition's document" "$out" "recorded 2 detections in 1 files"
check "  which is clean" "$NACRE" advisory lint --quiet
check "  and nothing is recorded twice" "$NACRE" scan --quiet --record --osv "$scratch/osv" "$scratch/demo-1.0-r0.apk"
says "    as it says" "$out" "recorded 0 detections in 0 files"
sed -i '1i # Looked after by hand.' "$documents/demo.advisories.yaml"
check "one is judged" "$NACRE" advisory add --quiet demo CVE-2026-0002 --type false-positive-determination \
  --kind vulnerable-code-not-in-execution-path --note "It is never imported."
says "  comments stay" "$documents/demo.advisories.yaml" "# Looked after by hand."
check "the gate lets it pass" "$NACRE" scan --quiet --osv "$scratch/osv" --fail-on fixable --max-age 0 "$scratch/demo-1.0-r0.apk"
check "what is open" "$NACRE" advisory list --quiet --open
same "  is one" "demo CVE-2026-0001 detection" "$(awk '{print $1, $2, $4}' "$out")"
check "the guide" "$NACRE" advisory guide --quiet
says "  names the next commands" "$out" "nacre advisory add demo CVE-2026-0001 --type pending-upstream-fix --note WHY"
what="a package that is not there" expect_error 3 "no definition 'dmeo'" "did you mean 'demo'?" -- "$NACRE" advisory add --quiet dmeo CVE-2026-0009
what="a fix without its epoch" expect_error 2 "'1.2' is no version with its epoch" "hint: write it as VERSION-rN" \
  -- "$NACRE" advisory add --quiet demo CVE-2026-0001 --type fixed --fixed-version 1.2
what="a fix without its version" expect_error 2 "a fix needs --fixed-version" -- "$NACRE" advisory add --quiet demo CVE-2026-0001 --type fixed
cp "$documents/demo.advisories.yaml" "$scratch/kept.yaml"
sed -i 's/type: detection/type: detecton/' "$documents/demo.advisories.yaml"
what="a slip of the pen" expect_error 2 "demo.advisories.yaml:" "unknown type of event 'detecton'" "did you mean 'detection'?" -- "$NACRE" advisory list --quiet
cp "$scratch/kept.yaml" "$documents/demo.advisories.yaml"

# ---- a release closes what it fixes, and only that
check "the next release is scanned" "$NACRE" scan --quiet --json --osv "$scratch/osv" "$scratch/demo-1.1-r0.apk"
cp "$out" "$scratch/after.json"
check "it closes what it fixed" "$NACRE" advisory close --quiet --before "$scratch/before.json" --after "$scratch/after.json" demo 1.1-r0
same "  which is one" 1 "$(grep -c 'is fixed in 1.1-r0' "$out")"
check "  and is shown" "$NACRE" advisory show --quiet CVE-2026-0001
says "    with its version" "$out" "fixed (1.1-r0)"
check "  once" "$NACRE" advisory close --quiet --before "$scratch/before.json" --after "$scratch/after.json" demo 1.1-r0
says "    only" "$out" "nothing to close"

# ---- feeds and figures
feed() { "$NACRE" advisory feed --quiet --secdb "$1.secdb" --osv "$1.osv" --vex "$1.vex"; }
check "feeds" feed "$scratch/one"
check "  once more" feed "$scratch/two"
check "  are the same bytes" diff -r "$scratch/one.osv" "$scratch/two.osv"
check "  (secdb)" cmp "$scratch/one.secdb" "$scratch/two.secdb"
check "  (OpenVEX)" cmp "$scratch/one.vex" "$scratch/two.vex"
same "secdb has the fix and what never was" "[{'pkg': {'name': 'demo', 'secfixes': {'0': ['CVE-2026-0002', 'GHSA-2222-3333-4444'], '1.1-r0': ['CVE-2026-0001']}}}]" \
  "$(json '["packages"]' <"$scratch/one.secdb")"
same "OpenVEX says both" "fixed not_affected" "$(python3 -c '
import json, sys
print(*sorted(row["status"] for row in json.load(open(sys.argv[1]))["statements"]))' "$scratch/one.vex")"
check "our own scanner reads our records" "$NACRE" scan --quiet --osv "$scratch/one.osv" "$scratch/demo-1.0-r0.apk"
check "figures" "$NACRE" cve report --quiet --json --settle-days 0 --page "$scratch/page.html"
same "  of two cases, one a false positive" "2 1 1 0" "$(python3 -c '
import json, sys
all = json.load(open(sys.argv[1]))["cohorts"][0]
print(all["cases"], all["counted"], all["fixed"], all["open"])' "$out")"
says "  a page" "$scratch/page.html" "<polyline"
same "  that loads nothing" 0 "$(grep -c 'https\?://' "$scratch/page.html")"
what="PyPI without an index" NACRE_FEED_PYPI=off expect_error 5 "PyPI cannot be asked about some-thing 1.5" -- "$NACRE" scan --quiet --pypi "$scratch/demo-1.0-r0.apk"
finish
