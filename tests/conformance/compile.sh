#!/bin/sh
# How many of 2,419 real definitions compile to what the reference tool says of them, with the pipelines of os/pipelines
# behind those of the corpus. NACRE_SHARED names the directory that has corpus/ and oracle/; the first argument is the
# build directory.
set -eu
build=${1:-build/release}
: "${NACRE_SHARED:?names the directory of the corpus and the oracle}"
if [ ! -d "$NACRE_SHARED/corpus" ]; then
  echo "no corpus in the directory that NACRE_SHARED names"
  exit 77
fi
exec "$build/src/definition/definition_test" --gtest_filter='Corpus.*' --gtest_brief=1
