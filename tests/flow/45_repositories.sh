#!/usr/bin/env bash
# Repository directories: made, edited, compared, cleaned and imported from; their freshness metadata, read by python-tuf too; a
# server that breaks off; offline calls that open no socket.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
check "the repository of the edition as a directory" "$NACRE" index --quiet --repository "$scratch/theirs" || finish
arch=$(uname -m)
key=$scratch/theirs/keys/nacre-community.rsa.pub
ours=$scratch/ours
mapfile -t apks < <(find "$scratch/theirs/$arch" -name '*.apk' | sort | head -3)
same "three packages to begin with" 3 "${#apks[@]}"

check "nacre repo add" "$NACRE" repo add --quiet "$ours" "${apks[@]}"
says "  says what it added" "$out" "3 packages, metadata good until "
check "nacre repo add again" "$NACRE" repo add --quiet "$ours" "${apks[@]}"
says "  changes nothing" "$out" "3 packages, unchanged"
check "nacre repo diff" "$NACRE" repo diff --quiet --json "$scratch/theirs" "$ours"
same "  nothing added" "0" "$(python3 -c 'import json,sys; print(len(json.load(open(sys.argv[1]))["added"]))' "$out")"
name=$(basename "${apks[0]}")
first=$(python3 -c 'import re,sys; print(re.match(r"(.*)-[0-9][^-]*-r\d+\.apk", sys.argv[1])[1])' "$name")
cp "$ours/$arch/APKINDEX.tar.gz" "$scratch/before.tar.gz"
check "nacre repo remove" "$NACRE" repo remove --quiet "$ours" "$first"
[ -f "$ours/$arch/$name" ] && passed "  keeps the bytes" || fail "  the bytes are gone"
check "nacre repo diff of indexes" "$NACRE" repo diff --quiet "$scratch/before.tar.gz" "$ours"
says "  says what went" "$out" "0 added, 1 removed, 0 changed"
printf '{"packages": [{"url": "https://host/%s/%s"}]}' "$arch" "$name" >"$scratch/lock.json"
check "nacre repo gc with a lock" "$NACRE" repo gc --quiet --lock "$scratch/lock.json" "$ours"
[ -f "$ours/$arch/$name" ] && passed "  keeps what the lock names" || fail "  the lock was not heard"
check "nacre repo gc" "$NACRE" repo gc --quiet "$ours"
[ -f "$ours/$arch/$name" ] && fail "  withdrawn and unlocked, and still there" || passed "  removes the rest"
refused 3 "$NACRE" repo remove --quiet "$ours" no-such-package

check "nacre repo import" "$NACRE" repo import --quiet "$ours" "$first" --from "$scratch/theirs" --key "$key"
says "  says what it brought" "$out" "imported $first-"
refused 6 "$NACRE" repo import --quiet "$scratch/other" "$first" --from "$scratch/theirs"
if [ -x "${NACRE_PEER_APK:-/nonexistent}" ]; then
  check "apk reads the directory" "$NACRE_PEER_APK" --root "$scratch" --keys-dir "$scratch/theirs/keys" --arch "$arch" \
    --repositories-file /dev/null --repository "$ours" --no-cache search
  says "  and finds the package" "$out" "$first"
fi

# Freshness.
check "nacre repo trust" "$NACRE" repo trust --quiet "$ours" --root "$ours/tuf/root.json"
cp -a "$ours" "$scratch/old"
check "a publish" "$NACRE" repo refresh --quiet "$ours"
check "a client" "$NACRE" repo import --quiet "$scratch/mine" --from "$ours" --key "$key"
rm -rf "$ours" && cp -a "$scratch/old" "$ours"
refused 6 "$NACRE" repo import --quiet "$scratch/mine" --from "$ours" --key "$key"
says "  rollback, it says" "$err" "which was seen before"
check "a later publish" "$NACRE" repo refresh --quiet "$ours"
check "and another" "$NACRE" repo refresh --quiet "$ours"
if python3 -c 'import tuf.ngclient' 2>/dev/null; then
  (cd "$ours" && exec python3 -m http.server --bind 127.0.0.1 18765) >/dev/null 2>&1 &
  children+=($!)
  sleep 1
  cat >"$scratch/client.py" <<'PY'
import inspect, pathlib, sys
from tuf.ngclient import Updater
ours, arch, scratch = sys.argv[1:]
meta = pathlib.Path(scratch) / "tuf-client"
meta.mkdir()
(meta / "root.json").write_bytes(pathlib.Path(ours, "tuf/1.root.json").read_bytes())
root = (meta / "root.json").read_bytes()
more = {"bootstrap": root} if "bootstrap" in inspect.signature(Updater.__init__).parameters else {}
updater = Updater(str(meta), "http://127.0.0.1:18765/tuf/", str(meta), "http://127.0.0.1:18765/", **more)
info = updater.get_targetinfo(f"{arch}/APKINDEX.tar.gz")
print("length", info.length)
path = updater.download_target(info, str(meta / "index"))
assert pathlib.Path(path).read_bytes() == pathlib.Path(ours, arch, "APKINDEX.tar.gz").read_bytes()
PY
  no_proxy='*' check "python-tuf takes the index" python3 "$scratch/client.py" "$ours" "$arch" "$scratch"
else
  passed "python-tuf: skipped, it is not installed"
fi

# Offline opens no socket to the network.
if command -v strace >/dev/null; then
  check "offline, under strace" strace -f -e trace=socket -o "$scratch/sockets" "$NACRE" repo import --quiet \
    "$scratch/mine" --from "$ours" --key "$key" --offline
  same "  opens no internet socket" 0 "$(grep -c AF_INET "$scratch/sockets")"
fi
finish
