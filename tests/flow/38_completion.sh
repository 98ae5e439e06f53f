#!/usr/bin/env bash
# What a tab offers in bash, zsh and fish, each run for real.
. "$(dirname "$0")/lib.sh"
mkdir -p "$scratch/bin" "$scratch/os/packages" "$scratch/os/images" "$scratch/here/folder"
ln -s "$NACRE" "$scratch/bin/nacre"
touch "$scratch/os/packages/zlib.yaml" "$scratch/os/packages/zstd.yaml" "$scratch/os/images/nginx.yaml" "$scratch/here/file.yaml"
export PATH="$scratch/bin:$PATH" NACRE_OS_DIR=$scratch/os HOME=$scratch  # shells write there
cd "$scratch/here"

# in_bash WORD …: what a tab after these words offers; the last may be empty.
in_bash() {
  bash --norc -c 'source <(nacre completion bash); COMP_WORDS=(nacre "$@") COMP_CWORD=$#; _nacre; printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}
# The widgets that show what was found are zsh's own; here they print it.
in_zsh() {
  zsh -f -c 'autoload -Uz compinit; compinit -D -d "$HOME/.zcompdump" 2>/dev/null
    source <(nacre completion zsh)
    _describe() { print -l -- ${(P)2%%:*} }
    _files() { print -l -- ${1:+folder} ${1:-file.yaml folder} | sed "s/^-\/$//" | grep . | sort -u }
    words=(nacre "$@") CURRENT=$(($# + 1)); _nacre' zsh "$@"
}
in_fish() {
  fish --no-config -c "source (nacre completion fish | psub); complete -C 'nacre $*'" | cut -f1 | sed 's,/$,,'
}

# offers SHELL WHAT WORD …
offers() {
  local shell=$1 what=$2
  shift 2
  same "$shell: nacre $*" "$what" "$("in_$shell" "$@" 2>&1 | sort | tr '\n' ' ' | sed 's/ $//')"
}
for shell in bash zsh fish; do
  if ! command -v "$shell" >/dev/null; then echo "no $shell here: not tried"; continue; fi
  offers "$shell" "compile completion" comp
  offers "$shell" "zlib zstd" update z
  offers "$shell" "nginx" image history ""
  offers "$shell" "--step --steps" log --st
  offers "$shell" "community production stage0" serials --edition ""
  offers "$shell" "file.yaml folder" lint ""
done

what="a shell without a script" expect_error 2 "there are: bash, zsh, fish" -- nacre completion tcsh
finish
