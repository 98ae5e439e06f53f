#!/usr/bin/env python3
"""The repository a day later: new_version.py REPOSITORY KEY NEW PACKAGE…  writes NEW with the same packages (links), but the named
ones in their next revision, with other bytes in their largest file, and a new index signed by KEY (an RSA key; KEY.pub is beside it,
made when it is not there). Every other byte stays as it is."""
import base64, gzip, hashlib, io, os, platform, subprocess, sys, tarfile, zlib

repository, key, new, names = sys.argv[1], sys.argv[2], sys.argv[3], set(sys.argv[4:])
arch = platform.machine()


def members(data, count):
    """The first `count` gzip members inflated, and the bytes after them."""
    out = []
    for _ in range(count):
        inflate = zlib.decompressobj(31)
        out.append(inflate.decompress(data))
        data = inflate.unused_data
    return out, data


def packed(raw, end):
    """A tar as a gzip member; without its end blocks as apk has it for all segments but the last."""
    if not end:
        raw = raw.rstrip(b'\0')
        raw += b'\0' * (-len(raw) % 512)
    return gzip.compress(raw, 6, mtime=0)


def changed_data(raw):
    source, out = tarfile.open(fileobj=io.BytesIO(raw)), io.BytesIO()
    entries = source.getmembers()
    largest = max((e for e in entries if e.isreg()), key=lambda e: e.size)
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as target:
        for entry in entries:
            content = source.extractfile(entry).read() if entry.isreg() else b''
            if entry is largest:
                content += b'\nthe next revision\n'
                entry.size = len(content)
            if entry.isreg():
                entry.pax_headers['APK-TOOLS.checksum.SHA1'] = hashlib.sha1(content).hexdigest()
            target.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def next_revision(version):
    base, revision = version.rsplit('-r', 1)
    return f'{base}-r{int(revision) + 1}'


def next_package(data):
    """The package's bytes, and name and version that it has now."""
    (first,), rest = members(data, 1)
    if tarfile.open(fileobj=io.BytesIO(first)).next().name.startswith('.SIGN.'):
        (first,), rest = members(rest, 1)
    data_raw = b''
    while rest:
        (piece,), rest = members(rest, 1)
        data_raw += piece
    segment = packed(changed_data(data_raw + bytes(1024)), True)
    control, out = tarfile.open(fileobj=io.BytesIO(first)), io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as target:
        for entry in control.getmembers():
            content = control.extractfile(entry).read()
            if entry.name == '.PKGINFO':
                lines = content.decode().splitlines()
                for i, line in enumerate(lines):
                    word, _, value = line.partition(' = ')
                    if word == 'pkgver': lines[i] = f'pkgver = {next_revision(value)}'
                    if word == 'datahash': lines[i] = f'datahash = {hashlib.sha256(segment).hexdigest()}'
                content = '\n'.join(lines).encode() + b'\n'
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    control = packed(out.getvalue(), False)
    return control + segment, 'Q1' + base64.b64encode(hashlib.sha1(control).digest()).decode()


def index_text(path):
    data = open(path, 'rb').read()
    (first,), rest = members(data, 1)
    while rest:
        (piece,), rest = members(rest, 1)
        first = piece if first[:6] == b'.SIGN.' else first + piece
    return tarfile.open(fileobj=io.BytesIO(first)).extractfile('APKINDEX').read().decode()


def tar_of(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.USTAR_FORMAT) as target:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        target.addfile(entry, io.BytesIO(content))
    return out.getvalue()


os.makedirs(f'{new}/{arch}', exist_ok=True)
records = []
for text in index_text(f'{repository}/{arch}/APKINDEX.tar.gz').strip('\n').split('\n\n'):
    field = dict(line.split(':', 1) for line in text.split('\n'))
    file, target = f'{field["P"]}-{field["V"]}.apk', None
    if field['P'] in names:
        data, checksum = next_package(open(f'{repository}/{arch}/{file}', 'rb').read())
        now = {'C': checksum, 'V': next_revision(field['V']), 'S': str(len(data))}
        text = '\n'.join(f'{k}:{now.get(k, v)}' for k, v in field.items())
        target = f'{new}/{arch}/{field["P"]}-{now["V"]}.apk'
        open(target, 'wb').write(data)
        names.discard(field['P'])
    elif not os.path.exists(f'{new}/{arch}/{file}'):
        try:
            os.link(f'{repository}/{arch}/{file}', f'{new}/{arch}/{file}')
        except OSError:   # another file system
            os.symlink(os.path.abspath(f'{repository}/{arch}/{file}'), f'{new}/{arch}/{file}')
    records.append(text + '\n\n')
if names:
    sys.exit(f'{repository} has no {", ".join(sorted(names))}')
if not os.path.exists(key):
    subprocess.run(['openssl', 'genrsa', '-out', key, '2048'], check=True, capture_output=True)
    subprocess.run(['openssl', 'rsa', '-in', key, '-pubout', '-out', key + '.pub'], check=True, capture_output=True)
unsigned = packed(tar_of('APKINDEX', ''.join(records).encode()), True)
signature = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', key], input=unsigned, check=True, capture_output=True).stdout
name = f'.SIGN.RSA256.{os.path.basename(key)}.pub'
open(f'{new}/{arch}/APKINDEX.tar.gz', 'wb').write(packed(tar_of(name, signature), False) + unsigned)
