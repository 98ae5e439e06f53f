#!/usr/bin/env python3
"""An upstream of one's own: releases are files in a directory, and appear when they are put there.

usage: upstream_server.py DIR. DIR/NAME-VERSION.tar.gz is a release of NAME, seen at
/github/repos/up/NAME/releases and fetched from /src/NAME-VERSION.tar.gz. DIR/NAME.down: its feed answers with 503.
DIR/NAME.slow: it answers after so many seconds as the file says. Feeds have an ETag, and answer 304 to who has theirs. DIR/requests
gets a line for each question to a feed: NAME, status, when it came and when it was answered.
Prints its port, then serves until it is killed.
"""
import hashlib
import http.server
import json
import os
import re
import sys
import time

directory = sys.argv[1]


def releases(name):
    found = []
    for file in os.listdir(directory):
        match = re.fullmatch(re.escape(name) + r"-([0-9][^/]*)\.tar\.gz", file)
        if match:
            when = time.gmtime(os.stat(os.path.join(directory, file)).st_mtime)
            found.append({"tag_name": "v" + match[1], "published_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", when)})
    return found


class Upstream(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", etag=None):
        self.send_response(code)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        feed = re.fullmatch(r"/github/repos/up/([\w.-]+)/releases", path)
        if feed:
            return self.answer_feed(feed[1])
        source = re.fullmatch(r"/src/([\w.-]+)", path)
        if source and os.path.exists(os.path.join(directory, source[1])):
            with open(os.path.join(directory, source[1]), "rb") as file:
                return self.answer(200, file.read())
        self.answer(404)

    def answer_feed(self, name):
        came, beside = time.time(), os.path.join(directory, name)
        if os.path.exists(beside + ".slow"):
            with open(beside + ".slow") as file:
                time.sleep(float(file.read()))
        body = json.dumps(releases(name)).encode()
        etag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        code = 503 if os.path.exists(beside + ".down") else 304 if self.headers.get("If-None-Match") == etag else 200
        with open(os.path.join(directory, "requests"), "a") as log:
            log.write(f"{name} {code} {came} {time.time()}\n")
        self.answer(code, body if code == 200 else b"", etag if code != 503 else None)

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
print(server.server_address[1], flush=True)
server.serve_forever()
