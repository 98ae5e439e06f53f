#!/usr/bin/env python3
"""How often a new release of a library changes what its users see: builds real libraries in successive releases.

    bench/rates.py releases DIR      write rates/releases.tsv from the Sources lists that apt keeps in DIR
    bench/rates.py fetch WORK        get the archives that releases.tsv names, with apt's client, from its first archive
    bench/rates.py build WORK [--pairs] [LIBRARY]...  build all releases of rates/libraries.tsv, or those that pairs.tsv names,
                                     one after the other; resumable
    bench/rates.py collect WORK      compare neighbours: rates/pairs.tsv, rates/built.json, and with Debian's both.json
    bench/rates.py debian WORK DIR   the same of Debian's own binaries, by the Packages lists in DIR: rates/debian.tsv, .json.
                                     Another compiler made each suite, so these are never mixed with the others
    bench/rates.py users WORK DIR    of the pairs in debian.tsv: who among real users is touched (package/touch.h). By the
                                     Packages and Sources lists in DIR: rates/users.tsv, and `used` in debian.json
    bench/rates.py users-built WORK DIR  the same of the pairs in pairs.tsv: rates/users-built.tsv, and `used` in built.json
    bench/rates.py truth WORK DIR [MOST]  of users in users.tsv: MOST (24) that are cut off and as many that are touched, built
                                     against both releases of the library, and compared byte by byte: rates/truth.tsv.
                                     Needs root, for overlays and chroot
    bench/rates.py users-read WORK DIR [MOST]  of rows in users.tsv, in the order of a hash: those users built (MOST of them, 24),
                                     and asked again with all that the build left, and with what of it somebody read
                                     (os/read_mark.h): rates/users-read.tsv. Needs what `truth` needs
    bench/rates.py used WORK         the last step of both again: the figures from their rows, and both.json
    bench/rates.py sizes DIR GRAPH   rates/sizes.tsv: bytes of each definition's packages, as Debian's of the same name
                                     (sid, by the Packages lists in DIR), the median for the others

Every library is built by one definition, made here from its line of libraries.tsv, in all its releases, with the same
compiler (stage 0 alone, in NACRE_HOME below WORK; NACRE_BIN: another nacre). Build first: ninja -C build/release nacre abi_probe use_probe
"""
import concurrent.futures, contextlib, datetime, glob, hashlib, json, os, pathlib, re, shutil, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
TOP, TABLES = HERE.parent, HERE / "rates"
BUILD = pathlib.Path(os.environ.get("NACRE_BUILD", TOP / "build/release"))
SECONDS_PER_BUILD = 3600

CONFIGURE = ("./configure --prefix=/usr --libdir=/usr/lib --sysconfdir=/etc --enable-shared --enable-static "
             "--disable-dependency-tracking")
FRESH = "[ -x configure ] || autoreconf -fi"
MAKE = "make -j1"
INSTALL = "make install DESTDIR=${{targets.destdir}}"
# Steps of each build system; %s: the switches.
SYSTEMS = {
    "autotools": [FRESH, CONFIGURE + " %s", MAKE, INSTALL],
    "autotools-in-expat": ["cd expat; [ -x configure ] || ./buildconf.sh", "cd expat; " + CONFIGURE + " %s",
                           "cd expat; " + MAKE, "cd expat; " + INSTALL],
    "configure-make": ["./configure %s", MAKE, INSTALL],
    "zlib": ["CFLAGS=-O2 ./configure --prefix=/usr --libdir=/usr/lib", MAKE, INSTALL],
    "make": ["make -j1 %s", "make install DESTDIR=${{targets.destdir}} %s"],
    "cmake": ["cmake -S . -B out -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DCMAKE_INSTALL_LIBDIR=lib "
              "-DBUILD_SHARED_LIBS=ON %s", "cmake --build out -j1", "DESTDIR=${{targets.destdir}} cmake --install out"],
}
AUTOTOOLS = ["autoconf", "automake", "libtool"]
SYSTEM_NEEDS = {"cmake": ["cmake"], "autotools": AUTOTOOLS, "autotools-in-expat": AUTOTOOLS}

# Names that Debian makes at installation: stage 0 package -> links.
LINKS = {"automake": {"usr/bin/aclocal": "aclocal-1.16", "usr/bin/automake": "automake-1.16"}}
# What stage 0 gets besides os/stage0.yaml: name -> Debian packages.
TOOLS = {
    "cmake": ["cmake", "cmake-data"], "autoconf": ["autoconf"],
    "automake": ["automake", "autotools-dev"], "libtool": ["libtool", "autopoint", "gettext", "file"], "gperf": ["gperf"],
    "flex": ["flex"], "bzip2": ["bzip2"], "perl": ["perl", "perl-base", "perl-modules-5.36"],
}


