#!/usr/bin/env python3
"""How often a new release of a library changes what its users see: builds real libraries in successive releases.

    bench/rates.py releases DIR      write rates/releases.tsv from the Sources lists that apt keeps in DIR
    bench/rates.py fetch WORK        get the archives that releases.tsv names, with apt's client, from its first archive
    bench/rates.py build WORK        build all releases of rates/libraries.tsv, one after the other; resumable
    bench/rates.py collect WORK      compare neighbours: rates/pairs.tsv and rates/rates.json

Every library is built by one definition, made here from its line of libraries.tsv, in all its releases, with the same
compiler (stage 0 alone, in NACRE_HOME below WORK). Build first: ninja -C build/release nacre abi_probe
"""
import datetime, glob, json, os, pathlib, re, subprocess, sys, time

HERE = pathlib.Path(__file__).resolve().parent
TOP, TABLES = HERE.parent, HERE / "rates"
BUILD = pathlib.Path(os.environ.get("NACRE_BUILD", TOP / "build/release"))
SECONDS_PER_BUILD = 900

CONFIGURE = "./configure --prefix=/usr --libdir=/usr/lib --sysconfdir=/etc --enable-shared --enable-static --disable-dependency-tracking"
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
    "meson": ["meson setup out --prefix=/usr --libdir=lib --buildtype=release --default-library=both --wrap-mode=nofallback %s",
              "ninja -C out -j1", "DESTDIR=${{targets.destdir}} meson install -C out --no-rebuild"],
}
AUTOTOOLS = ["autoconf", "automake", "libtool"]
SYSTEM_NEEDS = {"cmake": ["cmake"], "meson": ["meson", "python3"], "autotools": AUTOTOOLS, "autotools-in-expat": AUTOTOOLS}

# Names that Debian makes at installation: stage 0 package -> links.
LINKS = {"automake": {"usr/bin/aclocal": "aclocal-1.16", "usr/bin/automake": "automake-1.16"}}
# What stage 0 gets besides os/stage0.yaml: name -> Debian packages.
TOOLS = {
    "cmake": ["cmake", "cmake-data"], "meson": ["meson", "ninja-build"], "autoconf": ["autoconf"],
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
{steps}  - runs: rm -rf ${{{{targets.destdir}}}}/usr/share/doc ${{{{targets.destdir}}}}/usr/share/man ${{{{targets.destdir}}}}/usr/share/info ${{{{targets.destdir}}}}/usr/share/locale
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
    libraries = {row[0]: row for row in rows("libraries.tsv")}
    env = dict(os.environ, NACRE_HOME=str(work / "home"), NACRE_OS_DIR=str(scratch_os(work)), NACRE_STEP_CACHE="0",
               NACRE_SOURCE_MIRRORS=str(work / "archives"))
    done = work / "builds.jsonl"
    known = {(r["name"], r["release"]) for r in read_rows(done) if r["ok"]}
    (work / "definitions").mkdir(exist_ok=True)
    (work / "logs").mkdir(exist_ok=True)
    for release in newest_first(work / "archives"):
        name, version = release[:2]
        if (name, version) in known or (only and name not in only):
            continue
        file = work / "definitions" / f"{name}.yaml"
        file.write_text(definition(libraries[name], release))
        out = work / "packages" / f"{name}-{version}"
        start = time.time()
        command = [os.environ.get("NACRE_BIN", BUILD / "src/cli/nacre"), "build", "--quiet", "--jobs", "1", "--gates-warn", "--out", out, file]
        with open(work / "logs" / f"{name}-{version}.log", "w") as log:
            try:
                code = subprocess.run(list(map(str, command)), env=env, stdout=log, stderr=log, timeout=SECONDS_PER_BUILD).returncode
            except subprocess.TimeoutExpired:
                code = -1
        row = {"name": name, "release": version, "ok": code == 0, "seconds": round(time.time() - start, 1)}
        with open(done, "a") as log:
            log.write(json.dumps(row) + "\n")
        print(row, flush=True)


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("releases", "fetch", "build", "collect"):
        sys.exit(__doc__)
    if sys.argv[1] == "releases":
        write_releases(sys.argv[2])
    elif sys.argv[1] == "fetch":
        fetch_all(pathlib.Path(sys.argv[2]).resolve())
    elif sys.argv[1] == "build":
        build_all(pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:])


main()
