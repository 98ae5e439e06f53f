#!/usr/bin/env bash
# One image, three scanners: what `nacre scan` finds in it, and what grype and osv-scanner's matcher find with data made of our
# advisories alone. Programs of others: NACRE_GRYPE, NACRE_OSVMATCH, NACRE_SECDB2GRYPE (docs/advisories.md says how to build them), and
# vunnel from PyPI. What is absent is skipped.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
command -v python3 >/dev/null && command -v openssl >/dev/null || skip "no python3 or no openssl"
export NACRE_HOME=$scratch/home NACRE_OS_DIR=$scratch/os
unset NACRE_OSV NACRE_FEED_PYPI
mkdir -p "$NACRE_OS_DIR/packages" "$scratch/osv"
cd "$scratch" || exit 1

# ---- an image: packages of each state, all but one with a component that the records know

cat >make.py <<'END'
import json, os, sys
sys.path.insert(0, sys.argv[1])
from apk_maker import Package, make_repository
arch = os.uname().machine
def sbom(name, version):
    purl = f"pkg:apk/nacre/{name}@{version}?arch={arch}&distro=nacre"
    main = f"SPDXRef-Package-{name}-{version}"
    return json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"apk-{name}-{version}",
        "documentNamespace": f"https://example.org/spdx/{name}-{version}", "documentDescribes": [main],
        "creationInfo": {"created": "2026-11-01T00:00:00Z", "creators": ["Tool: test"]},
        "packages": [{"SPDXID": main, "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                      "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]}],
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": main}]}).encode()
def package(name, version, component, origin=None):
    part = origin or name
    files = {f"var/lib/db/sbom/{name}-{version}.spdx.json": sbom(name, version)}
    if component:
        files[f"usr/lib/{name}/node_modules/{part}/package.json"] = json.dumps({"name": part, "version": component}).encode()
    return Package(name, version, arch, files=files, origin=origin)
release = b'ID=nacre\nNAME="nacre"\nPRETTY_NAME="nacre"\nVERSION_ID="1"\n'
packages = [Package("layout", "1-r0", arch, files={"etc/os-release": release, "usr/lib/os-release": release})]
packages += [package(name, "1.0-r0", "1.0.0") for name in ("unjudged", "awaited", "abandoned", "behind", "unreached", "mistaken")]
packages += [package("unjudged-libs", "1.0-r0", "1.0.0", origin="unjudged"), package("mended", "1.1-r2", "1.1.0"),
             package("clean", "1.0-r0", None)]
make_repository("repo", "test.rsa", {arch: packages})
names = [p.name for p in packages]
open("image.yaml", "w").write(f"contents:\n  repositories: [{os.getcwd()}/repo]\n  keyring: [{os.getcwd()}/test.rsa.pub]\n"
                              f"  packages: [{', '.join(names)}]\narchs: [{arch}]\n")
for number, name in enumerate(("unjudged", "awaited", "abandoned", "behind", "unreached", "mistaken", "mended"), 1):
    cve = f"CVE-2026-000{number}"
    events = [{"introduced": "0"}] + ([{"fixed": "1.1.0"}] if name in ("unjudged", "behind", "mended") else [])
    json.dump({"id": f"GHSA-2222-3333-000{number}", "aliases": [cve], "modified": "2026-11-01T00:00:00Z", "affected": [
        {"package": {"ecosystem": "npm", "name": name}, "ranges": [{"type": "SEMVER", "events": events}]}]}, open(f"osv/{cve}.json", "w"))
END
python3 make.py "$source_root/tests/flow" || skip "the packages cannot be made"
for name in unjudged awaited abandoned behind unreached mistaken mended; do version=1.0 define "$name" <<<'true'; done
check "an image of ten packages" "$NACRE" image build --quiet --json image.yaml || finish
image=$(json '["digest"]' <"$out")
scan() { "$NACRE" scan --quiet --json --osv "$scratch/osv" "$image"; }

