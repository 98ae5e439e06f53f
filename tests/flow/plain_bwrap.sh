#!/usr/bin/env bash
# Stands for bwrap in the tests of engines: what buildbox-run asks for, but with the caller's powers, the machine's /proc (a new
# pid namespace's own can be mounted only where nothing covers a part of this one, and bwrap's is covered), /dev, and a directory
# to work in ($PLAIN_BWRAP_SCRATCH): as a plain worker gives them. What confines a build is nacre-worker's own sandbox.
args=(--cap-add ALL)
while [ $# -gt 0 ]; do
  case $1 in
    --unshare-user | --unshare-pid) shift ;;
    --uid | --gid | --cap-drop | --proc | --dev) shift 2 ;;
    --bind)
      args+=("$1" "$2" "$3")
      [ "$3" != / ] || chmod 755 "$2"  # the sandbox's user, who is not root, comes through here
      [ "$3" != / ] || args+=(--dev-bind /proc /proc --dev /dev --bind "$PLAIN_BWRAP_SCRATCH" /var/tmp)
      shift 3
      ;;
    *) args+=("$1"); shift ;;
  esac
done
exec /usr/bin/bwrap "${args[@]}"
