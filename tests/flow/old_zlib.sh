# shellcheck shell=bash
# A distribution whose zlib is at an older release, which Debian's archive still serves: for tests of a real update. Sourced after
# lib.sh, by tests that have a home.
old=1.3.1
old_sha256=60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb
zlib_pool=pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz

# need_old_zlib: the archive of this machine's apt has it, or a skip.
need_old_zlib() {
  local archive
  archive=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -v security | grep debian | head -n 1)
  [ -n "$archive" ] || skip "apt names no Debian archive on this machine"
  curl -fsSI --max-time 20 -o /dev/null "${archive%/}/${zlib_pool//+/%2B}" 2>/dev/null ||
    skip "Debian's archive does not serve zlib $old now"
}

# set_zlib_back: in NACRE_OS_DIR, which the test may change. $zlib and $lock name its files, $new and $new_sha256 what it was at.
set_zlib_back() {
  zlib=$NACRE_OS_DIR/packages/zlib.yaml lock=$NACRE_OS_DIR/sources.lock
  new=$(sed -n 's/^  version: //p' "$zlib")
  new_sha256=$(sed -n 's/.*expected-sha256: //p' "$zlib")
  sed -i -e "s/^  version: $new$/  version: $old/" -e "s/$new_sha256/$old_sha256/" "$zlib"
  # What nginx was published as holds zlib's version: the rebuild needs another epoch, and has it at once.
  sed -i 's/^  epoch: 0$/  epoch: 1/' "$NACRE_OS_DIR/packages/nginx.yaml"
  python3 - "$lock" "$new_sha256" "$old_sha256" "$zlib_pool" <<'END'
import re, sys
path, new, old, pool = sys.argv[1:]
head, *entries = re.split(r"(?m)^(?=  - file: )", open(path).read())
entries = [e for e in entries if new not in e]
entries.append(f"""  - file: zlib_1.3.dfsg+really1.3.1.orig.tar.gz
    sha256: {old}
    size: 1325737
    uri: https://zlib.net/zlib-1.3.1.tar.gz
    debian-pool: {pool}
    debian-suites: [trixie]
    repacked: true
    used-by: [zlib]
""")
open(path, "w").write(head + "".join(entries))
END
}