def rows(name):
    for line in (TABLES / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def read_rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def version_key(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def write_releases(folder):
    """The releases that Debian's suites hold, of each library; dates and rebuilds of one release are one."""
    wanted = {row[1]: row[0] for row in rows("libraries.tsv")}
    found = {}
    for list_file in sorted(glob.glob(folder + "/*_Sources*")):
        text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", list_file], stdout=subprocess.PIPE, check=True).stdout.decode()
        for stanza in text.split("\n\n"):
            source = re.match(r"Package: (\S+)", stanza)
            if not source or source.group(1) not in wanted:
                continue
            upstream = re.search(r"^Version: (?:\d+:)?(\S+?)(?:-[^-]*)?$", stanza, re.M).group(1)
            release = re.sub(r"^.*\+really", "", upstream)
            release = re.sub(r"[.+]?(dfsg|ds).*|-stable|~.*", "", release).replace("-", ".").replace("+", ".")
            pool = re.search(r"^Directory: (\S+)", stanza, re.M).group(1)
            for digest, size, name in re.findall(r"^ ([0-9a-f]{64}) (\d+) (\S+\.orig\.tar\.\w+)$", stanza, re.M):
                found.setdefault((wanted[source.group(1)], release), (name, digest, size, pool + "/" + name))
    order = {row[0]: i for i, row in enumerate(rows("libraries.tsv"))}
    with open(TABLES / "releases.tsv", "w") as out:
        out.write("# Releases of each library that Debian's archive held when this was written; rates.py releases.\n")
        out.write("# name\trelease\tarchive\tsha256\tsize\tplace below the archive's base\n")
        for (name, release), rest in sorted(found.items(), key=lambda x: (order[x[0][0]], version_key(x[0][1]))):
            out.write("\t".join((name, release) + rest) + "\n")


def scratch_os(work):
    """A distribution of nothing but stage 0, with the tools and libraries that the table asks for."""
    folder = work / "os"
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    for name in ("pipelines", "needs.yaml", "stage0"):
        if not (folder / name).exists():
            (folder / name).symlink_to(TOP / "os" / name)
    needs = sorted({need for row in rows("libraries.tsv") for need in row[3].split(",") if need})
    text = (TOP / "os/stage0.yaml").read_text()
    known = set(re.findall(r"^  - name: (\S+)", text, re.M))
    extra = dict(TOOLS)
    extra.update({need: [need] for need in needs if need not in extra and need not in known})
    for name, debs in extra.items():
        if name not in known:
            text += "\n  - name: %s\n    debs: [%s]\n" % (name, ", ".join(debs))
            if name in LINKS:
                text += "    links: {%s}\n" % ", ".join("%s: %s" % link for link in LINKS[name].items())
    if not (folder / "stage0.yaml").exists() or (folder / "stage0.yaml").read_text() != text:
        (folder / "stage0.yaml").write_text(text)
    lock = "sources:\n"
    for name, release, archive, digest, size, pool in rows("releases.tsv"):
        lock += ("  - file: %s\n    sha256: %s\n    size: %s\n    uri: https://upstream.invalid/%s\n    debian-pool: %s\n"
                 "    used-by: [%s]\n" % (archive, digest, size, archive, pool, name))
    (folder / "sources.lock").write_text(lock)
    return folder


def definition(library, release):
    name, _, system, needs, switches = library
    _, version, archive, digest, _, _ = release
    packages = ["build-base", "pkgconf", "bison", "bzip2"] + SYSTEM_NEEDS.get(system, []) + [n for n in needs.split(",") if n]
    steps = "".join("  - runs: |\n      %s\n" % (step.replace("%s", switches)) for step in SYSTEMS[system])
    return f"""package:
  name: {name}
  version: {version}
  epoch: 0
  description: {name}, to be compared with its other releases
  copyright:
    - license: NOASSERTION
environment:
  contents:
    packages: [{", ".join(dict.fromkeys(packages))}]
pipeline:
  - uses: fetch
    with:
      uri: https://upstream.invalid/{archive}
      expected-sha256: {digest}
{steps}  - working-directory: ${{{{targets.destdir}}}}
    runs: |
      rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale
      find . -name '*.la' -delete
  - uses: strip
    with:
      opts: --strip-unneeded
subpackages:
  - name: {name}-static
    pipeline:
      - uses: split/static
  - name: {name}-dev
    pipeline:
      - uses: split/dev
"""


def newest_first(folder=None):
    """All releases (that `folder` has): of each library the two newest, then of each the one before, and so on."""
    by_name = {}
    for release in rows("releases.tsv"):
        if folder is None or (folder / release[2]).exists():
            by_name.setdefault(release[0], []).insert(0, release)
    turn = {release[1] + " " + name: max(i, 1) for name, all_of in by_name.items() for i, release in enumerate(all_of)}
    return sorted((r for all_of in by_name.values() for r in all_of), key=lambda r: turn[r[1] + " " + r[0]])


def fetch_all(work):
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                             stdout=subprocess.PIPE, check=True).stdout.decode().split()
    folder = work / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    for _, _, archive, digest, _, pool in newest_first():
        if not (folder / archive).exists():
            uri = next(uri for uri in targets if uri.rstrip("/").endswith("/debian")).rstrip("/") + "/" + pool
            subprocess.run(["/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file", uri,
                            str(folder / archive), "SHA256:" + digest])


def build_all(work, only):
    paired = {(name, release) for name, *both in (row[:3] for row in rows("pairs.tsv")) for release in both}
    pairs, only = "--pairs" in only, set(only) - {"--pairs"}
    libraries = {row[0]: row for row in rows("libraries.tsv")}
    env = dict(os.environ, NACRE_HOME=str(work / "home"), NACRE_OS_DIR=str(scratch_os(work)), NACRE_STEP_CACHE="0",
               NACRE_SOURCE_MIRRORS=str(work / "archives"))
    done = work / "builds.jsonl"
    known = {(r["name"], r["release"]) for r in read_rows(done) if r["ok"]}
    (work / "definitions").mkdir(exist_ok=True)
    (work / "logs").mkdir(exist_ok=True)
    for release in newest_first(work / "archives"):
        name, version = release[:2]
        if (name, version) in known or (only and name not in only) or (pairs and (name, version) not in paired):
            continue
        file = work / "definitions" / f"{name}.yaml"
        file.write_text(definition(libraries[name], release))
        out = work / "packages" / f"{name}-{version}"
        start = time.time()
        command = [os.environ.get("NACRE_BIN", BUILD / "src/cli/nacre"), "build", "--quiet", "--jobs", "1", "--gates-warn",
                   "--out", out, file]
        with open(work / "logs" / f"{name}-{version}.log", "w") as log:
            try:
                code = subprocess.run(list(map(str, command)), env=env, stdout=log, stderr=log, timeout=SECONDS_PER_BUILD).returncode
            except subprocess.TimeoutExpired:
                code = -1
        row = {"name": name, "release": version, "ok": code == 0, "seconds": round(time.time() - start, 1)}
        with open(done, "a") as log:
            log.write(json.dumps(row) + "\n")
        print(row, flush=True)


VERSION_MACRO = re.compile(r"^(\s*#\s*define\s+\w*(?:VER|MAJOR|MINOR|MICRO|PATCH|REVISION|RELEASE|TWEAK)\w*)\s.*$", re.M)


def hide_version(tree, release):
    """Takes a library's own version out of the texts that it gives to its users: numbers, and macros that tell it."""
    number = re.compile(r"(?<!\d)(?<!\d\.)" + re.escape(release) + r"(?!\.?\d)")
    for path in tree.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.suffix in (".a", ".so", ".gz") or ".so." in path.name:
            continue
        text = path.read_bytes().decode("latin-1")
        hidden = VERSION_MACRO.sub(r"\1", number.sub("VERSION", text))
        hidden = re.sub(r"^Version:.*$", "Version:", hidden, flags=re.M) if path.suffix == ".pc" else hidden
        if hidden != text:
            path.chmod(0o644)
            path.write_bytes(hidden.encode("latin-1"))


def look_at(tree, release):
    """What linking with a tree sees: digests of all, of all but its own version, and of symbols alone; its sonames."""
    def probe():
        out = subprocess.run([BUILD / "src/package/abi_probe", tree], stdout=subprocess.PIPE, check=True).stdout
        return json.loads(out)
    abi = probe()
    hide_version(tree, release)
    libraries = sorted((f["soname"], f.get("exports", [])) for f in abi["files"] if "soname" in f)
    return {"abi": abi["digest"], "apart": probe()["digest"], "symbols": json.dumps(libraries),
            "sonames": [soname for soname, _ in libraries]}


def kind_of(before, after):
    """As plan::kind_of_release."""
    a, b = before.split("."), after.split(".")
    return "major" if a[:1] != b[:1] else "minor" if a[1:2] != b[1:2] else "patch"


def compare(before, after):
    """Fields of a row: 1 where the two differ."""
    out = {key: int(before[key] != after[key]) for key in ("abi", "apart", "symbols", "sonames")}
    there = {}
    for soname, exports in json.loads(after["symbols"]):
        there.setdefault(soname, set()).update(exports)
    gone = any(set(exports) - there.get(soname, set()) for soname, exports in json.loads(before["symbols"]))
    return {**out, "breaks": int(gone or out["sonames"] and bool(set(before["sonames"]) - set(after["sonames"])))}


def write_pairs(name, pairs, what):
    with open(TABLES / name, "w") as out:
        out.write("# %s, %s. 1: differs.\n" % (what, datetime.date.today()))
        out.write("# library\tbefore\tafter\tkind\tABI\tABI but its own version\tsymbols\tsonames\tsymbols gone\n")
        for library, before, after, kind, row in pairs:
            out.write("\t".join([library, before, after, kind] + [str(v) for v in row.values()]) + "\n")


def shares(pairs):
    """By kind: how many, and the share that differs of each field."""
    out = {}
    for kind in ("major", "minor", "patch", "epoch", "relinked"):
        rows = [row for _, _, _, its, row in pairs if its == kind]
        if rows:
            out[kind] = {"pairs": len(rows), **{key: round(sum(r[key] for r in rows) / len(rows), 3) for key in rows[0]}}
    return out


# Of epoch changes of the field's year: 31.2 % change nothing that a build reads, 29.1 % nothing but the epoch (2,500 of
# them were looked at).
NEEDLESS_EPOCHS = 0.603


def write_rates(name, pairs, command):
    """The file that nacre simulate --rates takes. Content counts as changed in all: a version stands in each package.
    What was built again because something embedded changed is taken to be as what was linked again."""
    of = shares(pairs)
    rates = {"date": str(datetime.date.today()), "command": command}
    for kind in ("major", "minor", "patch", "epoch", "relinked"):
        if kind in of:
            rates[kind] = {"pairs": of[kind]["pairs"], "content": 1, "abi": of[kind]["abi"], "breaks": of[kind]["breaks"]}
    if "relinked" in rates:
        rates["embedded"] = rates["relinked"]
        rates["needlessEpochs"] = NEEDLESS_EPOCHS
    (TABLES / name).write_text(json.dumps(rates, indent=1) + "\n")


def write_both():
    """both.json: releases as they were built here; what is not built here (fixes, relinking), and what users take, of which
    there are far more, by Debian's binaries."""
    built, debian = (json.loads((TABLES / name).read_text()) for name in ("built.json", "debian.json"))
    for kind, rates in debian.items():
        for share in ("used", "urgent"):
            if isinstance(rates, dict) and share in rates and kind in built:
                built[kind][share] = min(rates[share], built[kind]["abi"])
    both = {**debian, **built, "command": "bench/rates.py collect and debian"}
    (TABLES / "both.json").write_text(json.dumps(both, indent=1) + "\n")


def collect(work):
    """Pairs of neighbours among the releases that were built; what links sees is the main package with its -dev."""
    built = {}
    for name, release, archive, *_ in rows("releases.tsv"):
        folder = work / "packages" / f"{name}-{release}"
        files = [folder / f"{package}-{release}-r0.apk" for package in (name, name + "-dev")]
        if not all(file.exists() for file in files):
            continue
        kept = work / "looked-at" / f"{name}-{release}.json"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as tree:
                for file in files:
                    subprocess.run(["tar", "-xzf", file, "-C", tree, "--exclude=.*", "--no-same-owner"],
                                   stderr=subprocess.DEVNULL)
                kept.parent.mkdir(exist_ok=True)
                kept.write_text(json.dumps(look_at(pathlib.Path(tree), release)))
        built.setdefault(name, []).append((release, json.loads(kept.read_text())))
    pairs = [(name, a, b, kind_of(a, b), compare(one, other)) for name, all_of in built.items()
             for (a, one), (b, other) in zip(all_of, all_of[1:])]
    write_pairs("pairs.tsv", pairs, "Successive releases, built by one definition with one compiler")
    write_rates("built.json", pairs, "bench/rates.py collect")
    write_used()
    print(json.dumps({"pairs": len(pairs), "libraries": len({p[0] for p in pairs}), **shares(pairs)}, indent=1))


DEBIAN_PAIRS = (("bookworm", "trixie"), ("trixie", "sid"), ("bookworm", "bookworm-security"), ("trixie", "trixie-security"))
MOST_BYTES = 1500000


def packages_of(folder):
    """Source -> suite -> (version, [deb]) of libraries: small shared libraries with their -dev packages, for amd64."""
    out = {}
    for file in glob.glob(folder + "/*_main_binary-amd64_Packages*"):
        suite = re.search(r"_dists_([a-z-]+)_", file).group(1)
        text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], stdout=subprocess.PIPE, check=True).stdout.decode()
        for stanza in text.split("\n\n"):
            field = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.M))
            if not re.match(r"(old)?libs$|libdevel$", field.get("Section", "")) or not field["Package"].startswith("lib"):
                continue
            if re.search(r"-(doc|dbg|dbgsym|tests?|udeb)$", field["Package"]) or int(field["Size"]) > MOST_BYTES:
                continue
            source, _, its = field.get("Source", field["Package"]).partition(" ")
            version = its.strip("()") or field["Version"]
            entry = out.setdefault(source, {}).setdefault(suite, {}).setdefault(version, [])
            entry.append((field["Package"], field["Filename"], field["SHA256"]))
    newest = lambda versions: max(versions.items(), key=lambda item: version_key(re.sub(r"^\d+:", "", item[0])))
    return {source: {suite: newest(versions) for suite, versions in suites.items()} for source, suites in out.items()}


