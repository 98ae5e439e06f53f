#!/bin/sh
# apko's golden images and locks beside ours, after normalisation. NACRE_APKO_REPO names a checkout of apko's repository
# (its internal/cli/testdata is read), NACRE_APKO its program when there is one: definitions without a golden image are
# then built by both. The first argument is the build directory. Every difference is printed with its reason.
set -eu
build=${1:-build/release}
if [ ! -d "${NACRE_APKO_REPO:-/nowhere}/internal/cli/testdata" ]; then
  echo "no checkout of apko's repository: NACRE_APKO_REPO names none"
  exit 77
fi
exec python3 "$(dirname "$0")/images.py" "$NACRE_APKO_REPO" "$build/src/cli/nacre" "${NACRE_APKO:-}"
