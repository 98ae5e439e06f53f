#!/usr/bin/env python3
"""A repository of APK v2 packages of our own making, with its key: make_apks.py DIR. What packages of distributions rarely hold
together is here: devices, setuid programs, hard links, capabilities, owners, large folders, SBOMs with licences of their own."""
import gzip, hashlib, base64, io, json, os, subprocess, sys, tarfile

DATE = 1_700_000_000
ARCH = os.uname().machine


def segment(entries, end, checksums=False):
    raw = io.BytesIO()
    for info, data in entries:
        info.mtime = DATE
        if checksums and info.type == tarfile.REGTYPE:
            info.pax_headers["APK-TOOLS.checksum.SHA1"] = hashlib.sha1(data).hexdigest()
        raw.write(info.tobuf(tarfile.PAX_FORMAT))
        if data:
            raw.write(data + b"\0" * (-len(data) % 512))
    if end:
        raw.write(b"\0" * 1024)
    return gzip.compress(raw.getvalue(), mtime=0)


def entry(path, kind=tarfile.REGTYPE, data=b"", mode=0o644, uid=0, gid=0, link="", device=(0, 0), pax=None):
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid, info.linkname = kind, mode, uid, gid, link
    info.devmajor, info.devminor = device
    info.pax_headers = dict(pax or {})
    if kind == tarfile.REGTYPE:
        info.size = len(data)
    return info, data


def folder(path, **more):
    return entry(path, tarfile.DIRTYPE, mode=more.pop("mode", 0o755), **more)


def text(path, data, **more):
    return entry(path, data=data.encode(), **more)


class Repository:
    def __init__(self, place):
        self.place = os.path.join(place, ARCH)
        self.records = []
        os.makedirs(self.place)
        os.makedirs(os.path.join(place, "keys"))
        self.key = os.path.join(place, "test.rsa")
        self.public = os.path.join(place, "keys", "test.rsa.pub")
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "rsa", "-in", self.key, "-pubout", "-out", self.public], check=True,
                       stderr=subprocess.DEVNULL)

    def add(self, name, version, entries, depends=(), provides=(), licence="MIT"):
        data = segment(entries, end=True, checksums=True)
        size = sum(info.size for info, _ in entries)
        lines = [f"pkgname = {name}", f"pkgver = {version}", f"arch = {ARCH}", f"size = {size}", f"origin = {name}",
                 f"pkgdesc = {name} of a test", "url = https://example.org/", f"license = {licence}",
                 f"builddate = {DATE}", f"datahash = {hashlib.sha256(data).hexdigest()}"]
        lines += [f"depend = {word}" for word in depends] + [f"provides = {word}" for word in provides]
        control = segment([text(".PKGINFO", "\n".join(lines) + "\n")], end=False)
        with open(os.path.join(self.place, f"{name}-{version}.apk"), "wb") as out:
            out.write(control + data)
        sum1 = "Q1" + base64.b64encode(hashlib.sha1(control).digest()).decode()
        rows = [f"C:{sum1}", f"P:{name}", f"V:{version}", f"A:{ARCH}", f"S:{len(control + data)}", f"I:{size}",
                f"T:{name} of a test", "U:https://example.org/", f"L:{licence}", f"o:{name}", f"t:{DATE}"]
        rows += ["D:" + " ".join(depends)] * bool(depends) + ["p:" + " ".join(provides)] * bool(provides)
        self.records.append("\n".join(rows) + "\n\n")

    def finish(self):
        index = segment([text("DESCRIPTION", "test"), text("APKINDEX", "".join(self.records))], end=True)
        signature = subprocess.run(["openssl", "dgst", "-sha1", "-sign", self.key], input=index, capture_output=True,
                                   check=True).stdout
        head = segment([entry(".SIGN.RSA.test.rsa.pub", data=signature)], end=False)
        with open(os.path.join(self.place, "APKINDEX.tar.gz"), "wb") as out:
            out.write(head + index)