def upstream_of(version):
    return re.sub(r"^.*\+really|^\d+:", "", version.rsplit("-", 1)[0] if "-" in version else version).split("+")[0].split("~")[0]


def debian(work, lists, most=185):
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                             stdout=subprocess.PIPE, check=True).stdout.decode().split()
    base = next(uri for uri in targets if uri.rstrip("/").endswith("/debian")).rstrip("/")
    kept = work / "debian"
    kept.mkdir(parents=True, exist_ok=True)

    def look(suite, source, version, debs):
        place = kept / re.sub(r"[^\w.+~-]", "_", f"{source}_{version}_{suite}.json")
        if not place.exists():
            with tempfile.TemporaryDirectory() as folder:
                tree = pathlib.Path(folder) / "tree"
                for package, file, digest in debs:
                    deb = str(pathlib.Path(folder) / (package + ".deb"))
                    at = base + ("-security" if suite.endswith("-security") else "") + "/" + file
                    if subprocess.run(["/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file", at, deb,
                                       "SHA256:" + digest], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                        return None
                    subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
                for path in [p for p in tree.rglob("*") if p.suffix in (".a", ".la") or "/share/doc/" in str(p)]:
                    if not path.is_dir() or path.is_symlink():
                        path.unlink()
                place.write_text(json.dumps(look_at(tree, upstream_of(version))))
        return json.loads(place.read_text())

    pairs = []
    known = packages_of(lists)
    table = [row[1] for row in rows("libraries.tsv")]
    for source in sorted(known, key=lambda s: (s not in table, hashlib.sha256(s.encode()).digest())):
        for before, after in DEBIAN_PAIRS:
            if before not in known[source] or after not in known[source] or len(pairs) >= most:
                continue
            (old, old_debs), (new, new_debs) = known[source][before], known[source][after]
            a, b = upstream_of(old), upstream_of(new)
            if a == b and version_key(old) > version_key(new):  # a security fix may be older than a point release
                before, after, old, new, old_debs, new_debs = after, before, new, old, new_debs, old_debs
            if old_debs == new_debs or not any(p.endswith("-dev") for p, _, _ in new_debs) or max(len(old_debs), len(new_debs)) > 12:
                continue
            # The same source built again (Debian does so when something that it links with changed its ABI), the same
            # release with other patches, and another release.
            kind = "relinked" if old == new else "epoch" if a == b else kind_of(a, b)
            if (kind == "relinked" and not {d for _, _, d in old_debs}.isdisjoint(d for _, _, d in new_debs)
                    or kind == "epoch" and not (before + after).count("-security") or a != b and after.endswith("-security")):
                continue
            one, other = look(before, source, old, old_debs), look(after, source, new, new_debs)
            # What a compiler exports of C++ differs by its release, and so does Fortran's: C alone tells of the library.
            if one and other and one["sonames"] and other["sonames"] and not re.search(r" (_Z|__\w+_MOD_)", one["symbols"] + other["symbols"]):
                pairs.append((source, old, new, kind, compare(one, other)))
                write_pairs("debian.tsv", pairs, "Debian's own binaries of successive suites, each by its own compiler")
                write_rates("debian.json", pairs, "bench/rates.py debian")
    print(json.dumps({"pairs": len(pairs), "libraries": len({p[0] for p in pairs}), **shares(pairs)}, indent=1))


USERS_PER_LIBRARY = 12
MOST_SOURCE_BYTES = 2500000
ROOT = ("libc6-dev", "linux-libc-dev", "libc6", "cmake-data", "libgcc-14-dev", "libstdc++-14-dev")  # what stands beside a library in a root, of trixie


def stanzas_of(file):
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], stdout=subprocess.PIPE, check=True).stdout.decode()
    for stanza in text.split("\n\n"):
        if stanza:
            yield stanza


