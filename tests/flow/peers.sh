# shellcheck shell=bash
# Clients and servers that we did not write, for the tests that ask whether they agree. Sourced after lib.sh.
# What is fetched stays in build/tools.
. "$(dirname "${BASH_SOURCE[0]}")/registry_lib.sh"
tools=$source_root/build/tools

# absent WHAT: a part that cannot be tried here; the others are.
absent() { printf 'skip  %s\n' "$*"; }

# registry_blob sha256:HEX: where that registry keeps it.
registry_blob() { printf '%s/docker/registry/v2/blobs/sha256/%s/%s/data' "$registry_data" "${1:7:2}" "${1#sha256:}"; }

# unpack_deb NAME SUITE: the package of that suite, unpacked in build/tools/NAME-SUITE, through a configuration of apt that
# leaves the machine's alone. Sid's Release file may be past its date; its signature is checked all the same.
unpack_deb() {
  local name=$1 suite=$2 to=$tools/$1-$2 work=$scratch/apt-$2 base keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ ! -d "$to" ] || return 0
  base=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | grep debian | head -n 1)
  [ -n "$base" ] && [ -f "$keyring" ] || return 1
  mkdir -p "$work"/{lists,cache/archives}/partial "$tools"
  echo "deb [check-valid-until=no signed-by=$keyring] $base $suite main" >"$work/sources.list"
  local -a apt=(apt-get -qq -o "Dir::State::Lists=$work/lists" -o "Dir::Etc::SourceList=$work/sources.list"
    -o Dir::Etc::SourceParts=/nonexistent -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
    -o Acquire::Languages=none)
  (cd "$work" && timeout 120 "${apt[@]}" update && timeout 120 "${apt[@]}" download "$name") >"$work/log" 2>&1 || return 1
  dpkg -x "$work/$name"_*.deb "$work/unpacked" && mv "$work/unpacked" "$to"
}

# sbom_tools: pyspdxtools, the NTIA checker and CycloneDX's validator in build/tools/sbom.
sbom_tools() {
  [ ! -f "$tools/sbom/complete" ] || return 0
  mkdir -p "$tools"
  rm -rf "$tools/sbom"
  { python3 -m venv "$tools/sbom" && timeout 180 "$tools/sbom/bin/pip" install -q spdx-tools ntia-conformance-checker \
    'cyclonedx-python-lib[json-validation]' && touch "$tools/sbom/complete"; } >"$scratch/pip.log" 2>&1
}

# tuf_tools: python-tuf in build/tools/tuf.
tuf_tools() {
  [ ! -x "$tools/tuf/bin/python" ] || "$tools/tuf/bin/python" -c 'import tuf.ngclient' 2>/dev/null || rm -rf "$tools/tuf"
  [ ! -d "$tools/tuf" ] || return 0
  mkdir -p "$tools"
  { python3 -m venv "$tools/tuf" && timeout 180 "$tools/tuf/bin/pip" install -q tuf 'securesystemslib[crypto]'; } >"$scratch/pip.log" 2>&1 || {
    rm -rf "$tools/tuf"
    return 1
  }
}

# oci_conformance: the pull and push suite of the distribution specification; $conformance becomes the program, from
# NACRE_PEERS, from build/tools, or built there by a Go of 1.24 or newer. What went wrong is the last line of its log.
oci_conformance() {
  conformance=${NACRE_PEERS:-/nonexistent}/bin/oci-conformance
  [ ! -x "$conformance" ] || return 0
  conformance=$tools/bin/conformance
  [ ! -x "$conformance" ] || return 0
  local go
  go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null) || { echo "no go" >"$scratch/go.log"; return 1; }
  GOBIN=$tools/bin GOFLAGS=-mod=mod timeout 300 "$go" install \
    github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111 >"$scratch/go.log" 2>&1
}

# vunnel_tools: vunnel, which reads distributions' data bases for grype, in build/tools/vunnel.
vunnel_tools() {
  [ ! -f "$tools/vunnel/complete" ] || return 0
  mkdir -p "$tools"
  rm -rf "$tools/vunnel"
  { python3 -m venv "$tools/vunnel" && timeout 300 "$tools/vunnel/bin/pip" install -q vunnel==0.44.0 &&
    touch "$tools/vunnel/complete"; } >"$scratch/pip.log" 2>&1
}

# s3_server: an S3 server that verifies signatures, of others' code (tests/peers/s3); $s3server becomes the program: NACRE_S3SERVER,
# or built in build/tools by a Go of 1.24 or newer. What went wrong is the last line of its log.
s3_server() {
  s3server=${NACRE_S3SERVER:-$tools/bin/s3server}
  [ ! -x "$s3server" ] || return 0
  local go
  go=$(command -v go || ls /usr/local/go/bin/go 2>/dev/null) || { echo "no go" >"$scratch/go.log"; return 1; }
  mkdir -p "$tools/bin"
  rm -rf "$tools/s3" && cp -r "$source_root/tests/peers/s3" "$tools/s3"
  (cd "$tools/s3" && GOFLAGS=-mod=mod timeout 300 "$go" build -o "$tools/bin/s3server" .) >"$scratch/go.log" 2>&1
}
