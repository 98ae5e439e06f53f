#!/usr/bin/env bash
# Repositories over the network: proxies, an own CA, passwords and tokens, servers that are busy, break off, change, lie, drip or
# never end; how many are asked at once; offline. Needs no distribution: the packages are made here.
. "$(dirname "$0")/lib.sh"
for program in python3 openssl curl; do command -v "$program" >/dev/null || skip "no $program"; done
unset http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY all_proxy HTTP_AUTH NETRC SSL_CERT_FILE
export NETRC=/dev/null
arch=$(uname -m)
site=$scratch/site
mkdir -p "$site/$arch"

# ---- packages of 60 KB that do not compress, and their index with a key of the test's
python3 - "$site/$arch" "$arch" <<'END'
import gzip, hashlib, io, random, sys, tarfile
folder, arch = sys.argv[1:]
def archive(rows):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in rows:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            entry.pax_headers = {"APK-TOOLS.checksum.SHA1": hashlib.sha1(content).hexdigest()} if "/" in name else {}
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
for number in range(16):
    content = random.Random(number).randbytes(60000)
    data = gzip.compress(archive([("usr/p%d" % number, content)]), 1)
    info = (f"pkgname = p{number}\npkgver = 1-r0\narch = {arch}\nsize = 60000\npkgdesc = a test\n"
            f"datahash = {hashlib.sha256(data).hexdigest()}\n")
    control = archive([(".PKGINFO", info.encode())]).rstrip(b"\0")
    control += b"\0" * (-len(control) % 512)
    open(f"{folder}/p{number}-1-r0.apk", "wb").write(gzip.compress(control, 1) + data)
