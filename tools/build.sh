#!/usr/bin/env bash
# Builds a preset: tools/build.sh PRESET [TARGET …]. The one place that calls cmake and ninja; what it needs is installed by `./x deps`.
#
# A precompiled header wants to be mapped at the address where it was written. g++ 12 gives up where something else lies
# there already ("PCH allocation failure"), which the kernel's randomization of addresses brings about now and then. So
# compilers run without it where that may be asked for, are asked again where not, and at last without such headers.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
preset=$1
shift
said=$(mktemp)
trap 'rm -f "$said"' EXIT
fixed=()
if setarch --addr-no-randomize true 2>/dev/null; then fixed=(setarch --addr-no-randomize); fi

configure() {
  cmake --preset "$preset" "$@" >"$said" 2>&1 || { cat "$said" >&2; exit 70; }
}

# Of lines that ninja says: steps are shown twice a minute, all else at once. (mawk would wait for 4 KiB of them.)
show() {
  local line next_look=0
  while IFS= read -r line; do
    case $line in
      "["*" of "*"] "*)
        if ((SECONDS >= next_look)); then
          next_look=$((SECONDS + 30))
          printf '%s]\n' "${line%%]*}"
        fi
        ;;
      "ninja: Entering"* | "ninja: no work"*) ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}

# Exit code of ninja; what it said is in $said.
compile() {
  NINJA_STATUS='[%f of %t] ' "${fixed[@]}" ninja -C "build/$preset" "$@" 2>&1 | tee "$said" | show >&2
}
misplaced() { grep -q 'PCH allocation failure' "$said"; }

[ -f "build/$preset/build.ninja" ] || configure
for _ in 1 2 3; do
  compile "$@" && exit 0
  misplaced || exit 1
  echo "build: a precompiled header found no place; once more" >&2
done
echo "build: precompiled headers find no place here: going on without them" >&2
configure -DNACRE_PCH=OFF
compile "$@"
