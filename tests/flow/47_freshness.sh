#!/usr/bin/env bash
# Freshness metadata of editions: written with each serial, served, renewed, checked by every verb that reads a trusted
# repository; read by python-tuf; ignored by stock apk.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/peers.sh"
need_home
clone_home home
export no_proxy='*'
arch=$(uname -m)
key=$scratch/keys/nacre-community.rsa.pub
check "the keys of the edition" "$NACRE" key --quiet --json --out "$scratch/keys"
same "  four purposes" "package attestation root freshness" "$(python3 -c 'import json, sys; print(*(k["purpose"] for k in json.load(open(sys.argv[1]))))' "$out")"
check "its metadata is of today" "$NACRE" repo refresh --quiet
check "nothing is due" "$NACRE" repo refresh --quiet --check
check "the newest serial as files" "$NACRE" index --quiet --repository "$scratch/first"
same "  metadata names its index" "$(sha256sum <"$scratch/first/$arch/APKINDEX.tar.gz" | cut -d' ' -f1)" \
  "$(python3 -c 'import glob, json, sys; print(json.load(open(sorted(glob.glob(sys.argv[1] + "/tuf/*.targets.json"), key=lambda n: int(n.split("/")[-1].split(".")[0]))[-1]))["signed"]["targets"][sys.argv[2] + "/APKINDEX.tar.gz"]["hashes"]["sha256"])' "$scratch/first" "$arch")"
what="a copy is not edited" expect_error 4 'is a copy of edition community, serial' 'nacre repo remove community PACKAGE' -- \
  "$NACRE" repo remove --quiet "$scratch/first" zlib
what="an edition takes no packages of others" expect_error 2 'community is an edition, no directory' -- \
  "$NACRE" repo add --quiet community "$(find "$scratch/first/$arch" -name '*.apk' | head -n 1)"
what="nor is it collected there" expect_error 2 '`nacre gc`' -- "$NACRE" repo gc --quiet community

start_server
base=http://$served/community
check "a client takes the root" curl -fsS -o "$scratch/root.json" "$base/tuf/root.json"
repository=$scratch/mirror
cp -a "$scratch/first" "$repository"
check "and trusts it, of the server" "$NACRE" repo trust --quiet "$base" --root "$scratch/root.json"
check "  of a mirror" "$NACRE" repo trust --quiet "$repository" --root "$scratch/root.json"
package=$(cd "$scratch/first/$arch" && printf '%s\n' *.apk | sed -n 's/-[0-9][^-]*-r[0-9]*\.apk$//p' | grep -x 'tzdata\|zlib\|tiny' | head -n 1)
cat >"$scratch/image.yaml" <<END
archs: [$arch]
contents:
  repositories: ["$repository"]
  keyring: ["$key"]
  packages: ["$package"]
END
cat >"$scratch/x.yaml" <<END
package: {name: x, version: "1", epoch: 0, description: a test, copyright: [{license: Apache-2.0}]}
environment:
  contents:
    repositories: ["$repository"]
    keyring: ["$key"]
    packages: ["$package"]
pipeline:
  - runs: "true"
END
ln -s "$NACRE" "$scratch/melange"
ln -s "$NACRE" "$scratch/apko"
# readers WORD…: each verb that reads a repository, as a command line.
solve() { "$NACRE" solve --quiet -r "$repository" "$package"; }
import() { "$NACRE" repo import --quiet "$scratch/mine" "$package" --from "$repository" --key "$key"; }
build_image() { (cd "$scratch" && "$NACRE" image build --quiet --skip-tests ./image.yaml); }
apko_lock() { (cd "$scratch" && ./apko lock image.yaml --output "$scratch/lock.json"); }
melange_build() { (cd "$scratch" && ./melange build x.yaml --arch "$arch" --out-dir "$scratch/built"); }
readers="solve import build_image apko_lock melange_build"
for reader in $readers; do "$reader" >"$out" 2>"$err" </dev/null || true; done
check "nacre solve, of the server" "$NACRE" solve --quiet -r "$base" "$package"
"$NACRE" repo trust --quiet --json >"$out"
same "  checked it" True "$(python3 -c 'import json, sys; print(all(r["timestamp"] > 0 for r in json.load(open(sys.argv[1]))))' "$out")"

timestamp() { curl -fs "$base/tuf/timestamp.json" | json '["signed"]["version"]'; }
before=$(timestamp)
check "a serial without a package that nothing needs" bash -c '
  for name in '"$(cd "$scratch/first/$arch" && printf '%s\n' *.apk | sed 's/-[0-9][^-]*-r[0-9]*\.apk$//' | grep -vx "$package" | xargs)"'; do
    "$NACRE" repo remove --quiet community "$name" && exit 0
  done; exit 1'
says "  was published" "$out" "serial "
gone=$(sed -n 's/^removed //p' "$out")
[ "$(timestamp)" -gt "$before" ] && passed "  the server has its metadata" || fail "  the server has timestamp $(timestamp)"
check "nacre repo diff community@… community" "$NACRE" repo diff --quiet "community@$(($(newest_serial) - 1))" community
says "  says what went" "$out" "0 added, 1 removed, 0 changed"
check "  its bytes are served still" curl -fsS -o /dev/null "$base/$arch/$gone.apk"
check "the newest as files" "$NACRE" index --quiet --repository "$repository"
check "a client follows" import
rm -rf "$repository" && cp -a "$scratch/first" "$repository"
for reader in $readers; do
  what="an old mirror, $reader" expect_error 6 'which was seen before' -- "$reader"
done
rm -rf "$repository/tuf"
for reader in $readers; do
  what="metadata left out, $reader" expect_error 6 'timestamp.json' -- "$reader"
done
# rows save|restore: the edition's metadata as it lies in the state database.
rows() {
  python3 - "$NACRE_HOME/state.db" "$scratch/rows.json" "$1" <<'END'
import json, sqlite3, sys
state, file, what = sqlite3.connect(sys.argv[1], timeout=30), *sys.argv[2:]
table = next(name for (name,) in state.execute("select name from sqlite_master where type = 'table'")
             if {"kind", "key"} <= {row[1] for row in state.execute(f"pragma table_info({name})")})
if what == "save":
    json.dump(state.execute(f"select * from {table} where kind = 'tuf/community'").fetchall(), open(file, "w"))
else:
    state.execute(f"delete from {table} where kind = 'tuf/community'")
    for row in json.load(open(file)):
        state.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)
    state.commit()
END
}
rows save
check "nacre rollback" "$NACRE" rollback --quiet
check "is a newer serial, which clients follow" "$NACRE" solve --quiet -r "$base" "$package"
kill "$server"; wait "$server" 2>/dev/null

# As a crash between a publish and its metadata leaves it.
rows restore
start_server
base=http://$served/community
sleep 0.5
check "is brought up by nacre serve" "$NACRE" repo refresh --quiet --check
same "  to the newest index" "$(curl -fs "$base/$arch/APKINDEX.tar.gz" | sha256sum | cut -d' ' -f1)" \
  "$(curl -fs "$base/tuf/$(curl -fs "$base/tuf/$(curl -fs "$base/tuf/timestamp.json" | json '["signed"]["meta"]["snapshot.json"]["version"]').snapshot.json" |
    json '["signed"]["meta"]["targets.json"]["version"]').targets.json" | json "[\"signed\"][\"targets\"][\"$arch/APKINDEX.tar.gz\"][\"hashes\"][\"sha256\"]")"

if [ -x "${NACRE_PEER_APK:-/nonexistent}" ]; then
  check "stock apk reads what is served" "$NACRE_PEER_APK" --root "$scratch" --keys-dir "$scratch/keys" --arch "$arch" \
    --repositories-file /dev/null --repository "$base" --no-cache search "$package"
  says "  and finds the package" "$out" "$package-"
else
  absent "stock apk: NACRE_PEER_APK names none"
fi
if tuf_tools; then
  cat >"$scratch/client.py" <<'END'
import inspect, pathlib, sys, urllib.request
from tuf.ngclient import Updater
base, arch, scratch = sys.argv[1:]
meta = pathlib.Path(scratch) / "tuf-client"
meta.mkdir()
root = urllib.request.urlopen(base + "/tuf/1.root.json").read()
(meta / "root.json").write_bytes(root)
more = {"bootstrap": root} if "bootstrap" in inspect.signature(Updater.__init__).parameters else {}
updater = Updater(str(meta), base + "/tuf/", str(meta), base + "/", **more)
info = updater.get_targetinfo(f"{arch}/APKINDEX.tar.gz")
path = updater.download_target(info, str(meta / "index"))
assert pathlib.Path(path).read_bytes() == urllib.request.urlopen(f"{base}/{arch}/APKINDEX.tar.gz").read()
print("taken", info.length)
END
  check "python-tuf takes the index from the server" "$tools/tuf/bin/python" "$scratch/client.py" "$base" "$arch" "$scratch"
  says "  the newest" "$out" "taken "
else
  absent "python-tuf cannot be had: $(tail -n 1 "$scratch/pip.log")"
fi
finish
