# shellcheck shell=bash
# What the farm's flow tests share: an upstream that releases when it is told to, and a distribution of small definitions
# whose packages hold nothing of stage 0.
. "$(dirname "${BASH_SOURCE[0]}")/registry_lib.sh"

# start_upstream: releases are files of $upstream; $feed becomes its address.
start_upstream() {
  upstream=$scratch/upstream
  mkdir -p "$upstream"
  python3 "$source_root/tests/flow/upstream_server.py" "$upstream" >"$scratch/port" 2>"$scratch/upstream.log" </dev/null &
  children+=("$!")
  for _ in $(seq 100); do [ -s "$scratch/port" ] && break; sleep 0.05; done
  feed=http://127.0.0.1:$(cat "$scratch/port")
  export NACRE_FEED_GITHUB=$feed/github
  export NACRE_FEED_RELEASE_MONITOR=off NACRE_FEED_PYPI=off NACRE_FEED_NPM=off NACRE_FEED_GO=off NACRE_FEED_CRATES=off NACRE_FEED_MAVEN=off
}

# source_release NAME VERSION <<END: a release whose only file is NAME.c, from stdin.
source_release() {
  local work=$scratch/release-$1-$2
  mkdir -p "$work/$1-$2"
  cat >"$work/$1-$2/$1.c"
  # Seen whole or not at all.
  tar -C "$work" --sort=name --mtime=@1790000000 --owner=0 --group=0 -czf "$scratch/release.tar.gz" "$1-$2"
  mv "$scratch/release.tar.gz" "$upstream/$1-$2.tar.gz"
}

# empty_os DIR: the distribution without its definitions and images.
empty_os() {
  cp -a "$source_root/os" "$1"
  rm -rf "$1/packages" "$1/images"
  mkdir "$1/packages" "$1/images"
  printf 'sources: []\n' >"$1/sources.lock"
  export NACRE_OS_DIR=$1
}

# library NAME VERSION SONAME [TEST]: a definition of a shared library that upstream releases as C. TEST runs in its root with
# the library installed.
library() {
  local digest
  digest=$(sha256sum "$upstream/$1-$2.tar.gz" | cut -d' ' -f1)
  cat >"$NACRE_OS_DIR/packages/$1.yaml" <<END
package:
  name: $1
  version: "$2"
  epoch: 0
  description: A library of the farm's tests
  copyright: [{license: Apache-2.0}]
environment:
  contents:
    packages: [build-base]
pipeline:
  - uses: fetch
    with:
      uri: $feed/src/$1-\${{package.version}}.tar.gz
      expected-sha256: $digest
  - runs: |
      soname=\$(sed -n 's|^// soname: ||p' $1.c)
      cc -O2 -shared -nostdlib -fPIC -Wl,-z,relro,-z,now,-soname,\$soname -o \$soname $1.c
      install -D -m 755 \$soname "\${{targets.destdir}}/usr/lib/\$soname"
      ln -s \$soname "\${{targets.destdir}}/usr/lib/$1.so"
      install -d "\${{targets.destdir}}/usr/include"
      # What scanners know it by.
      install -d "\${{targets.destdir}}/usr/lib/node_modules/$1"
      printf '{"name": "$1", "version": "\${{package.version}}.0"}\n' >"\${{targets.destdir}}/usr/lib/node_modules/$1/package.json"
      grep '^int\|^long\|^#define' $1.c | sed 's/{.*/;/' >"\${{targets.destdir}}/usr/include/$1.h"
subpackages:
  - name: $1-dev
    description: headers of $1
    pipeline:
      - runs: |
          mkdir -p "\${{targets.subpkgdir}}/usr/lib"
          mv "\${{targets.destdir}}/usr/include" "\${{targets.subpkgdir}}/usr/"
          mv "\${{targets.destdir}}/usr/lib/$1.so" "\${{targets.subpkgdir}}/usr/lib/"
    dependencies:
      runtime: [$1]
update:
  enabled: true
  github: {identifier: up/$1, strip-prefix: v}
END
  [ -z "${3-}" ] || cat >>"$NACRE_OS_DIR/packages/$1.yaml" <<END
test:
  environment:
    contents:
      packages: [build-base, $1-dev]
  pipeline:
    - runs: |
        $3
END
}

# user_of NAME LIBRARY…: a definition of a shared object that calls one() of each library, and an image of it.
user_of() {
  local name=$1 library calls="" links="" wants=""
  shift
  for library in "$@"; do
    calls="$calls + ${library}_value()"
    links="$links -l:${library}.so"
    wants="$wants, $library-dev"
  done
  cat >"$NACRE_OS_DIR/packages/$name.yaml" <<END
package:
  name: $name
  version: "1"
  epoch: 0
  description: Uses $*
  copyright: [{license: Apache-2.0}]
environment:
  contents:
    packages: [build-base$wants]
pipeline:
  - runs: |
      { $(for library in "$@"; do printf 'printf "#include <%s.h>\\n";' "$library"; done) echo 'int sum(void) { return 0$calls; }'; } >sum.c
      cc -O2 -shared -nostdlib -fPIC -Wl,-z,relro,-z,now -o $name.so sum.c$links
      install -D -m 755 $name.so "\${{targets.destdir}}/usr/lib/$name/$name.so"
update:
  enabled: false
END
  printf 'contents:\n  packages: [%s]\n' "$name" >"$NACRE_OS_DIR/images/$name.yaml"
}

# version N ABI: what a library's C looks like at release N: its value is N; ABI is the number in its soname.
library_source() {
  printf '// soname: %s.so.%s\nint %s_value(void) { return %s; }\n' "$1" "$3" "$1" "$2"
}

# forget_distribution: of the home's records only stage 0's stay, as in a home that has not made any distribution yet.
forget_distribution() {
  python3 - "$NACRE_HOME/state.db" <<'END'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    db.execute("DELETE FROM records WHERE kind NOT LIKE '%stage0%' AND key NOT LIKE 'stage0%' AND kind != 'deb'")
END
}

# retry_changes CONDITION: asks again for the changes of the queue of which that holds (Python, `change` is one).
retry_changes() {
  "$NACRE" farm queue --quiet --json | python3 -c "
import json, sys
for change in json.load(sys.stdin):
    if $1: print(change['id'])" | while read -r id; do "$NACRE" farm retry --quiet "$id" >/dev/null; done
}

# pushed IMAGE TAG: its digest in the registry.
pushed() {
  curl -fsSI -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$registry/v2/nacre/$1/manifests/$2" 2>/dev/null |
    tr -d '\r' | awk 'tolower($1) == "docker-content-digest:" { print $2 }'
}
