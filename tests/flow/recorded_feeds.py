#!/usr/bin/env python3
"""Answers of release feeds, as each ecosystem's server gives them, from one local server (prints its port). Names that
begin with "broken" get what no client can use. Each request that it does not know is 404."""

import http.server
import json


def pkt(text):
    return f"{len(text) + 4:04x}{text}"


def refs(*tags):
    commit = "c0ffee" * 6 + "c0ff"
    lines = [f"{commit} HEAD\0multi_ack thin-pack symref=HEAD:refs/heads/main agent=git/2\n", f"{commit} refs/heads/main\n"]
    for tag in tags:
        lines += [f"{commit} refs/tags/{tag}\n", f"{commit} refs/tags/{tag}^{{}}\n"]
    return pkt("# service=git-upload-pack\n") + "0000" + "".join(map(pkt, lines)) + "0000"


def release(tag, **more):
    return {"tag_name": tag, "name": "Release " + tag, "draft": False, "prerelease": False,
            "published_at": "2026-11-01T10:00:00Z", "assets": [], **more}


ANSWERS = {
    "/github/repos/up/releases-tool/releases": json.dumps(
        [release("v2.0-rc1"), release("v1.4.0"), release("v1.5.0", prerelease=True), release("v1.6", draft=True),
         release("v1.3.1")]),
    "/github/repos/up/tags-tool/tags": json.dumps(
        [{"name": "tags_1_5", "commit": {}}, {"name": "other_9_9", "commit": {}}, {"name": "tags_1_4", "commit": {}}]),
    "/monitor/api/v2/versions/": json.dumps(
        {"latest_version": "1.8", "stable_versions": ["1.7", "1.3.1"], "versions": ["1.8-beta", "1.7", "1.3.1"]}),
    "/pypi/simple/py-tool/": json.dumps(
        {"meta": {"api-version": "1.1"}, "name": "py-tool", "versions": ["1.3.1", "1.4", "1.10", "1.11", "2.0rc1"],
         "files": [{"filename": f"py_tool-{v}.tar.gz", "yanked": v == "1.11", "upload-time": "2026-10-01T00:00:00.000Z"}
                   for v in ("1.3.1", "1.4", "1.10", "1.11")]}),
    "/npm/@up%2fnode-tool": json.dumps(
        {"name": "@up/node-tool", "dist-tags": {"latest": "1.9.0"},
         "versions": {"1.3.1": {}, "1.9.0": {}, "1.9.1": {"deprecated": "broken"}, "2.0.0-beta.1": {}},
         "time": {"1.9.0": "2026-10-01T00:00:00.000Z"}}),
    "/go/example.org/!up/gotool/@v/list": "v1.3.1\nv1.12.0\nv1.13.0-rc.1\nv2.0.0+incompatible\n",
    "/crates/cr/at/crate-tool": "".join(
        json.dumps({"name": "crate-tool", "vers": v, "deps": [], "cksum": "0" * 64, "features": {}, "yanked": y}) + "\n"
        for v, y in (("1.3.1", False), ("1.14.0", False), ("1.15.0", True), ("2.0.0-alpha.1", False))),
    "/maven/org/up/jar-tool/maven-metadata.xml":
        "<?xml version='1.0'?><metadata><groupId>org.up</groupId><artifactId>jar-tool</artifactId><versioning>"
        "<latest>2.0-M1</latest><release>1.16</release><versions><version>1.3.1</version><version>1.16</version>"
        "<version>2.0-SNAPSHOT</version><version>2.0-M1</version></versions></versioning></metadata>",
    "/git/tool.git/info/refs": refs("v1.3.1", "v1.17", "nightly"),
    # What no client can use.
    "/github/repos/up/broken-html/releases": "<html>sign in</html>",
    "/github/repos/up/broken-object/releases": '{"message": "Not what you asked for"}',
    "/github/repos/up/broken-empty/releases": "[]",
    "/pypi/simple/broken-py/": "<!doctype html><a href=x>x</a>",
    "/crates/br/ok/broken-crate": '{"vers": "1.4"}\n{"vers": \n',
    "/git/broken.git/info/refs": "00ffnot so long",
}


class Feeds(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        body = ANSWERS.get(path)
        if path.startswith("/src/") or path.startswith("/example.org/"):
            body = "the source " + path.rsplit("/", 1)[1]
        status = 200 if body is not None else 500 if "broken-500" in path else 404
        if path.startswith("/git/") and "service=git-upload-pack" not in self.path:
            status = 404
        body = (body or "").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Feeds)
print(server.server_port, flush=True)
server.serve_forever()
