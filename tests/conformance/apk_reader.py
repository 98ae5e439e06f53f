#!/usr/bin/env python3
"""A second reader of packages and indexes, which shares nothing with nacre's: the standard library and openssl.

usage: apk_reader.py KEYS_DIR APKINDEX.tar.gz FILE.apk…
Checks signatures, datahash, file checksums, and that the index says of each package what the package is.
Prints one line a package; exit 1 with the first thing that is wrong.
"""

import base64
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zlib


def fail(text):
    sys.exit(f"apk_reader: {text}")


def members(data):
    """Pairs of compressed and inflated bytes of each gzip member."""
    out = []
    while data:
        inflater = zlib.decompressobj(wbits=31)
        plain = inflater.decompress(data) + inflater.flush()
        if not inflater.eof:
            fail("a gzip member is cut short")
        used = len(data) - len(inflater.unused_data)
        out.append((data[:used], plain))
        data = inflater.unused_data
    return out


def entries(tar):
    """Entries of a tar that may lack its end-of-archive blocks, with their content."""
    archive = tarfile.open(fileobj=io.BytesIO(tar + b"\0" * 1024), mode="r:", format=tarfile.PAX_FORMAT)
    return [(e, archive.extractfile(e).read() if e.isreg() else b"") for e in archive]


def verify(keys, signature_tar, signed, what):
    files = entries(signature_tar)
    if len(files) != 1 or not files[0][0].name.startswith(".SIGN.RSA256."):
        fail(f"{what}: expected one .SIGN.RSA256 file, got {[f.name for f, _ in files]}")
    key = os.path.join(keys, files[0][0].name[len(".SIGN.RSA256."):])
    with tempfile.NamedTemporaryFile() as signature:
        signature.write(files[0][1])
        signature.flush()
        done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", signature.name],
                              input=signed, capture_output=True)
    if done.returncode != 0:
        fail(f"{what}: openssl refuses the signature: {done.stdout + done.stderr}")


def read_package(keys, path):
    with open(path, "rb") as file:
        raw = file.read()
    parts = members(raw)
    if len(parts) != 3:
        fail(f"{path}: expected 3 gzip members, got {len(parts)}")
    (_, signature), (control, control_tar), (data, data_tar) = parts
    verify(keys, signature, control, path)
    control_files = entries(control_tar)
    if control_files[0][0].name != ".PKGINFO":
        fail(f"{path}: .PKGINFO is not first")
    info = {}
    for line in control_files[0][1].decode().splitlines():
        if not line.startswith("#"):
            key, value = line.split(" = ", 1)
            info.setdefault(key, []).append(value)
    if info["datahash"] != [hashlib.sha256(data).hexdigest()]:
        fail(f"{path}: datahash is not that of the data segment")
    if data_tar.endswith(b"\0" * 1024):
        fail(f"{path}: the data segment has end-of-archive blocks and would end a layer")
    files = entries(data_tar)
    for entry, content in files:
        content = entry.linkname.encode() if entry.issym() else content
        stated = entry.pax_headers.get("APK-TOOLS.checksum.SHA1")
        if (entry.isreg() or entry.issym()) and stated != hashlib.sha1(content).hexdigest():
            fail(f"{path}: {entry.name} has the wrong checksum {stated}")
        if entry.isdir() and stated:
            fail(f"{path}: the directory {entry.name} has a checksum")
    if b"".join(p for _, p in parts) != signature + control_tar + data_tar:
        fail(f"{path}: members do not join to one tar")
    print(f"{info['pkgname'][0]}-{info['pkgver'][0]}: {len(files)} entries, {len(control_files)} control files")
    return {"C": "Q1" + base64.b64encode(hashlib.sha1(control).digest()).decode(), "P": info["pkgname"][0],
            "V": info["pkgver"][0], "A": info["arch"][0], "S": str(len(raw)), "I": info["size"][0],
            "T": info["pkgdesc"][0], "D": " ".join(info.get("depend", [])), "p": " ".join(info.get("provides", []))}


def read_index(keys, path):
    with open(path, "rb") as file:
        raw = file.read()
    first, second = members(raw)[:2]
    verify(keys, first[1], raw[len(first[0]):], path)
    if not second[1].endswith(b"\0" * 1024):
        fail(f"{path}: no end-of-archive blocks")
    files = {e.name: content.decode() for e, content in entries(second[1])}
    if sorted(files) != ["APKINDEX", "DESCRIPTION"]:
        fail(f"{path}: unexpected files {sorted(files)}")
    print(f"index: {files['DESCRIPTION']}")
    records = [dict(line.split(":", 1) for line in block.splitlines())
               for block in files["APKINDEX"].split("\n\n") if block]
    return {(r["P"], r["V"]): r for r in records}


def main():
    keys, index_path, *packages = sys.argv[1:]
    index = read_index(keys, index_path)
    for path in packages:
        seen = read_package(keys, path)
        record = index.pop((seen["P"], seen["V"]), None)
        if record is None:
            fail(f"{path}: the index does not have {seen['P']}-{seen['V']}")
        for key, value in seen.items():
            if record.get(key, "0" if key in "SI" else "") != value:
                fail(f"{path}: the index says {key}:{record.get(key)}, the package {value}")
    if index:
        fail(f"the index names packages that are not there: {sorted(index)}")


main()