def archive_base():
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                             stdout=subprocess.PIPE, check=True).stdout.decode().split()
    return next(uri for uri in targets if uri.rstrip("/").endswith("/debian")).rstrip("/")


def download(at, to, digest):
    if not to.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["/usr/lib/apt/apt-helper", "-o", "APT::Sandbox::User=root", "download-file", at, str(to),
                        "SHA256:" + digest], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return to.exists()


def users_of(folder):
    """Library's -dev package -> sources of trixie that build with it, in an order that a hash of their names gives; and
    of each source its archives: (name, digest, size, place)."""
    file, = glob.glob(folder + "/*_dists_trixie_main_source_Sources*")
    users, archives = {}, {}
    for stanza in stanzas_of(file):
        name = re.search(r"^Package: (\S+)", stanza, re.M).group(1)
        pool = re.search(r"^Directory: (\S+)", stanza, re.M).group(1)
        block = re.search(r"^Checksums-Sha256:((?:\n .*)+)", stanza, re.M)
        found = [(f, d, int(s), pool + "/" + f) for d, s, f in re.findall(r"([0-9a-f]{64}) (\d+) (\S+)", block.group(1))
                 if ".orig" in f and not f.endswith(".asc")]
        if not found or sum(size for _, _, size, _ in found) > MOST_SOURCE_BYTES:
            continue
        archives[name] = found
        needs = " ".join(re.findall(r"^Build-Depends(?:-Arch)?: (.*(?:\n .*)*)", stanza, re.M))
        for need in {re.match(r"\s*([a-z0-9.+-]+)", part).group(1) for part in re.split(r"[,|]", needs)
                     if re.match(r"\s*[a-z0-9]", part)}:
            users.setdefault(need, set()).add(name)
    by_hash = lambda name: hashlib.sha256(name.encode()).digest()
    return {need: sorted(names, key=by_hash) for need, names in users.items()}, archives