END
openssl genrsa -out "$scratch/test.rsa" 2048 2>/dev/null
openssl rsa -in "$scratch/test.rsa" -pubout -out "$scratch/test.rsa.pub" 2>/dev/null
export NACRE_HOME=$scratch/home
check "an index of the packages" "$NACRE" index --quiet --signing-key "$scratch/test.rsa" --out "$site/$arch/APKINDEX.tar.gz" "$site/$arch"/*.apk || finish

python3 "$source_root/tests/flow/hostile_repository.py" "$site" "$scratch/log" >"$scratch/ports" 2>"$scratch/server.err" </dev/null &
children+=("$!")
for _ in $(seq 100); do [ -s "$scratch/ports" ] && break; sleep 0.05; done
read -r port _ <"$scratch/ports"
base=http://127.0.0.1:$port

# import_from ADDRESS [PACKAGE …]: brings packages into a directory that is new each time; only what the store has is kept.
import_from() {
  local from=$1
  shift
  rm -rf "$scratch/mine"
  timeout 60 "$NACRE" repo import --quiet "$scratch/mine" "$@" --from "$from" --key "$scratch/test.rsa.pub"
}
# The store forgets what was fetched, the signer's keys stay.
forget() { rm -rf "$NACRE_HOME/blobs" "$NACRE_HOME/partial" "$NACRE_HOME"/state.db*; : >"$scratch/log"; }
# logged EXPRESSION: of the rows of the server's log, as Python says it.
logged() { python3 -c 'import json, sys; rows = [json.loads(line) for line in open(sys.argv[1])]; print(eval(sys.argv[2]))' "$scratch/log" "$1"; }

echo "-- honest servers"
check "one package" import_from "$base/plain" p1 || finish
forget
check "all, several at once" import_from "$base/slowly"
same "  16 packages" 16 "$(find "$scratch/mine" -name '*.apk' | wc -l)"
[ "$(logged 'max(r["most"] for r in rows)')" -ge 6 ] && passed "  $(logged 'max(r["most"] for r in rows)') transfers at a time" ||
  fail "  never more than $(logged 'max(r["most"] for r in rows)') transfers at a time"
: >"$scratch/log"
check "again" import_from "$base/slowly"
same "  asks one question, answered 304" "[('/slowly/$arch/APKINDEX.tar.gz', 304)]" "$(logged '[(r["path"], r["status"]) for r in rows]')"
forget
check "a busy server that says when to come back" import_from "$base/busy" p2
same "  asked three times for each" "[503, 503, 200, 503, 503, 200]" "$(logged '[r["status"] for r in rows]')"
forget
check "a server that breaks off" import_from "$base/cut" p3
same "  is asked for the rest, of the same file" "['', 'bytes=True']" "$(logged '[r["range"][:6] + (str(int(r["range"][6:-1]) > 30000) if r["range"] else "") for r in rows if "apk" in r["path"][-4:]]')"
same "  by its ETag" True "$(logged 'rows[-1]["ifRange"].startswith("\"")')"
forget
check "a server whose file changed meanwhile" import_from "$base/changing" p4
forget

echo "-- passwords and tokens"
what="no password" expect_error 6 'was refused (status 401)' -- import_from "$base/basic" p1
printf 'machine 127.0.0.1\n  login reader\n  password "se cret"\n' >"$scratch/netrc"
NETRC=$scratch/netrc check "netrc" import_from "$base/basic" p1
forget
HTTP_AUTH="basic:127.0.0.1:$port:reader:se cret" check "HTTP_AUTH, basic" import_from "$base/basic" p1
forget
HTTP_AUTH="bearer:127.0.0.1:$port:token-of-the-test" check "HTTP_AUTH, bearer" import_from "$base/bearer" p1
forget
check "in the address" import_from "http://reader:se%20cret@127.0.0.1:$port/basic" p1
if grep -rqaE 'se cret|se%20cret' "$NACRE_HOME/state.db"*; then fail "  the password is in the state database"; else passed "  and nowhere in the store"; fi
forget
NETRC=$scratch/netrc check "a redirect to another host" import_from "$base/away" p1
same "  carries no password there" "{''}" "$(logged '{r["authorization"] for r in rows if "/plain/" in r["path"]}')"
same "  but to the first host" "{'Basic cmVhZGVyOnNlIGNyZXQ='}" "$(logged '{r["authorization"] for r in rows if "/away/" in r["path"]}')"
forget
HTTP_AUTH="bearer:127.0.0.1:$port:token-of-the-test" check "likewise" import_from "$base/away" p1
same "  no token" "{''}" "$(logged '{r["authorization"] for r in rows if "/plain/" in r["path"]}')"
forget

echo "-- servers that lie"
export NACRE_HTTP_TIMEOUT=2
refuses() {
  local code=$1 mode=$2 words=$3
  what=$mode expect_error "$code" "$words" -- import_from "$base/$mode" p5
  same "  nothing of it is kept" 0 "$(find "$scratch/mine" -name '*.apk' 2>/dev/null | wc -l)"
  forget
}
refuses 5 short 'p5-1-r0.apk'
refuses 6 truncated '.PKGINFO says'
refuses 2 longer 'longer than'
refuses 2 wrong 'incorrect data check'
refuses 6 other 'Q1'
refuses 2 endless 'longer than'
refuses 5 drip 'too slow'
refuses 2 loop 'redirects'
refuses 2 to-file 'not supported'
refuses 2 endless-headers 'the headers are longer than'
forget
what=wrong-index expect_error 2 'gzip member 1 is broken' -- import_from "$base/wrong-index" p5
forget
what=drip-index expect_error 5 'too slow' -- timeout 60 "$NACRE" solve --quiet -r "$base/drip-index" p5
forget
begin=$SECONDS
what=endless-index expect_error 2 'longer than' -- import_from "$base/endless-index" p5
[ $((SECONDS - begin)) -lt 20 ] && passed "  after $((SECONDS - begin)) s" || fail "  took $((SECONDS - begin)) s"
forget
unset NACRE_HTTP_TIMEOUT
what="a timeout that is none" expect_error 2 "NACRE_HTTP_TIMEOUT is '-1'" -- env NACRE_HTTP_TIMEOUT=-1 "$NACRE" solve --quiet -r "$base/plain" p1

echo "-- proxies"
python3 "$source_root/tests/flow/proxy.py" "$scratch/proxied" >"$scratch/proxy" 2>/dev/null </dev/null &
children+=("$!")
python3 "$source_root/tests/flow/proxy.py" "$scratch/proxied-too" me:pass >"$scratch/proxy-too" 2>/dev/null </dev/null &
children+=("$!")
for _ in $(seq 100); do [ -s "$scratch/proxy" ] && [ -s "$scratch/proxy-too" ] && break; sleep 0.05; done
proxy=http://127.0.0.1:$(cat "$scratch/proxy") asking=127.0.0.1:$(cat "$scratch/proxy-too")
http_proxy=$proxy check "http_proxy" import_from "http://repository.invalid:$port/plain" p6
says "  was asked" "$scratch/proxied" "GET http://repository.invalid:$port/plain/$arch/APKINDEX.tar.gz"
says "  for the package, too" "$scratch/proxied" "/plain/$arch/p6-1-r0.apk"
forget; : >"$scratch/proxied"
http_proxy=$proxy no_proxy=example.org,127.0.0.1 check "no_proxy" import_from "$base/plain" p6
same "  the proxy was not asked" "" "$(cat "$scratch/proxied")"
forget
http_proxy=http://me:pass@$asking check "a proxy with a password" import_from "http://repository.invalid:$port/plain" p6
forget
what="without it" expect_error 2 'status 407' -- env http_proxy="http://$asking" timeout 60 "$NACRE" solve --quiet -r "http://repository.invalid:$port/plain" p6
forget

echo "-- TLS with an authority of one's own"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=an authority" -keyout "$scratch/ca.key" -out "$scratch/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$scratch/tls.key" -out "$scratch/tls.csr" 2>/dev/null
openssl x509 -req -in "$scratch/tls.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 -out "$scratch/tls.pem" \
  -extfile <(echo 'subjectAltName=DNS:localhost,DNS:repository.invalid,IP:127.0.0.1') 2>/dev/null
if nginx=$(command -v nginx || command -v /usr/sbin/nginx); then
  tls=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf 'reader:%s\n' "$(openssl passwd -apr1 'se cret')" >"$scratch/htpasswd"
  chmod -R a+rX "$site" "$scratch/htpasswd"
  cat >"$scratch/nginx.conf" <<END
pid $scratch/nginx.pid; error_log $scratch/nginx.log; events {}
http {
  access_log $scratch/nginx.access; client_body_temp_path $scratch/body;
  server {
    listen 127.0.0.1:$tls ssl; ssl_certificate $scratch/tls.pem; ssl_certificate_key $scratch/tls.key; root $site;
    location /closed/ { auth_basic "closed"; auth_basic_user_file $scratch/htpasswd; alias $site/; }
  }
}
END
  "$nginx" -c "$scratch/nginx.conf" -g 'daemon off; user root;' >"$scratch/nginx.out" 2>&1 </dev/null &
  children+=("$!")
  for _ in $(seq 100); do curl -fs --cacert "$scratch/ca.pem" -o /dev/null "https://127.0.0.1:$tls/$arch/APKINDEX.tar.gz" && break; sleep 0.05; done
  what="a stranger's certificate" expect_error 5 'SSL_CERT_FILE' -- timeout 60 "$NACRE" solve --quiet -r "https://127.0.0.1:$tls" p7
  export SSL_CERT_FILE=$scratch/ca.pem
  check "nginx, with the authority" import_from "https://127.0.0.1:$tls" p7
  check "  again" import_from "https://127.0.0.1:$tls" p7
  same "  answered 304 by nginx's own ETag" 1 "$(grep -c 'APKINDEX.tar.gz HTTP/[12.]*" 304' "$scratch/nginx.access")"
  forget
  what="nginx, auth_basic, nobody" expect_error 6 'status 401' -- import_from "https://127.0.0.1:$tls/closed" p7
  NETRC=$scratch/netrc check "  netrc" import_from "https://127.0.0.1:$tls/closed" p7
  forget
  https_proxy=$proxy check "https_proxy, a tunnel" import_from "https://repository.invalid:$tls" p7
  says "  was asked" "$scratch/proxied" "CONNECT repository.invalid:$tls"
  forget
  # A part that an earlier call left is gone on with.
  mkdir -p "$NACRE_HOME/partial"
  place=https://127.0.0.1:$tls/$arch/p8-1-r0.apk
  head -c 40000 "$site/$arch/p8-1-r0.apk" >"$NACRE_HOME/partial/fetch-$(printf %s "$place" | sha256sum | cut -d' ' -f1)"
  check "a download that another process began" import_from "https://127.0.0.1:$tls" p8
  says "  nginx sent the rest only" "$scratch/nginx.access" 'p8-1-r0.apk HTTP/1.1" 206' || true
  unset SSL_CERT_FILE
else
  printf 'skip  no nginx\n'
fi

echo "-- offline"
forget
what="nothing was brought before" expect_error 3 'this call is offline' -- "$NACRE" repo import --quiet "$scratch/mine" p9 --from "$base/plain" --key "$scratch/test.rsa.pub" --offline
check "online once" import_from "$base/plain" p9
offline=("$NACRE" repo import --quiet "$scratch/mine-too" p9 --from "$base/plain" --key "$scratch/test.rsa.pub" --offline)
if command -v strace >/dev/null; then
  check "offline then, under strace" strace -f -e trace=network -o "$scratch/sockets" "${offline[@]}"
  same "  no socket of the internet" 0 "$(grep -c 'AF_INET' "$scratch/sockets")"
elif unshare -n true 2>/dev/null; then
  check "offline then, where there is no network" unshare -n "${offline[@]}"
else
  check "offline then" "${offline[@]}"
fi
finish
