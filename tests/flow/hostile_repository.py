#!/usr/bin/env python3
"""A web server for a directory whose answers go wrong as the first part of the path says, and one that only listens.

usage: hostile_repository.py DIRECTORY LOG
Prints "PORT OTHERPORT". 127.0.0.1:PORT/MODE/FILE is FILE of the directory, with that mode's fault; OTHERPORT serves the
directory under another host name ("localhost"), for redirects. One line of JSON in LOG for each request.
"""

import base64
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time

root, log = pathlib.Path(sys.argv[1]).resolve(), open(sys.argv[2], "a", buffering=1)
lock, seen, active = threading.Lock(), {}, [0, 0]
BASIC = "Basic " + base64.b64encode(b"reader:se cret").decode()
BEARER = "Bearer token-of-the-test"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, status):
        log.write(json.dumps({"path": self.path, "status": status, "port": self.server.server_port,
                              "range": self.headers.get("Range", ""), "ifRange": self.headers.get("If-Range", ""),
                              "authorization": self.headers.get("Authorization", ""),
                              "most": active[1]}) + "\n")

    def head(self, status, length, **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status, body=b"", **headers):
        self.head(status, len(body), **headers)
        self.wfile.write(body)

    def file(self, body):
        """As a good server does: ETag, conditions, ranges."""
        tag = '"%s"' % hashlib.sha256(body).hexdigest()[:16]
        if self.headers.get("If-None-Match") == tag:
            return self.answer(304, ETag=tag)
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and self.headers.get("If-Range", tag) == tag:
            start = int(wanted[6:].split("-")[0])
            if start >= len(body):
                return self.answer(416, Content_Range=f"bytes */{len(body)}")
            rest = body[start:]
            return self.answer(206, rest, ETag=tag, Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        return self.answer(200, body, ETag=tag)

    def do_GET(self):
        _, mode, *rest = self.path.split("?")[0].replace("%2B", "+").split("/")
        path = root.joinpath(*rest).resolve()
        if root not in path.parents or not path.is_file():
            return self.answer(404)
        body, package = path.read_bytes(), path.suffix == ".apk"
        with lock:
            count = seen[self.path] = seen.get(self.path, 0) + 1
            active[0] += 1
            active[1] = max(active)
        try:
            getattr(self, mode.replace("-", "_"), self.plain)(body, package, count, "/".join(rest))
        except (ConnectionError, OSError):
            self.close_connection = True
        finally:
            with lock:
                active[0] -= 1

    def plain(self, body, package, count, rest):
        self.file(body)

    def busy(self, body, package, count, rest):
        if count < 3:
            return self.answer(503, Retry_After="1")
        self.file(body)

    def slowly(self, body, package, count, rest):
        time.sleep(0.3 if package else 0)
        self.file(body)

    def cut(self, body, package, count, rest):
        if package and count == 1:
            self.head(200, len(body), ETag='"%s"' % hashlib.sha256(body).hexdigest()[:16])
            self.wfile.write(body[: len(body) * 2 // 3])
            self.close_connection = True
            return
        self.file(body)

    def changing(self, body, package, count, rest):
        """Breaks off, and has another file when it is asked again."""
        if package and count == 1:
            self.head(200, len(body), ETag='"of-yesterday"')
            self.wfile.write(bytes(len(body) * 2 // 3))
            self.close_connection = True
            return
        self.file(body)

    def short(self, body, package, count, rest):
        if not package:
            return self.file(body)
        self.head(200, len(body))
        self.wfile.write(body[:100])
        self.close_connection = True

    def truncated(self, body, package, count, rest):
        self.file(body[:-1000] if package else body)

    def longer(self, body, package, count, rest):
        self.file(body + b"more" if package else body)

    def wrong(self, body, package, count, rest):
        at = len(body) // 2
        self.file(body[:at] + bytes([body[at] ^ 1]) + body[at + 1:] if package else body)

    def wrong_index(self, body, package, count, rest):
        at = len(body) // 2
        self.file(body if package else body[:at] + bytes([body[at] ^ 1]) + body[at + 1:])

    def other(self, body, package, count, rest):
        """Another good package under this one's name."""
        others = [p.read_bytes() for p in sorted(root.rglob("*.apk")) if not self.path.endswith(p.name)]
        self.file(min(others, key=lambda b: (len(b) > len(body), len(b))) if package else body)

    def endless_body(self, sleep=0.0, piece=b"x" * 65536):
        self.head(200, None, Transfer_Encoding="chunked")
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(sleep)

    def endless(self, body, package, count, rest):
        self.endless_body() if package else self.file(body)

    def endless_index(self, body, package, count, rest):
        self.endless_body()

    def endless_headers(self, body, package, count, rest):
        self.note(200)
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"X-More: " + b"y" * 8000 + b"\r\n")

    def drip(self, body, package, count, rest):
        self.endless_body(1, b"x") if package else self.file(body)

    def drip_index(self, body, package, count, rest):
        self.endless_body(1, b"x")

    def loop(self, body, package, count, rest):
        self.answer(302, Location=self.path)

    def to_file(self, body, package, count, rest):
        self.answer(302, Location="file:///etc/passwd")

    def away(self, body, package, count, rest):
        if self.headers.get("Authorization") not in (BASIC, BEARER):
            return self.answer(401, WWW_Authenticate="Basic")
        self.answer(302, Location=f"http://localhost:{other.server_port}/plain/{rest}")

    def basic(self, body, package, count, rest):
        good = self.headers.get("Authorization") == BASIC
        self.file(body) if good else self.answer(401, WWW_Authenticate="Basic")

    def bearer(self, body, package, count, rest):
        good = self.headers.get("Authorization") == BEARER
        self.file(body) if good else self.answer(401, WWW_Authenticate="Bearer")


server, other = Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)
threading.Thread(target=other.serve_forever, daemon=True).start()
print(server.server_port, other.server_port, flush=True)
server.serve_forever()