def library_tree(kept, base, source, version, debs):
    """Unpacked binaries of one suite, without static libraries; None when one cannot be had."""
    tree = kept / re.sub(r"[^\w.+~-]", "_", f"{source}_{version}")
    if tree.exists():
        return tree
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        inside = pathlib.Path(folder) / "tree"
        for package, file, digest in debs:
            deb = pathlib.Path(folder) / (package + ".deb")
            if not any(download(at + "/" + file, deb, digest) for at in (base, base + "-security")):
                return None
            subprocess.run(["dpkg-deb", "-x", deb, inside], check=True)
        for path in [p for p in inside.rglob("*") if p.suffix in (".a", ".la") or "/share/doc/" in str(p)]:
            if not path.is_dir() or path.is_symlink():
                path.unlink()
        as_installed(inside)
        inside.rename(tree)
    return tree


def as_installed(tree):
    """Every system of these suites has /lib as a link to usr/lib, wherever a package puts its files; and no compiler for
    amd64 looks into the folders of other architectures."""
    if (tree / "lib").is_dir() and not (tree / "lib").is_symlink():
        subprocess.run(["cp", "-a", str(tree / "lib") + "/.", tree / "usr/lib"], check=True)
        shutil.rmtree(tree / "lib")
    for folder in list(tree.glob("usr/include/*-linux-gnu*")) + list(tree.glob("usr/lib/linux/uapi/*")):
        if folder.is_dir() and folder.name not in ("x86_64-linux-gnu", "x86"):
            shutil.rmtree(folder)


def sources_of(kept, base, name, archives):
    """The archives of a user's sources, kept so that what they use can be listed again; None when they cannot be had."""
    places = [(kept / "sources" / name / file, digest, base + "/" + place) for file, digest, _, place in archives]
    return [at for at, _, _ in places] if all(download(uri, at, digest) for at, digest, uri in places) else None


def use_of(kept, base, name, archives, root):
    """What the sources of a user hold; None when they cannot be had. Made again when the program that lists it is newer."""
    out, probe = kept / (name + ".use"), BUILD / "src/package/use_probe"
    if out.exists() and out.stat().st_mtime > probe.stat().st_mtime:
        return out
    files = sources_of(kept, base, name, archives)
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        for at in files or []:
            if subprocess.run(["tar", "-xf", at, "-C", folder, "--no-same-owner"], stderr=subprocess.DEVNULL).returncode:
                return None
        if files is not None:
            subprocess.run([probe, "use", out, "--root", root, folder], check=True)
    return out if files is not None else None


def root_of_users(kept, base, lists):
    """What stands beside a library in a user's root."""
    packages, = glob.glob(lists + "/*_dists_trixie_main_binary-amd64_Packages*")
    debs = []
    for stanza in stanzas_of(packages):
        field = dict(re.findall(r"^(Package|Filename|SHA256): (.*)$", stanza, re.M))
        if field["Package"] in ROOT:
            debs.append((field["Package"], field["Filename"], field["SHA256"]))
    return library_tree(kept, base, "root", "trixie", debs)


def debian_pairs(work, known, users):
    """Rows of debian.tsv: (row, source, development package with most users, releases, the trees once they are wanted)."""
    base, kept = archive_base(), work / "users"
    for source, old, new, kind, *_ in rows("debian.tsv"):
        versions = {version: debs for version, debs in known.get(source, {}).values()}
        if old not in versions or new not in versions:
            continue
        # Of several development packages the one with most users: a user has in its root what it asks for.
        name = most_used({package for package, _, _ in versions[new]}, users)
        def trees(source=source, name=name, versions=versions, both=(old, new)):
            return [library_tree(kept, base, source, version, [deb for deb in versions[version]
                                                               if deb[0] == name or not deb[0].endswith("-dev")])
                    for version in both]
        yield (source, old, new, kind), source, name, (upstream_of(old), upstream_of(new)), trees


def built_pairs(work, known, users):
    """The same of pairs.tsv: releases that were built here, whose users are those of Debian's package of the library."""
    sources = {row[0]: row[1] for row in rows("libraries.tsv")}
    for library, old, new, kind, *_ in rows("pairs.tsv"):
        source = sources[library]
        packages = {package for _, debs in known.get(source, {}).values() for package, _, _ in debs}
        def trees(library=library, both=(old, new)):
            return [built_tree(work, library, release) for release in both]
        yield (library, old, new, kind), source, most_used(packages, users), (old, new), trees


def most_used(packages, users):
    return max(sorted(p for p in packages if p.endswith("-dev")), key=lambda name: len(users.get(name, [])), default="")


def built_tree(work, library, release):
    """The main package of a release and its -dev, unpacked; None when it was not built."""
    tree, folder = work / "users" / "built" / f"{library}-{release}", work / "packages" / f"{library}-{release}"
    files = [folder / f"{package}-{release}-r0.apk" for package in (library, library + "-dev")]
    if not tree.exists() and all(file.exists() for file in files):
        tree.mkdir(parents=True)
        for file in files:
            subprocess.run(["tar", "-xzf", file, "-C", tree, "--exclude=.*", "--no-same-owner"], stderr=subprocess.DEVNULL)
    return tree if tree.exists() else None


def users(work, lists, pairs, table):
    base, kept = archive_base(), work / "users"
    kept.mkdir(parents=True, exist_ok=True)
    users, archives = users_of(lists)
    root = root_of_users(kept, base, lists)
    lines = []
    for row, source, name, releases, trees in pairs(work, packages_of(lists), users):
        wanted = [user for user in users.get(name, []) if user != source][:USERS_PER_LIBRARY]
        both = trees() if wanted else [None]
        if None in both:
            continue
        uses = {user: use_of(kept, base, user, archives[user], root) for user in wanted}
        uses = {user: use for user, use in uses.items() if use}
        if not uses:
            continue
        found = subprocess.run([BUILD / "src/package/use_probe", "compare", releases[0], both[0], releases[1], both[1],
                                "--other", root] + list(uses.values()), stdout=subprocess.PIPE, check=True).stdout
        found = json.loads(found)
        same_release = row[-1] not in ("major", "minor", "patch")
        touched, urgent = found["touched"], found["inFix" if same_release else "urgent"]
        for user, use in uses.items():
            lines.append(row + (user, touched[str(use)], urgent[str(use)]))
        print(" ".join(row), f"{sum(touched[str(use)] != '' for use in uses.values())} of {len(uses)}", flush=True)
        with open(TABLES / table, "w") as out:
            out.write("# Who of a library's users is touched by what changed between two of its versions, %s. Empty: nobody "
                      "need build it again. Urgent: what of that cannot wait.\n"
                      "# library\tbefore\tafter\tkind\tuser\twhy\turgent\n" % datetime.date.today())
            for line in lines:
                out.write("\t".join(line) + "\n")
    write_used()


