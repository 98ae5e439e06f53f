#!/usr/bin/env python3
"""A registry between a client and an honest one, which lies in the way that the first part of a repository's name says.

usage: hostile_registry.py HOST:PORT   (of the honest registry; prints its own port)
127.0.0.1:OWN/LIE/nacre/nginx is nacre/nginx of the honest one with that lie; 127.0.0.1:OWN/slow/… is the honest one's
slow/…, with 2 s more for each upload but the first. LIEs that begin with "push-" are about uploads.
"""

import http.client
import http.server
import json
import os
import sys
import time

upstream = sys.argv[1]


def changed(body, at):
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slow_uploads = 0

    def log_message(self, *_):
        pass

    def forward(self, path):
        length = int(self.headers.get("Content-Length") or 0)
        return self.fetch(path, self.rfile.read(length) if length else None)

    def fetch(self, path, body=None):
        connection = http.client.HTTPConnection(upstream, timeout=20)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
        connection.request(self.command, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()

    def reply(self, status, headers, body):
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(key, value)
        length = next((v for k, v in headers if k.lower() == "content-length"), None)
        self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def endless(self, size=1 << 16, sleep=0.0):
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.index.v1+json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        noise = os.urandom(size)
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (size, noise))
            time.sleep(sleep)

    def cut(self, headers, body):
        """Announces all, sends a part, and closes."""
        self.send_response(200)
        for key, value in headers:
            if key.lower() in ("content-type", "docker-content-digest"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def lie_about_upload(self, lie, path):
        """True when it answered."""
        if self.command in ("POST", "PUT", "PATCH"):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        elif self.command == "HEAD" or "/uploads/" not in self.path and "/manifests/" not in self.path:
            self.reply(404, [], b"")
            return
        opened = self.command == "POST"
        where = f"/v2/{lie}/nacre/busybox/blobs/uploads/1"
        if lie == "push-to-itself":
            self.reply(307, [("Location", self.path)], b"")
        elif lie == "push-drip":
            self.endless(1, 0.3)
        elif lie == "push-endless":
            self.endless()
        elif lie == "push-broken":
            self.reply(500, [], b"")
        elif opened:
            to = {"push-to-file": "file:///etc/passwd", "push-nowhere": ""}.get(lie, where)
            self.reply(202, [("Location", to)] if to else [], b"")
        elif lie == "push-other-digest" or "/manifests/" in self.path:
            self.reply(201, [("Docker-Content-Digest", "sha256:" + "0" * 64)], b"")
        elif lie == "push-forgets":
            self.reply(404, [], b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
        else:
            self.reply(201, [], b"")

    def answer(self):
        parts = self.path.split("/")
        if len(parts) < 7:
            return self.reply(*self.forward(self.path))
        lie, kind, last = parts[2], parts[5], parts[-1].split("?")[0]
        if lie == "slow":
            if self.command == "POST":
                Liar.slow_uploads += 1
                time.sleep(0 if Liar.slow_uploads == 1 else 2)
            return self.reply(*self.forward(self.path))
        if lie.startswith("push-"):
            return self.lie_about_upload(lie, self.path)
        path = "/".join(parts[:2] + parts[3:])
        by_digest = last.startswith("sha256:")
        if kind == "blobs" and lie == "endless-blob" or kind == "manifests" and lie == "endless-manifest":
            return self.endless()
        if kind == "blobs" and lie.startswith("to-"):
            where = {"to-file": "file:///etc/passwd", "to-itself": self.path}[lie]
            return self.reply(307, [("Location", where)], b"")
        if kind == "blobs" and lie == "drip-blob" or kind == "manifests" and lie == "drip-manifest":
            return self.endless(1, 0.3)
        if lie == "cut-blob":
            del self.headers["Range"]
        if kind == "manifests" and lie == "broken":
            return self.reply(500, [], b"")
        status, headers, body = self.forward(path)
        if status == 200 and self.command == "GET":
            if lie == "changed-manifest" and kind == "manifests" and by_digest:
                body = changed(body, len(body) // 2)
            if lie == "changed-blob" and kind == "blobs" and len(body) > 50000:
                body = changed(body, 40000)
            if lie == "short-blob" and kind == "blobs" and len(body) > 50000:
                body = body[:-1]
            if lie == "cut-blob" and kind == "blobs":
                return self.cut(headers, body)
            if lie == "long-blob" and kind == "blobs":
                body += b"and more"
            if lie == "other-type" and kind == "manifests":
                other = "application/vnd.docker.distribution.manifest.v2+json"
                headers = [(k, other if k.lower() == "content-type" else v) for k, v in headers]
            if lie == "two-faces" and kind == "manifests" and not by_digest:
                both = json.loads(body)
                both["layers"] = both["config"] = []
                body = json.dumps(both).encode()
            if lie == "nested" and kind == "manifests":
                body = b"[" * 100000 + b"]" * 100000
            # Its evidence: none, or that of another image.
            if lie == "unsigned" and kind == "manifests" and last.startswith("sha256-"):
                status, body = 404, b"{}"
            if lie == "borrowed" and kind == "manifests" and last.startswith("sha256-"):
                _, about, _ = self.fetch("/v2/nacre/busybox/manifests/latest")
                digest = dict(about)["Docker-Content-Digest"]
                _, _, body = self.fetch("/v2/nacre/busybox/manifests/" + digest.replace(":", "-"))
        if lie == "borrowed" and status == 404 and by_digest:
            status, headers, body = self.fetch("/".join(["/v2/nacre/busybox", kind, last]))
        return self.reply(status, headers, body)

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, OSError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
print(server.server_port, flush=True)
server.serve_forever()
