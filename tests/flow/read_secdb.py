"""Alpine's security data base, read by vunnel: the program that reads it for the scanner grype.

    read_secdb.py SECURITY.JSON NAMESPACE WORKSPACE

leaves WORKSPACE/NAMESPACE/metadata.json and the results beside it. The file is served from here, since vunnel reads over HTTP; of
when a fix was first seen, which vunnel looks up in a registry, it is told nothing."""
import functools, http.server, os, sys, threading

from vunnel import workspace
from vunnel.providers import wolfi
from vunnel.tool import fixdate


class Unknown(fixdate.Finder):
    def __init__(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def download(self):
        pass

    def best(self, *_, **__):
        return None


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


file, namespace, root = sys.argv[1:]
server = http.server.ThreadingHTTPServer(
    ("127.0.0.1", 0), functools.partial(Quiet, directory=os.path.dirname(os.path.abspath(file))))
threading.Thread(target=server.serve_forever, daemon=True).start()


class Provider(wolfi.Provider):
    _url = f"http://127.0.0.1:{server.server_port}/{os.path.basename(file)}"
    _namespace = namespace

    @classmethod
    def name(cls):
        return namespace


provider = Provider(root)
provider.parser.fixdater = Unknown()
provider.run()
server.shutdown()