# A root of trixie that compiles, for `truth`: what each user's Build-Depends name comes on top.
TRUTH_ROOT = ("bash coreutils dash diffutils findutils grep gzip bzip2 xz-utils hostname libc-bin mawk sed tar util-linux perl "
              "gcc g++ libc6-dev make pkgconf autoconf automake libtool gettext cmake meson ninja-build python3 bison flex m4 file").split()
TRUTH_LINKS = {"cc": "gcc", "c++": "g++", "awk": "mawk", "yacc": "bison.yacc", "lex": "flex", "aclocal": "aclocal-1.17",
               "automake": "automake-1.17", "sh": "dash", "which": "which.debianutils"}
TRUTH_BUILD = r"""
export PATH=/usr/bin:/usr/sbin HOME=/tmp LC_ALL=C CFLAGS=-O2 CXXFLAGS=-O2 SOURCE_DATE_EPOCH=1700000000
cd /build/*/ || exit 1
if [ -f meson.build ]; then meson setup out --buildtype=release --wrap-mode=nodownload && ninja -j1 -C out
elif [ -f CMakeLists.txt ] && ! [ -x configure ]; then cmake -S . -B out -DCMAKE_BUILD_TYPE=Release && cmake --build out -j1
elif [ -x configure ] || [ -f configure.ac ] || [ -f configure.in ]; then
  [ -x configure ] || autoreconf -fi || exit 1
  ./configure --prefix=/usr && make -j1
else make -j1
fi
"""
SECONDS_PER_TRUTH = 600
BUILDERS = len(os.sched_getaffinity(0))


def trixie_debs(work, lists):
    """Package of trixie -> (file, digest, provided names)."""
    packages, = glob.glob(lists + "/*_dists_trixie_main_binary-amd64_Packages*")
    out = {}
    for stanza in stanzas_of(packages):
        field = dict(re.findall(r"^(Package|Filename|SHA256|Source): (.*)$", stanza, re.M))
        out[field["Package"]] = (field["Filename"], field["SHA256"], field.get("Source", field["Package"]).split(" ")[0])
    return out


def closure_of(work, lists, names):
    """What apt would install of trixie for these names; None when it cannot."""
    state = work / "truth" / "apt"
    (state / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    options = {"Dir::State::lists": lists, "Dir::State::status": state / "status", "Dir::Etc::sourcelist": work / "etc/sources.list",
               "Dir::Etc::sourceparts": "/dev/null", "Dir::Cache": state / "cache", "Dir::State::extended_states": state / "ext",
               "APT::Install-Recommends": "false", "APT::Default-Release": "trixie", "Debug::NoLocking": "true"}
    command = ["apt-get", "-s", "-qq"] + [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(command + ["install"] + sorted(names), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return re.findall(r"^Inst (\S+)", done.stdout.decode(), re.M) if done.returncode == 0 else None


def unpacked(work, base, debs, name):
    """One package of trixie, unpacked, kept; None when it cannot be had."""
    file, digest, _ = debs[name]
    tree, deb = work / "truth" / "debs" / name, work / "truth" / (name + ".deb")
    if not tree.exists():
        if not download(base + "/" + file, deb, digest):
            return None
        subprocess.run(["dpkg-deb", "-x", deb, str(tree) + ".part"], check=True)
        as_installed(pathlib.Path(str(tree) + ".part"))
        pathlib.Path(str(tree) + ".part").rename(tree)
        deb.unlink()
    return tree


def merged(work, trees, to):
    """All of the trees as one, by hard links; kept."""
    if to.exists():
        return to
    whole, to = to, pathlib.Path(str(to) + ".part")
    shutil.rmtree(to, ignore_errors=True)
    (to / "usr").mkdir(parents=True)
    for tree in trees:
        for path in tree.iterdir():  # /bin and the like are links to usr
            if path.name not in ("bin", "sbin", "lib", "lib64"):
                subprocess.run(["cp", "-alf", path, to], check=True)
            elif not path.is_symlink():
                subprocess.run(["cp", "-alf", path, to / "usr"], check=True)
    for link, target in TRUTH_LINKS.items():
        at = to / "usr/bin" / link
        if (to / "usr/bin" / target).exists() and not at.exists():
            at.unlink(missing_ok=True)
            at.symlink_to(target)
    for link in ("bin", "sbin", "lib", "lib64"):
        if not (to / link).exists() and not (to / link).is_symlink():
            (to / link).symlink_to("usr/" + link)
    for folder in ("build", "tmp", "dev", "proc"):
        (to / folder).mkdir(exist_ok=True)
    to.rename(whole)
    return whole


@contextlib.contextmanager
def build_of_user(work, layers, sources, log, before=None):
    """A user built in these layers: the directory with all that it wrote, its sources in build/; None when it does not
    build. `before` gets that directory before the build begins."""
    with tempfile.TemporaryDirectory(dir=work / "truth") as folder:
        folder = pathlib.Path(folder)
        for part in ("upper/build/user", "upper/tmp", "work", "root"):
            (folder / part).mkdir(parents=True)
        for at in sources:
            subprocess.run(["tar", "-xf", at, "-C", folder / "upper/build", "--no-same-owner"], stderr=subprocess.DEVNULL)
        (folder / "upper/build/user").rmdir()
        if before:
            before(folder / "upper/build")
        (folder / "upper/tmp/build.sh").write_text(TRUTH_BUILD)
        mount = "lowerdir=%s,upperdir=%s,workdir=%s" % (":".join(map(str, layers)), folder / "upper", folder / "work")
        script = ("mount -t overlay overlay -o '%s' %s && cd %s && mount --rbind /dev dev && mount -t proc proc proc && "
                  "exec chroot . /usr/bin/bash /tmp/build.sh" % (mount, folder / "root", folder / "root"))
        with open(log, "w") as out:
            try:
                code = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script], stdin=subprocess.DEVNULL,
                                      stdout=out, stderr=out, timeout=SECONDS_PER_TRUTH).returncode
            except subprocess.TimeoutExpired:
                code = -1
        yield folder / "upper" if code == 0 else None


def built_bytes(work, layers, sources, log):
    """Digests of all programs, objects and archives of a user built in these layers, by path; None when it does not build."""
    with build_of_user(work, layers, sources, log) as left:
        if left is None:
            return None
        out = {}
        for path in (left / "build").rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                if content[:4] == b"\x7fELF" or content[:8] == b"!<arch>\n":
                    out[str(path.relative_to(left / "build"))] = hashlib.sha256(content).hexdigest()
        return out


def roots_of_user(work, lists, debs, base, needs, label, leave_out):
    """Layers of a user's root, the one of its own first, to be removed after use, and the packages in them; None when its
    needs cannot be had."""
    always = work / "truth/root.json"
    if not always.exists():
        always.write_text(json.dumps(closure_of(work, lists, TRUTH_ROOT)))
    names = closure_of(work, lists, set(TRUTH_ROOT) | {need for need in needs if need in debs})
    if names is None:
        return None
    names = [name for name in names if name in debs and not leave_out(name)]
    always = json.loads(always.read_text())
    trees_of = lambda some: [tree for tree in (unpacked(work, base, debs, name) for name in some) if tree]
    root = merged(work, trees_of(always), work / "truth/root")
    return merged(work, trees_of(name for name in names if name not in always), work / "truth/roots" / label), root, names


ROOTS = threading.Lock()  # one root is put together at a time: roots share their packages


def truth_of(work, lists, debs, base, needs, row, source, trees, archives):
    """What became of one user: "equal", "differs", or why nobody knows."""
    library, user = row[0], row[4]
    with ROOTS:
        sources, trees = sources_of(work / "users", base, user, archives), trees()
        if sources is None or None in trees:
            return "cannot be had"
        # The library itself is that of the pair, without what trixie's own has for those who build.
        roots = roots_of_user(work, lists, debs, base, needs, library + "-" + user,
                              lambda name: debs[name][2] == source and name.endswith("-dev"))
    if roots is None:
        return "Build-Depends cannot be had"
    more, root, _ = roots
    (work / "truth/logs").mkdir(exist_ok=True)
    built = []
    for i, tree in enumerate((trees[0], trees[1], trees[0])):
        # The first once more, where the other differs: what differs of itself says nothing of the library.
        if None not in built and (i < 2 or built[0] != built[1]):
            built.append(built_bytes(work, [tree, more, root], sources, work / "truth/logs" / f"{library}-{user}-{i}.log"))
    shutil.rmtree(more, ignore_errors=True)
    if len(built) == 1 or not built[0]:
        return "does not build"
    if built[1] is None:
        return "builds with the older alone"
    if built[0] == built[1]:
        return f"equal ({len(built[0])} files)"
    if built[2] != built[0]:
        return "differs of itself"
    other = [path for path in sorted(set(built[0]) | set(built[1])) if built[0].get(path) != built[1].get(path)]
    return f"differs ({len(other)} of {len(built[0])} files, {other[0]} among them)"


def needs_of(lists, wanted):
    """Source of trixie -> the packages that it builds with."""
    file, = glob.glob(lists + "/*_dists_trixie_main_source_Sources*")
    out = {}
    for stanza in stanzas_of(file):
        name = re.search(r"^Package: (\S+)", stanza, re.M).group(1)
        if name in wanted:
            text = " ".join(re.findall(r"^Build-Depends(?:-Arch)?: (.*(?:\n .*)*)", stanza, re.M))
            out[name] = re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9.+-]*)", text)
    return out


