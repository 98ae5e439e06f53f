"""Serves a directory on a free port of 127.0.0.1 to whoever says USER:PASSWORD; writes "PORT" first, then "STATUS PATH" lines.

    basic_server.py DIRECTORY USER:PASSWORD
"""
import base64
import hashlib
import http.server
import pathlib
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
WANTED = "Basic " + base64.b64encode(sys.argv[2].encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b"", **headers):
        print(status, self.path, flush=True)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.headers.get("Authorization") != WANTED:
            self.answer(401, b"who?", WWW_Authenticate="Basic")
            return
        file = (ROOT / self.path.lstrip("/").split("?")[0].replace("%2B", "+")).resolve()
        if ROOT not in file.parents or not file.is_file():
            self.answer(404)
            return
        body = file.read_bytes()
        tag = '"%s"' % hashlib.sha256(body).hexdigest()
        if self.headers.get("If-None-Match") == tag:
            self.answer(304, ETag=tag)
        else:
            self.answer(200, body, ETag=tag)

    def log_message(self, *_):
        pass


with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
