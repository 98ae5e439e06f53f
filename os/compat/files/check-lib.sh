# What the checkers share. Sourced.
set -eu

fail() { echo "FAIL: $*" >&2; failed=1; }
finish() { if [ "$failed" -ne 0 ]; then exit 1; fi; echo "PASS: $*"; }
failed=0

# read_options NAME …: sets a variable for each --name=value or --name value, dashes as underscores; the rest into `rest`.
read_options() {
  local names=" $* " word name
  rest=()
  for name in "$@"; do printf -v "${name//-/_}" '%s' ''; done
  for ((word = 0; word < ${#words[@]}; word++)); do
    local text=${words[word]}
    case "$text" in
      --*=*) name=${text%%=*}; name=${name#--}; text=${text#*=} ;;
      --*) name=${text#--}; word=$((word + 1)); text=${words[word]-} ;;
      *) rest+=("$text"); continue ;;
    esac
    case "$names" in
      *" $name "*) printf -v "${name//-/_}" '%s' "$text" ;;
      *) echo "no option '--$name'" >&2; exit 2 ;;
    esac
  done
}

# files_of PACKAGE: paths without leading slash. A package that is not there ends the check.
files_of() {
  apk info -e "$1" >/dev/null || { echo "FAIL: package '$1' is not installed" >&2; kill $$; exit 1; }
  apk info -qL "$1" | grep -v -e '^$' -e '^var/lib/db/sbom/' || true
}