def truth(work, lists, most=24):
    base, debs = archive_base(), trixie_debs(work, lists)
    for folder in ("users", "truth/debs", "truth/roots"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    users, archives = users_of(lists)
    pairs = {row: (source, trees) for row, source, _, _, trees in debian_pairs(work, packages_of(lists), users)}
    by_hash = lambda row: hashlib.sha256("\t".join(row[:5]).encode()).digest()
    chosen = sorted((tuple(row) + ("",) * (6 - len(row)) for row in rows("users.tsv")
                     if row[3] in ("minor", "patch") and tuple(row[:4]) in pairs and row[4] in archives), key=by_hash)
    needs = needs_of(lists, {row[4] for row in chosen})
    waiting, known, lines = list(chosen), {False: 0, True: 0}, []

    def work_off():
        while True:
            with ROOTS:
                row = next((row for row in waiting if known[row[5] != ""] < most), None)
                if row is None:
                    return
                waiting.remove(row)
            source, trees = pairs[row[:4]]
            result = truth_of(work, lists, debs, base, needs.get(row[4], []), row, source, trees, archives[row[4]])
            with ROOTS:
                known[row[5] != ""] += result.startswith(("equal", "differs ("))
                lines.append(row[:5] + (row[5] or "cut off", result))
                print(*lines[-1], sep=" | ", flush=True)
                with open(TABLES / "truth.tsv", "w") as out:
                    out.write("# Users built against two releases of a library, %s: what was decided without building, and whether all "
                              "programs, objects and archives are equal.\n# library\tbefore\tafter\tkind\tuser\tdecided\tbytes\n" %
                              datetime.date.today())
                    for line in sorted(lines):
                        out.write("\t".join(line) + "\n")

    with concurrent.futures.ThreadPoolExecutor(BUILDERS) as pool:
        for worker in [pool.submit(work_off) for _ in range(BUILDERS)]:
            worker.result()


def lists_of_built(work, lists, debs, base, needs, user, sources):
    """Of a user that was built: its uses, by all that is left and by what of it was read, and the packages of its root that
    have headers or libraries; or why there are none."""
    outs = [work / "users" / f"{user}.{what}" for what in ("built.use", "read.use", "root.json")]
    if all(out.exists() for out in outs):
        return outs[:2], json.loads(outs[2].read_text())
    roots = roots_of_user(work, lists, debs, base, needs, user, lambda name: False)
    if roots is None:
        return "Build-Depends cannot be had"
    (work / "truth/logs").mkdir(exist_ok=True)
    probe, mark = BUILD / "src/package/use_probe", []
    set_mark = lambda tree: mark.append(subprocess.run([probe, "mark", tree], stdout=subprocess.PIPE, check=True).stdout.decode().strip())
    with build_of_user(work, roots[:2], sources, work / "truth/logs" / f"{user}.log", set_mark) as left:
        if left is not None:
            listing = lambda out, *how: subprocess.run([probe, "use", out, "--root", roots[1], *how, left], check=True)
            listing(outs[1], "--mark", mark[0])
            listing(outs[0])
    shutil.rmtree(roots[0], ignore_errors=True)
    if left is None:
        return "does not build"
    offering = [name for name in roots[2] if any(any((work / "truth/debs" / name).glob(pattern)) for pattern in
                                                 ("usr/include", "usr/lib/gcc/*/*/include", "usr/lib/*/*.so*"))]
    outs[2].write_text(json.dumps(offering))
    return outs[:2], offering


def users_read(work, lists, most=24):
    base, debs, kept = archive_base(), trixie_debs(work, lists), work / "users"
    for folder in ("users", "truth/debs", "truth/roots"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    users, archives = users_of(lists)
    root = root_of_users(kept, base, lists)
    pairs = {row: (source, releases, trees) for row, source, _, releases, trees in debian_pairs(work, packages_of(lists), users)}
    by_hash = lambda row: hashlib.sha256("\t".join(row[:5]).encode()).digest()
    chosen = sorted((row for row in rows("users.tsv") if row[3] in ("minor", "patch")), key=by_hash)
    needs = needs_of(lists, {row[4] for row in chosen})
    lines, seen = [], set()
    for row in chosen:
        row, user = tuple(row[:4]), row[4]
        if user in seen or row not in pairs or user not in archives:
            continue
        if len(lines) == most:
            break
        seen.add(user)
        source, releases, trees_of = pairs[row]
        sources, trees = sources_of(kept, base, user, archives[user]), trees_of()
        if sources is None or None in trees:
            continue
        made = lists_of_built(work, lists, debs, base, needs.get(user, []), user, sources)
        if isinstance(made, str):
            print(user, made, flush=True)
            continue
        uses = [use_of(kept, base, user, archives[user], root)] + made[0]
        touched = {}
        # By its sources alone, and by its build beside all of its root.
        beside = [work / "truth/debs" / name for name in made[1] if debs[name][2] != source]
        for others, some in ([root], uses[:1]), (beside, uses[1:]):
            found = subprocess.run([BUILD / "src/package/use_probe", "compare", releases[0], trees[0], releases[1], trees[1]] +
                                   [word for other in others for word in ("--other", other)] + some, stdout=subprocess.PIPE, check=True).stdout
            touched.update(json.loads(found)["touched"])
        lines.append(row + (user,) + tuple(touched[str(use)] for use in uses))
        print(*lines[-1], sep=" | ", flush=True)
        with open(TABLES / "users-read.tsv", "w") as out:
            out.write("# Users that were built, %s: what touches them by their sources, by all that the build left, and by what of it was "
                      "read.\n# library\tbefore\tafter\tkind\tuser\tsources\tbuilt\tread\n" % datetime.date.today())
            for line in lines:
                out.write("\t".join(line) + "\n")
    print("touched by sources, build, what was read:", *(sum(line[i] != "" for line in lines) for i in (5, 6, 7)), "of", len(lines))


def shares_touched(table):
    """By kind of release: how many pairs, and the means over them of the shares of users that are touched, and by what is
    urgent. Rows of which that is not known count as urgent."""
    pairs = {}
    for source, old, new, kind, _, why, *urgent in rows(table) if (TABLES / table).exists() else []:
        is_urgent = why != "" and (not urgent or urgent[0] != "")
        pairs.setdefault((kind, source, old, new), []).append((why != "", is_urgent))
    of = {}
    for (kind, *_), users in pairs.items():
        of.setdefault(kind, []).append([sum(user[i] for user in users) / len(users) for i in range(2)])
    mean = lambda shares, i: round(sum(share[i] for share in shares) / len(shares), 3)
    return {kind: {"pairs": len(shares), "used": mean(shares, 0), "urgent": mean(shares, 1)} for kind, shares in of.items()}


def write_used():
    """`used` of debian.json by Debian's pairs and of built.json by those built here; both.json from the two."""
    for name, table in (("debian.json", "users.tsv"), ("built.json", "users-built.tsv")):
        rates, of = json.loads((TABLES / name).read_text()), shares_touched(table)
        for kind, share in of.items():
            if kind in rates:
                rates[kind]["used"] = min(share["used"], rates[kind]["abi"])
                rates[kind]["urgent"] = min(share["urgent"], rates[kind]["used"])
        if "relinked" in rates and "embedded" in rates:
            rates["embedded"] = rates["relinked"]
        (TABLES / name).write_text(json.dumps(rates, indent=1) + "\n")
        print(table, json.dumps(of))
    write_both()


def write_sizes(lists, graph):
    """For nacre simulate --sizes. GRAPH: JSON as docs/formats/graph.md has it."""
    sizes = {}
    file, = glob.glob(lists + "/*_dists_sid_main_binary-amd64_Packages*")
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], stdout=subprocess.PIPE, check=True).stdout.decode()
    for stanza in text.split("\n\n"):
        field = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.M))
        if field:
            source = field.get("Source", field["Package"]).split(" ")[0]
            sizes[source] = sizes.get(source, 0) + int(field["Size"])
    names = [node["name"] for node in json.loads(pathlib.Path(graph).read_text())["nodes"]]
    found = sorted(sizes[name] for name in names if name in sizes)
    (TABLES / "sizes.tsv").write_text("".join(f"{name}\t{sizes.get(name, found[len(found) // 2])}\n" for name in names))
    print(f"{len(found)} of {len(names)} definitions by name, the others {found[len(found) // 2]} bytes")


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("releases", "fetch", "build", "collect", "debian", "users", "users-built", "truth", "users-read", "used",
                                                  "sizes"):
        sys.exit(__doc__)
    if sys.argv[1] == "releases":
        write_releases(sys.argv[2])
    elif sys.argv[1] == "fetch":
        fetch_all(pathlib.Path(sys.argv[2]).resolve())
    elif sys.argv[1] == "build":
        build_all(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:])
    elif sys.argv[1] == "collect":
        collect(pathlib.Path(sys.argv[2]).resolve())
    elif sys.argv[1] == "debian":
        debian(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3])
    elif sys.argv[1] == "users":
        users(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3], debian_pairs, "users.tsv")
    elif sys.argv[1] == "users-built":
        users(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3], built_pairs, "users-built.tsv")
    elif sys.argv[1] == "users-read":
        users_read(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 24)
    elif sys.argv[1] == "truth":
        truth(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 24)
    elif sys.argv[1] == "used":
        write_used()
    elif sys.argv[1] == "sizes":
        write_sizes(sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    main()
