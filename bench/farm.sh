#!/usr/bin/env bash
# Transitions a second of the farm's ledger, on SQLite, and on a Postgres when its URL is given.
#   bench/farm.sh [POSTGRES_URL]
# Build first: ninja -C build/release farm_probe
set -euo pipefail
build=${NACRE_BUILD:-build/release}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for round in 1 2 3; do
  echo -n "SQLite: "
  "$build/src/farm/farm_probe" "sqlite:$work/$round.db"
done
[ $# -eq 0 ] || { echo -n "Postgres: "; "$build/src/farm/farm_probe" "$1"; }
