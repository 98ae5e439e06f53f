#!/usr/bin/python3
"""Reads Mozilla's certdata.txt and writes, as PEM, the roots that are trusted to name servers.

A root is written when its trust object says CKT_NSS_TRUSTED_DELEGATOR for CKA_TRUST_SERVER_AUTH. An explicit distrust
for the same issuer and serial number always wins. CKA_NSS_SERVER_DISTRUST_AFTER means that certificates issued later are
not trusted; a PEM bundle cannot say so, hence such a root is kept only until the last certificate that it may still
vouch for has expired, 398 days after that date. "Now" is SOURCE_DATE_EPOCH, so that equal input gives equal output.
"""

import base64
import hashlib
import os
import re
import sys
import time
from datetime import datetime, timedelta, timezone

LONGEST_SERVER_CERTIFICATE = timedelta(days=398)


def read_objects(lines):
    """Yields each object as a dict from attribute to bytes (octal data) or text."""
    current = None
    lines = iter(lines)
    for line in lines:
        line = line.rstrip("\n")
        if not line.strip() or line.startswith("#") or line == "BEGINDATA":
            continue
        words = line.split(None, 2)
        name, kind = words[0], words[1] if len(words) > 1 else ""
        if name == "CKA_CLASS":
            if current:
                yield current
            current = {}
        if current is None:
            continue
        if kind == "MULTILINE_OCTAL":
            data = bytearray()
            for line in lines:
                line = line.strip()
                if line == "END":
                    break
                if not re.fullmatch(r"(\\[0-3][0-7]{2})+", line):
                    raise ValueError(f"not octal data: {line}")
                data.extend(int(digits, 8) for digits in line[1:].split("\\"))
            else:
                raise ValueError(f"{name} does not end")
            current[name] = bytes(data)
        else:
            current[name] = words[2] if len(words) > 2 else ""
    if current:
        yield current


def label_of(found):
    """The label in ASCII: an escape \\xNN in the source stands for one byte of UTF-8."""
    text = found.get("CKA_LABEL", '""').strip()
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError(f"not a label: {text}")
    raw = re.sub(rb"\\x([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), text[1:-1].encode())
    return "".join(letter if 32 <= ord(letter) < 127 else "?" for letter in raw.decode("utf-8", "replace"))


def expired(found, now):
    after = found.get("CKA_NSS_SERVER_DISTRUST_AFTER")
    if not isinstance(after, bytes):
        return False  # CK_FALSE: no such date
    text = after.decode("ascii").rstrip("\0")
    moment = datetime.strptime(text, "%y%m%d%H%M%SZ" if len(text) == 13 else "%Y%m%d%H%M%SZ")
    return moment.replace(tzinfo=timezone.utc) + LONGEST_SERVER_CERTIFICATE < now


def choose(objects, now):
    certificates, trusted, distrusted = {}, set(), set()
    for found in objects:
        kind = found.get("CKA_CLASS")
        identity = (found.get("CKA_ISSUER"), found.get("CKA_SERIAL_NUMBER"))
        if kind == "CKO_CERTIFICATE":
            certificates[identity] = found
        elif kind == "CKO_NSS_TRUST":
            trust = found.get("CKA_TRUST_SERVER_AUTH")
            if trust == "CKT_NSS_TRUSTED_DELEGATOR":
                trusted.add(identity)
            elif trust == "CKT_NSS_NOT_TRUSTED":
                distrusted.add(identity)
    for identity in trusted - distrusted:
        found = certificates.get(identity)
        if found is None:
            raise ValueError("a trusted root has no certificate")
        if not expired(found, now):
            yield label_of(found), found["CKA_VALUE"]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: certdata.py certdata.txt")
    now = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), timezone.utc)
    with open(sys.argv[1], encoding="utf-8") as source:
        roots = sorted(choose(read_objects(source), now), key=lambda root: (root[0], hashlib.sha256(root[1]).digest()))
    if len(roots) < 50:
        sys.exit(f"only {len(roots)} roots: the input is not complete")
    for label, der in roots:
        encoded = base64.b64encode(der).decode("ascii")
        lines = "\n".join(encoded[start : start + 64] for start in range(0, len(encoded), 64))
        print(f"# {label}\n-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----")


if __name__ == "__main__":
    main()