check "what is in it is found" scan
same "  in all but the two that have none" 7 "$(json '["findings"].__len__()' <"$out")"
check "  and recorded" "$NACRE" scan --quiet --record --osv "$scratch/osv" "$image"
check "  as it is, for grype" "$NACRE" advisory feed --quiet --grype found.db --date "$(date -u +%F)"
judge() { check "  $1: $3" "$NACRE" advisory add --quiet "$1" "$2" --type "$3" "${@:4}"; }
judge awaited CVE-2026-0002 pending-upstream-fix --note "Reported to them."
judge abandoned CVE-2026-0003 fix-not-planned --note "Its author is gone."
judge behind CVE-2026-0004 fixed --fixed-version 1.1-r0
judge unreached CVE-2026-0005 false-positive-determination --kind vulnerable-code-not-in-execution-path --note "Never called."
judge mistaken CVE-2026-0006 false-positive-determination --kind component-vulnerability-mismatch --note "Another of this name."
check "  mended: in an earlier release" "$NACRE" advisory add --quiet mended CVE-2026-0007 --type detection
judge mended CVE-2026-0007 fixed --fixed-version 1.1-r0

# ours EXPRESSION: what counts of a scan: "PACKAGE VERSION VULNERABILITY", for rows that the expression takes.
ours() {
  python3 -c '
import json, sys
for row in json.load(open(sys.argv[1]))["findings"]:
    state = row.get("advisory", {}).get("status", "")
    if row["counts"] and eval(sys.argv[2]): print(row["package"], row["version"], row["vulnerability"])' scan.json "$1" | sort
}
check "the image is scanned again" scan
cp "$out" scan.json
same "  what counts" "abandoned 1.0-r0 CVE-2026-0003
awaited 1.0-r0 CVE-2026-0002
behind 1.0-r0 CVE-2026-0004
unjudged 1.0-r0 CVE-2026-0001
unjudged-libs 1.0-r0 CVE-2026-0001" "$(ours True)"
check "feeds" "$NACRE" advisory feed --quiet --secdb security.json --osv feed --ecosystem Alpine --vex vex.json --grype nacre.db --date "$(date -u +%F)"
says "  grype's data base has all seven" "$out" "nacre.db: 7 advisories"
cp nacre.db again.db
check "  again" "$NACRE" advisory feed --quiet --grype nacre.db --date "$(date -u +%F)"
check "    the same bytes" cmp nacre.db again.db
check "the image as a layout" "$NACRE" image export --quiet --format oci "$image" layout
check "its SBOM" "$NACRE" image sbom --quiet --format cyclonedx "$image"
cp "$out" image.cdx.json

# ---- grype

export GRYPE_DB_AUTO_UPDATE=false GRYPE_CHECK_FOR_APP_UPDATE=false XDG_CACHE_HOME=$scratch/cache
# grype_finds FILE: what grype says as the lines of ours, another name of a vulnerability (secdb has all) as its CVE.
grype_finds() {
  python3 -c '
import json, sys
names = {name: row["vulnerability"] for row in json.load(open("scan.json"))["findings"] for name in row["ids"]}
rows = {(m["artifact"]["name"], m["artifact"]["version"], names.get(m["vulnerability"]["id"], m["vulnerability"]["id"]))
        for m in json.load(open(sys.argv[1]))["matches"]}
for row in sorted(rows): print(*row)' "$1"
}
if [ -x "${NACRE_GRYPE:-/nonexistent}" ]; then
  check "grype imports the data base" env GRYPE_DB_CACHE_DIR="$scratch/native" "$NACRE_GRYPE" db import nacre.db
  check "  and takes it for sound and fresh" env GRYPE_DB_CACHE_DIR="$scratch/native" "$NACRE_GRYPE" db status
  check "grype scans the image" env GRYPE_DB_CACHE_DIR="$scratch/native" "$NACRE_GRYPE" -o json --distro nacre oci-dir:layout
  cp "$out" grype.json
  same "  and finds what nacre scan finds" "$(ours True)" "$(grype_finds grype.json)"
  same "  with the state of each" "abandoned wont-fix
