#!/usr/bin/env python3
"""An upstream of one's own: releases are files in a directory, and appear when they are put there.

usage: upstream_server.py DIR. DIR/NAME-VERSION.tar.gz is a release of NAME, seen at
/github/repos/up/NAME/releases and fetched from /src/NAME-VERSION.tar.gz. DIR/NAME.down: its feed answers with 503.
Prints its port, then serves until it is killed.
"""
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

    def answer(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        feed = re.fullmatch(r"/github/repos/up/([\w.-]+)/releases", path)
        if feed and os.path.exists(os.path.join(directory, feed[1] + ".down")):
            return self.answer(503)
        if feed:
            return self.answer(200, json.dumps(releases(feed[1])).encode())
        source = re.fullmatch(r"/src/([\w.-]+)", path)
        if source and os.path.exists(os.path.join(directory, source[1])):
            with open(os.path.join(directory, source[1]), "rb") as file:
                return self.answer(200, file.read())
        self.answer(404)

    do_HEAD = do_GET


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
print(server.server_address[1], flush=True)
server.serve_forever()