def special():
    capability = bytes.fromhex("010000020020000000000000000000000000000000")[:20].decode("latin-1")
    rows = [folder("dev"), folder("etc"), folder("usr"), folder("usr/bin"), folder("usr/share"), folder("usr/share/many"),
            text("usr/bin/tool", "#!/bin/sh\necho tool\n", mode=0o755),
            entry("usr/bin/tool-again", tarfile.LNKTYPE, link="usr/bin/tool", mode=0o755),
            entry("usr/bin/tool-link", tarfile.SYMTYPE, link="tool", mode=0o777),
            entry("usr/bin/tool-far", tarfile.SYMTYPE, link="/usr/share/" + "long/" * 40, mode=0o777),
            text("usr/bin/su", "setuid\n", mode=0o4755), text("usr/bin/wall", "setgid\n", mode=0o2755, gid=5),
            text("usr/bin/ping", "capable\n", mode=0o755, pax={"SCHILY.xattr.security.capability": capability}),
            text("etc/private", "secret\n", mode=0o600, uid=65532, gid=65533), entry("etc/empty"),
            folder("var"), folder("var/app", mode=0o2750, uid=1000, gid=1001), folder("var/tmp", mode=0o1777)]
    for size in (1, 4032, 4033, 4095, 4096, 4097, 8192, 70001):
        rows.append(entry(f"usr/share/of-{size}", data=bytes(i * 7 % 251 for i in range(size))))
    for number in range(400):
        rows.append(text(f"usr/share/many/{'a file with a long name ' * 3}{number:04}", str(number)))
    rows.append(text("usr/share/many/\u00e4\u00f6\u00fc", "umlauts"))
    return rows


def spdx(name, version, licence, extra=None):
    main = f"SPDXRef-Package-{name}-{version}"
    source = f"SPDXRef-Source-{name}"
    document = {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"apk-{name}-{version}",
        "documentNamespace": f"https://example.org/spdx/{name}-{version}",
        "creationInfo": {"created": "2023-11-14T22:13:20Z", "creators": ["Tool: test"], "licenseListVersion": "3.27"},
        "documentDescribes": [main],
        "packages": [
            {"SPDXID": main, "name": name, "versionInfo": version, "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
             "licenseDeclared": licence, "downloadLocation": "NOASSERTION", "originator": "Organization: Example",
             "supplier": "Organization: Example", "copyrightText": "Copyright (c) Example",
             "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                               "referenceLocator": f"pkg:apk/example/{name}@{version}?arch={ARCH}"},
                              {"referenceCategory": "SECURITY", "referenceType": "cpe23Type",
                               "referenceLocator": f"cpe:2.3:a:example:{name}:1.0:*:*:*:*:*:*:*"}]},
            {"SPDXID": source, "name": name, "versionInfo": "1.0", "filesAnalyzed": False, "licenseDeclared": "NOASSERTION",
             "downloadLocation": f"https://example.org/{name}-1.0.tar.gz", "supplier": "Organization: Example",
             "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(name.encode()).hexdigest()}]}],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": main},
            {"spdxElementId": main, "relationshipType": "GENERATED_FROM", "relatedSpdxElement": source}]}
    if extra:
        document["hasExtractedLicensingInfos"] = [{"licenseId": key, "extractedText": value, "name": key}
                                                  for key, value in extra.items()]
    return [folder("var"), folder("var/lib"), folder("var/lib/db"), folder("var/lib/db/sbom"),
            text(f"var/lib/db/sbom/{name}-{version}.spdx.json", json.dumps(document))]


def main():
    repository = Repository(sys.argv[1])
    repository.add("special", "1.0-r0", special())
    repository.add("libdemo", "1.0-r0", [folder("usr"), folder("usr/lib"), text("usr/lib/libdemo.so.1", "library\n", mode=0o755)] +
                   spdx("libdemo", "1.0-r0", "LGPL-2.1-or-later"), provides=["so:libdemo.so.1=1"], licence="LGPL-2.1-or-later")
    repository.add("demo", "1.0-r0", [folder("usr"), folder("usr/bin"), text("usr/bin/demo", "#!/bin/demo\n", mode=0o755)] +
                   spdx("demo", "1.0-r0", "MIT AND LicenseRef-odd", {"LicenseRef-odd": "be kind"}),
                   depends=["so:libdemo.so.1"], licence="MIT AND custom")
    repository.add("odd", "2.0-r3", [folder("usr"), folder("usr/share"), text("usr/share/odd", "odd\n")] +
                   spdx("odd", "2.0-r3", "LicenseRef-odd", {"LicenseRef-odd": "be kind"}), depends=["demo>=1.0"],
                   licence="custom")
    repository.finish()


main()
