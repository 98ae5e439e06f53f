#!/usr/bin/env bash
# Under the name `melange`: repositories, keys and sources on a web server that asks who one is; tagged repositories; what bump,
# update-cache and license-check write; places that flags name.
. "$(dirname "$0")/lib.sh"
need_home
clone_home home
arch=$(uname -m)
mkdir -p "$scratch"/{bin,work/empty,www/src}
ln -s "$(readlink -f "$NACRE")" "$scratch/bin/melange"
melange=$scratch/bin/melange
cd "$scratch/work"
unset HTTP_AUTH NACRE_SOURCE_MIRRORS

check "stage 0 becomes a repository" "$NACRE" index --quiet --edition stage0 --repository "$scratch/www/stage0"
check "a key" "$melange" keygen local.rsa --key-size 2048
cp local.rsa.pub "$scratch/www/"

python3 "$source_root/tests/flow/basic_server.py" "$scratch/www" me:secret >>requests 2>server.err </dev/null &
children+=("$!")
for _ in $(seq 100); do [ ! -s requests ] || break; sleep 0.05; done
port=$(head -n 1 requests)
served=http://127.0.0.1:$port
auth=basic:127.0.0.1:$port:me:secret

{ head_of words; echo '      - stage0-layout'; cat <<'END'
pipeline:
  - runs: mkdir -p ${{targets.destdir}}/usr/bin && printf '#!/bin/sh\necho words\n' >${{targets.destdir}}/usr/bin/words && chmod 755 ${{targets.destdir}}/usr/bin/words
  - runs: echo ${{host.triplet.gnu}} >triplet; cp triplet found 2>/dev/null; ls >listing
END
} >words.yaml
build=("$melange" build words.yaml --arch "$arch" --source-dir empty --signing-key local.rsa -r "$served/stage0"
  -k "$served/stage0/keys/nacre-stage0.rsa.pub" --out-dir "$scratch/www/own")

echo "-- a server that asks"
what="nobody" expect_error 6 "401" -- "${build[@]}"
what="somebody else" expect_error 6 "401" -- env HTTP_AUTH="basic:127.0.0.1:$port:me:guess" "${build[@]}"
what="no credentials" expect_error 2 "HTTP_AUTH is not basic:HOST:USER:PASSWORD" -- env HTTP_AUTH=me:secret "${build[@]}"
same "and the answer does not repeat them" 0 "$(grep -c secret "$err")"
check "the one it knows" env HTTP_AUTH="$auth" "${build[@]}"
says "index, key and packages came from there" requests "200 /stage0/$arch/APKINDEX.tar.gz"
: >requests
check "again" env HTTP_AUTH="$auth" "${build[@]}"
same "asks whether index and key changed, and fetches nothing" "304 /stage0/keys/nacre-stage0.rsa.pub 304 /stage0/$arch/APKINDEX.tar.gz" \
  "$(LC_ALL=C sort -u requests | xargs)"

echo "-- a tagged repository"
{ head_of other; echo '      - stage0-layout'; printf 'pipeline:\n  - runs: test "$(words)" = words\n'; } >other.yaml
other=("$melange" build other.yaml --arch "$arch" --source-dir empty -r "$served/stage0" -k "$served/stage0/keys/nacre-stage0.rsa.pub"
  -r "@own $served/own" -k "$served/local.rsa.pub")
what="a package of a tagged repository, not asked for by tag" expect_error 4 "write words@own to allow it" -- \
  env HTTP_AUTH="$auth" "${other[@]}" --package-append words
check "asked for by tag" env HTTP_AUTH="$auth" "${other[@]}" --package-append words@own
says "its package was fetched" requests "200 /own/$arch/words-1-r0.apk"

echo "-- bump, update-cache"
for version in 1.0 1.1; do
  mkdir "words-$version"
  echo "$version" >"words-$version/version"
  tar -czf "$scratch/www/src/words-$version.tar.gz" "words-$version"
done
digest() { sha256sum "$scratch/www/src/words-$1.tar.gz" | cut -d' ' -f1; }
long() { sha512sum "$scratch/www/src/words-$1.tar.gz" | cut -d' ' -f1; }
{ version=1.0 head_of fetched; cat <<END
pipeline:
  - uses: fetch # where it is
    with:
      uri: $served/src/words-\${{package.version}}.tar.gz
      expected-sha256: $(digest 1.0)
  - pipeline:
      - uses: fetch
        with:
          expected-sha512: '$(long 1.0)'
          uri: $served/src/words-\${{package.version}}.tar.gz
END
} >fetched.yaml
cp fetched.yaml before.yaml
check "update-cache" env HTTP_AUTH="$auth" "$melange" update-cache --cache-dir cache fetched.yaml
same "keeps each source by its digest" "sha256:$(digest 1.0) sha512:$(long 1.0)" "$(ls cache | xargs)"
check "which it is" cmp "cache/sha256:$(digest 1.0)" "$scratch/www/src/words-1.0.tar.gz"
what="a version that is not there" expect_error 3 "words-9.9.tar.gz" -- env HTTP_AUTH="$auth" "$melange" bump fetched.yaml 9.9
same "leaves the definition" "$(cat before.yaml)" "$(cat fetched.yaml)"
check "bump" env HTTP_AUTH="$auth" "$melange" bump fetched.yaml 1.1
same "changes version and digests" "$(sed "s/\"1\.0\"/\"1.1\"/; s/$(digest 1.0)/$(digest 1.1)/; s/$(long 1.0)/$(long 1.1)/" before.yaml)" \
  "$(cat fetched.yaml)"

echo "-- license-check"
mkdir -p sources/lib
printf 'Permission is hereby granted, free of charge, to any person,\nwithout restriction. The above copyright notice and this permission\n' >sources/LICENSE
printf 'Mozilla Public License Version 2.0\n' >sources/lib/COPYING
check "license-check" "$melange" license-check words.yaml --workdir sources
says "says what is not declared" "$out" "found, and not declared: MPL-2.0"
cp words.yaml fixed.yaml
check "license-check --fix" "$melange" license-check fixed.yaml --workdir sources --fix
same "writes an entry for each file" "$(python3 - <<'END'
text = open('words.yaml').read()
print(text.replace("    - license: Apache-2.0\n", "    - license: MIT\n      license-path: LICENSE\n    - license: MPL-2.0\n      license-path: lib/COPYING\n"), end='')
END
)" "$(cat fixed.yaml)"
check "again" "$melange" license-check fixed.yaml --workdir sources --fix
cp words.yaml simple.yaml
check "--format simple" "$melange" license-check simple.yaml --workdir sources --fix --format simple
says "writes one" simple.yaml "    - license: MIT AND MPL-2.0"
sed 's/    - license: Apache-2.0/& # as agreed/' words.yaml >remark.yaml
what="a remark" expect_error 2 "remark.yaml:7:" "a comment would be lost" -- "$melange" license-check remark.yaml --workdir sources --fix

echo "-- places"
mkdir -p "given/$arch"
echo mine >"given/$arch/kept"
check "--workspace-dir, --trace and the other libc" env HTTP_AUTH="$auth" "${build[@]}" --workspace-dir given --rm=false --trace spans \
  --override-host-triplet-libc-substitution-flavor musl
says "what lay there was in the workspace" "given/$arch/listing" kept
same "and the workspace is there afterwards" "$arch-pc-linux-musl" "$(cat "given/$arch/triplet")"
same "a span for the build" Ok "$(grep '"Name":"build words"' spans | json '["Status"]["Code"]')"
finish
