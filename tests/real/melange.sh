#!/bin/bash
# Builds and tests definitions as somebody who comes from melange would: `melange build FILE -r REPOSITORY …`, each against the
# exported repository and what was built before it, then `melange test`. Prints a row for each; exit 1 when one failed.
#
#   melange.sh MELANGE WORK DEFINITIONS NAME|FILE …
#
# WORK/repository holds `nacre stage0 export`'s answer; DEFINITIONS holds NAME.yaml, NAME/ and pipelines/. Packages go to
# WORK/melange/packages.
set -u
here=$(dirname "$(readlink -f "$0")") melange=$(readlink -f "$1") work=$(readlink -f "$2") definitions=$(readlink -f "$3")
shift 3
export PATH=$work/melange/bin:$PATH NACRE_PROGRESS=plain
mkdir -p "$work"/melange/{bin,logs,no-files}
ln -sf "$melange" "$work/melange/bin/melange"
cd "$work/melange" || exit 1
[ -f local.rsa ] || melange keygen local.rsa
root=(-r "$work/repository" -k "$(echo "$work"/repository/keys/*.pub)" -r ./packages -k local.rsa.pub)
failed=0
for word in "$@"; do
  case $word in
    */*) file=$(cd "$OLDPWD" && readlink -f "$word") ;;
    *) file=$definitions/$word.yaml ;;
  esac
  name=$(basename "$file" .yaml) side=$definitions/$(basename "$file" .yaml)
  [ -d "$side" ] || side=no-files
  begin=$(date +%s.%N) what=built
  # What stands below first/ and pipelines/ here is ours: the public definitions' own pipelines could hide those it is about.
  dirs=() tests=()
  case $file in
    "$here"/*) ;;
    *) dirs=(--pipeline-dir "$definitions/pipelines") tests=(--pipeline-dirs "$definitions/pipelines") ;;
  esac
  if ! melange build "$file" "${root[@]}" "${dirs[@]}" --signing-key local.rsa --source-dir "$side" >"logs/$name.build" 2>&1; then
    what="failed: $(grep -m 1 '^nacre: ' "logs/$name.build")" failed=1
  elif ! melange test "$file" "${root[@]}" "${tests[@]}" --source-dir "$side" --test-package-append wolfi-base \
    >"logs/$name.test" 2>&1; then
    what="built; tests: $(grep -m 1 '^nacre: ' "logs/$name.test")" failed=1
  elif grep -q '[0-9] tests passed' "logs/$name.test"; then
    what="built, $(grep -oE '[0-9]+ tests passed' "logs/$name.test" | tail -n 1)"
  fi
  printf '| %s | %.1f s | %s |\n' "$name" "$(bc <<<"$(date +%s.%N) - $begin")" "$what"
done
exit $failed
