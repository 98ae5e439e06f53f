#!/usr/bin/env python3
"""A proxy for HTTP and, by CONNECT, for TLS, on a free port of 127.0.0.1; with USER:PASSWORD it asks for them.

usage: proxy.py LOG [USER:PASSWORD]     prints its port; a line "METHOD TARGET" in LOG for each request
"""

import base64
import http.client
import http.server
import select
import socket
import sys
import urllib.parse

log = open(sys.argv[1], "a", buffering=1)
wanted = "Basic " + base64.b64encode(sys.argv[2].encode()).decode() if len(sys.argv) > 2 else None


class Proxy(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def refused(self):
        if wanted is None or self.headers.get("Proxy-Authorization") == wanted:
            log.write(f"{self.command} {self.path}\n")
            return False
        self.send_response(407)
        self.send_header("Proxy-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def do_GET(self):
        if self.refused():
            return
        url = urllib.parse.urlsplit(self.path)
        # The names of the test lead here.
        connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=20)
        headers = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
        connection.request("GET", url.path, None, headers)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        if self.refused():
            return
        port = int(self.path.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), 20) as far:
            self.send_response(200)
            self.end_headers()
            ends = [self.connection, far]
            while True:
                ready, _, _ = select.select(ends, [], [], 30)
                if not ready:
                    return
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[1 - ends.index(end)].sendall(data)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_port, flush=True)
server.serve_forever()