awaited not-fixed
behind fixed 1.1-r0
unjudged unknown
unjudged-libs unknown" "$(python3 -c '
import json, sys
for m in sorted(json.load(open(sys.argv[1]))["matches"], key=lambda m: m["artifact"]["name"]):
    print(m["artifact"]["name"], m["vulnerability"]["fix"]["state"] or "unknown", *m["vulnerability"]["fix"]["versions"])' grype.json)"
  check "without --distro" env GRYPE_DB_CACHE_DIR="$scratch/native" "$NACRE_GRYPE" -o json oci-dir:layout
  same "  it takes the image for no distribution that it knows, and finds nothing" "" "$(grype_finds "$out")"
  # An SBOM says no origin: what is only of the origin's packages there is not found, so the feed of a serial names each.
  check "grype reads the SBOM" env GRYPE_DB_CACHE_DIR="$scratch/native" "$NACRE_GRYPE" -o json --distro nacre sbom:image.cdx.json
  same "  and finds the same in packages that are their own origin" "$(ours 'row["package"] == row["origin"]')" "$(grype_finds "$out")"
  # OpenVEX, over data that knows no judgement: what was found, before anybody looked at it.
  check "grype imports what was only found" env GRYPE_DB_CACHE_DIR="$scratch/found" "$NACRE_GRYPE" db import found.db
  check "  and scans" env GRYPE_DB_CACHE_DIR="$scratch/found" "$NACRE_GRYPE" -o json --distro nacre oci-dir:layout
  same "    false positives, too" 7 "$(grype_finds "$out" | wc -l)"
  check "  and with our OpenVEX" env GRYPE_DB_CACHE_DIR="$scratch/found" "$NACRE_GRYPE" -o json --distro nacre --vex vex.json oci-dir:layout
  same "    what nacre scan finds" "$(ours True)" "$(grype_finds "$out")"
else
  absent "no grype (NACRE_GRYPE)"
fi

# ---- secdb: vunnel reads it, grype's own builder makes a data base of it

if [ ! -x "${NACRE_GRYPE:-/nonexistent}" ] || [ ! -x "${NACRE_SECDB2GRYPE:-/nonexistent}" ]; then
  absent "no grype or no builder of its data bases (NACRE_GRYPE, NACRE_SECDB2GRYPE)"
elif ! vunnel_tools; then
  absent "no vunnel from PyPI: $(tail -n 1 "$scratch/pip.log")"
else
  # The builder knows by name which distributions have apk packages: ours goes as wolfi.
  check "vunnel reads secdb" "$tools/vunnel/bin/python" "$source_root/tests/flow/read_secdb.py" security.json wolfi workspace
  check "grype's builder takes what it read" "$NACRE_SECDB2GRYPE" workspace/wolfi/metadata.json built
  check "  and grype the result" env GRYPE_DB_CACHE_DIR="$scratch/secdb" "$NACRE_GRYPE" db import built/vulnerability.db
  check "grype scans the image" env GRYPE_DB_CACHE_DIR="$scratch/secdb" "$NACRE_GRYPE" -o json --distro wolfi oci-dir:layout
  same "  and finds what secdb can say: what is fixed in a later release" "behind 1.0-r0 CVE-2026-0004" "$(grype_finds "$out")"
fi

# ---- OSV: osv-scanner's reader and matcher, the directory, and the SBOM of the image

if [ -x "${NACRE_OSVMATCH:-/nonexistent}" ]; then
  # It takes a package of a distribution that it does not know for one of Alpine's; what is no package (the image) has no records.
  mkdir -p osv-db/osv-scalibr/{Alpine,GIT}
  python3 -m zipfile -c osv-db/osv-scalibr/Alpine/all.zip feed/*.json
  python3 -m zipfile -c osv-db/osv-scalibr/GIT/all.zip make.py
  check "osv-scanner's matcher reads the SBOM and the records" "$NACRE_OSVMATCH" image.cdx.json osv-db
  same "  and finds what nacre scan finds in packages that are their own origin, but for what nobody judged" \
    "$(ours 'state != "detection" and row["package"] == row["origin"]')" "$(awk '{ print $1, $2, $4 }' "$out" | sort)"
  same "  in records of ours" "" "$(awk '$3 !~ /^x_NACRE-/' "$out")"
else
  absent "no matcher of osv-scanner (NACRE_OSVMATCH)"
fi
finish
