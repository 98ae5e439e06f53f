#!/usr/bin/env bash
# Test of the image "static". NACRE: the program; IMAGE: the image.
set -euo pipefail

fail() { printf 'static: %s\n' "$*" >&2; exit 1; }

files=$("$NACRE" image files "$IMAGE" | sed 's|^\./||; s|^/||; s|/$||')
has() { grep -qxF -- "$1" <<< "$files" || fail "no file $1"; }

has etc/passwd
has etc/ssl/certs/ca-certificates.crt
has usr/lib/os-release
has usr/share/zoneinfo/UTC
has usr/share/zoneinfo/Europe/Berlin

# Nothing that could run, and nothing to link with.
found=$(grep -E '^(usr/)?(local/)?s?bin/.|^(usr/)?lib(64)?/.*\.so($|\.)|/ld-linux' <<< "$files" || :)
[ -z "$found" ] || fail "programs or libraries in an image without any: $found"

# So nothing does.
if "$NACRE" run "$IMAGE" /bin/sh -c : > /dev/null 2>&1; then
  fail 'a shell ran'
fi
echo 'static: ok'
