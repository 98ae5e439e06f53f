#!/usr/bin/env bash
# Repository directories: made, edited, compared, cleaned and imported from; their freshness metadata;
# offline calls that open no socket.
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

openssl genrsa -out "$scratch/own.rsa" 2048 2>/dev/null
what="a private key to trust by" expect_error 2 "'$scratch/own.rsa' is a private key" \
  -- "$NACRE" repo import --quiet "$scratch/other" --from "$scratch/theirs" --key "$scratch/own.rsa"
what="a file that is no key" expect_error 2 "'/etc/passwd' is no public key" \
  -- "$NACRE" repo import --quiet "$scratch/other" --from "$scratch/theirs" --key /etc/passwd
what="another version" expect_error 3 "has no package '$first=0'" "hint: it has $first=" \
  -- "$NACRE" repo remove --quiet "$ours" "$first=0"
what="of the next root, without one" expect_error 2 "--root-threshold says what the next root is like: give --new-root, too" \
  -- "$NACRE" repo refresh --quiet --root-threshold 2 "$ours"
what="a root that is none" expect_error 2 "this is no JSON" "while reading the root '/etc/passwd'" \
  -- "$NACRE" repo trust --quiet "$ours" --root /etc/passwd
what="a package that is none" expect_error 2 "this is no package: an .apk begins with the bytes of gzip" \
  -- "$NACRE" repo add --quiet "$ours" /etc/passwd

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
# Offline opens no socket to the network.
if command -v strace >/dev/null; then
  check "offline, under strace" strace -f -e trace=socket -o "$scratch/sockets" "$NACRE" repo import --quiet \
    "$scratch/mine" --from "$ours" --key "$key" --offline
  same "  opens no internet socket" 0 "$(grep -c AF_INET "$scratch/sockets")"
fi
finish
