#!/usr/bin/env bash
# SBOMs read by programs that we did not write: pyspdxtools, the NTIA checker, CycloneDX's own validator, and syft and grype where
# they are at hand (NACRE_SYFT, NACRE_GRYPE).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
command -v python3 >/dev/null && command -v openssl >/dev/null || skip "no python3 or no openssl"
sbom_tools || skip "no SBOM tools from PyPI: $(tail -n 1 "$scratch/pip.log")"
export NACRE_HOME=$scratch/home
cd "$scratch" || exit 1

# spdx TEXT FILE [ntia]: a valid document; with the third word, all that NTIA wants is in it.
spdx() {
  check "$1: pyspdxtools" "$tools/sbom/bin/pyspdxtools" -i "$2"
  [ "${3-}" = ntia ] || return 0
  check "$1: NTIA checker" "$tools/sbom/bin/ntia-checker" "$2"
}
cyclonedx() {
  check "$1: CycloneDX's validator" "$tools/sbom/bin/python" "$source_root/tests/flow/check_cyclonedx.py" "$2"
}
# both TEXT NAME IMAGE [OPTION]: both documents of an image as NAME.spdx.json and NAME.cdx.json, valid.
both() {
  check "$1" "$NACRE" image sbom --quiet "${@:4}" "$3"
  cp "$out" "$2.spdx.json"
  check "$1, CycloneDX" "$NACRE" image sbom --quiet --format cyclonedx "${@:4}" "$3"
  cp "$out" "$2.cdx.json"
  spdx "$1" "$2.spdx.json" ntia
  cyclonedx "$1" "$2.cdx.json"
}
# value FILE EXPRESSION: of a document; package("NAME") is its component, needs("NAME") names what it needs.
value() {
  python3 - "$1" "$2" <<'END'
import json, sys
bom = json.load(open(sys.argv[1]))
package = lambda name: next(c for c in bom["components"] if c["name"] == name and c["type"] == "library")
names = {c["bom-ref"]: c["name"] for c in bom["components"]}
needs = lambda name: " ".join(sorted(names[r] for d in bom["dependencies"] if d["ref"] == package(name)["bom-ref"]
                                     for r in d.get("dependsOn", [])))
print(eval(sys.argv[2]))
END
}

# ---- a foreign image

python3 "$source_root/tests/flow/make_apks.py" "$scratch/repo" || skip "the packages cannot be made"
cat >odd.yaml <<END
contents:
  repositories: [$scratch/repo]
  keyring: [$scratch/repo/keys/test.rsa.pub]
  packages: [odd]
archs: [$(uname -m)]
END
check "a foreign image" "$NACRE" image build --quiet --json odd.yaml || finish
foreign=$(json '["digest"]' <"$out")
both "foreign image" foreign "$foreign"
both "its index" foreign-index "$foreign" --index
same "who needs whom" "demo libdemo" "$(value foreign.cdx.json 'needs("odd") + " " + needs("demo") + needs("libdemo")')"
same "a licence of the package's own, with its text" "be kind" \
  "$(value foreign.cdx.json 'package("odd")["licenses"][0]["license"]["text"]["content"]')"
same "an expression" "MIT AND LicenseRef-odd" "$(value foreign.cdx.json 'package("demo")["licenses"][0]["expression"]')"
same "a source with its digest" "source-distribution $(printf demo | sha256sum | cut -d' ' -f1)" \
  "$(value foreign.cdx.json '(lambda r: r["type"] + " " + r["hashes"][0]["content"])(package("demo")["externalReferences"][0])')"
same "a package URL" "pkg:apk/example/demo@1.0-r0?arch=$(uname -m)" "$(value foreign.cdx.json 'package("demo")["purl"]')"
what="an unknown format" expect_error 2 "there is no SBOM format 'csv'" "spdx and cyclonedx" -- \
  "$NACRE" image sbom --quiet --format csv "$foreign"
mkdir alone asked
check "apko by name" "$NACRE" apko build odd.yaml x:1 odd.tar --vcs=false --sbom-path alone
same "  writes SPDX alone" "sbom-index.spdx.json sbom-$(uname -m).spdx.json" "$(cd alone && echo *)"
check "  and CycloneDX when asked" "$NACRE" apko build odd.yaml x:1 odd.tar --vcs=false --sbom-path asked \
  --sbom-formats spdx,cyclonedx
check "nacre image build writes both" "$NACRE" image build --quiet --sbom written odd.yaml
same "  of the architecture and of the index" 4 "$(find written -name 'sbom-*.json' | wc -l)"
for file in written/*.cdx.json; do cyclonedx "  ${file##*/}" "$file"; done
for file in written/*.spdx.json; do spdx "  ${file##*/}" "$file" ntia; done
for file in asked/*.cdx.json; do cyclonedx "  ${file##*/}" "$file"; done
for file in asked/*.spdx.json; do spdx "  ${file##*/}" "$file" ntia; done

# ---- images of an edition, their packages and their index

if [ -f "$NACRE_TEST_HOME/state.db" ]; then
  need_home
  clone_home edition
  for image in nginx static; do
    both "$image" "$image" "$image"
    both "the index of $image" "$image-index" "$image" --index
  done
  same "nginx needs the C library" True "$(value nginx.cdx.json '"glibc" in needs("nginx").split()')"
  check "nacre verify reads it" "$NACRE" verify --quiet nginx
  says "  on the manifest" "$out" "SBOM (CycloneDX) of the manifest"
  says "  and on the index" "$out" "SBOM (CycloneDX) of the index"
  check "the repository" "$NACRE" index --quiet --repository "$scratch/community"
  for file in "$scratch/community/$(uname -m)"/nginx-[0-9]*.spdx.json "$scratch/community/$(uname -m)"/APKINDEX*.spdx.json; do
    spdx "${file##*/}" "$file" ntia
  done
else
  absent "no distribution in $NACRE_TEST_HOME: its images are not tried"
fi

# ---- scanners

for scanner in syft:convert grype:; do
  name=${scanner%%:*} variable=NACRE_${scanner%%:*}
  variable=${variable^^}
  if [ ! -x "${!variable:-/nonexistent}" ]; then
    absent "no $name ($variable)"
    continue
  fi
  # grype reads nothing without a data base; what it finds is asked in 98_scanners.sh.
  export GRYPE_DB_AUTO_UPDATE=false GRYPE_CHECK_FOR_APP_UPDATE=false SYFT_CHECK_FOR_APP_UPDATE=false GRYPE_DB_CACHE_DIR=$scratch/grype
  if [ "$name" = grype ]; then
    check "a data base for grype" env NACRE_OS_DIR="$source_root/os" "$NACRE" advisory feed --quiet --grype "$scratch/grype.db" --date "$(date -u +%F)"
    check "  imported" "$NACRE_GRYPE" db import "$scratch/grype.db"
  fi
  for file in *.cdx.json *.spdx.json; do
    if [ "$name" = syft ]; then check "syft reads $file" "${!variable}" convert "$file" -o json
    else check "grype reads $file" "${!variable}" "sbom:$file"; fi
  done
done
finish
