"""Modules go where upstream's Python puts them: /usr/lib/pythonX.Y/site-packages.

Debian's interpreter sends what is installed by hand to /usr/local/lib/pythonX.Y/dist-packages. A build root has no
hand-made part: what is built here belongs to the system.
"""
import site
import sys
import sysconfig

_folder = "/usr/lib/python%d.%d/site-packages" % sys.version_info[:2]
_schemes = sysconfig._INSTALL_SCHEMES
for _name in ("posix_local", "deb_system"):
    if _name in _schemes and "posix_prefix" in _schemes:
        _schemes[_name] = dict(_schemes["posix_prefix"])

_getsitepackages = site.getsitepackages


def _with_upstreams(prefixes=None):
    found = _getsitepackages(prefixes)
    return found if prefixes is not None else [_folder] + [folder for folder in found if folder != _folder]


site.getsitepackages = _with_upstreams
if sys.prefix == sys.base_prefix:
    site.addsitedir(_folder)
