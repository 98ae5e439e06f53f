"""APK packages and repositories of a test's own making: right ones, and such as nobody should take.

    from apk_maker import *
    make_repository('repo', 'test.rsa', {'x86_64': [Package('tool', '1-r0', files={'usr/bin/tool': b'tool'})]})
"""
import base64, gzip, hashlib, io, os, subprocess, tarfile


def tar(rows, end=True):
    """rows: (name, kind, link, content, more): `more` are attributes of the entry."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as archive:
        for name, kind, link, content, *more in rows:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, link, len(content)
            entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
            for key, value in (more[0] if more else {}).items():
                setattr(entry, key, value)
            if kind == tarfile.REGTYPE and 'pax_headers' not in (more[0] if more else {}):
                entry.pax_headers = {'APK-TOOLS.checksum.SHA1': hashlib.sha1(content).hexdigest()}
            archive.addfile(entry, io.BytesIO(content))
    data = out.getvalue()
    if end:
        return data
    data = data.rstrip(b'\0')
    return data + b'\0' * (-len(data) % 512)


def folders_of(paths):
    out = []
    for path in paths:
        parts = path.split('/')[:-1]
        for i in range(1, len(parts) + 1):
            if '/'.join(parts[:i]) not in out:
                out.append('/'.join(parts[:i]))
    return out


class Package:
    def __init__(self, name, version='1-r0', arch='x86_64', files=None, depends=(), provides=(), install_if=(), rows=None,
                 data=None, info=None, origin=None, replaces=()):
        self.name, self.version, self.arch, self.origin = name, version, arch, origin or name
        self.depends, self.provides, self.install_if = list(depends), list(provides), list(install_if)
        files = files if files is not None else {f'usr/share/{name}': f'{name} {version}\n'.encode()}
        entries = [(folder, tarfile.DIRTYPE, '', b'') for folder in folders_of(files)]
        entries += [(path, tarfile.REGTYPE, '', content) for path, content in files.items()]
        self.data = data if data is not None else gzip.compress(tar(rows if rows is not None else entries), 1, mtime=0)
        lines = [f'pkgname = {name}', f'pkgver = {version}', f'arch = {arch}', 'size = 1', f'origin = {self.origin}',
                 'license = MIT', 'builddate = 1700000000', f'pkgdesc = {name} of a test']
        lines += [f'depend = {x}' for x in depends] + [f'provides = {x}' for x in provides]
        lines += [f'install_if = {" ".join(install_if)}'] if install_if else []
        lines += [f'replaces = {x}' for x in replaces]
        lines += [f'datahash = {hashlib.sha256(self.data).hexdigest()}']
        text = (info(lines) if info else '\n'.join(lines) + '\n').encode()
        self.control = gzip.compress(tar([('.PKGINFO', tarfile.REGTYPE, '', text, {'pax_headers': {}})], end=False), 1, mtime=0)
        self.bytes = self.control + self.data

    def record(self):
        sum_ = 'Q1' + base64.b64encode(hashlib.sha1(self.control).digest()).decode()
        out = [f'C:{sum_}', f'P:{self.name}', f'V:{self.version}', f'A:{self.arch}', f'S:{len(self.bytes)}', 'I:1',
               f'T:{self.name} of a test', f'o:{self.origin}', 't:1700000000']
        for key, words in (('D', self.depends), ('p', self.provides), ('i', self.install_if)):
            if words:
                out.append(f'{key}:{" ".join(words)}')
        return '\n'.join(out) + '\n\n'


def make_key(path):
    """A private key, and its public half beside it as PATH.pub."""
    if not os.path.exists(path):
        subprocess.run(['openssl', 'genrsa', '-out', path, '2048'], check=True, capture_output=True)
        subprocess.run(['openssl', 'rsa', '-in', path, '-pubout', '-out', path + '.pub'], check=True, capture_output=True)


def sign(unsigned, key):
    done = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', key], input=unsigned, check=True, capture_output=True)
    name = f'.SIGN.RSA256.{os.path.basename(key)}.pub'
    return gzip.compress(tar([(name, tarfile.REGTYPE, '', done.stdout, {'pax_headers': {}})], end=False), 1, mtime=0) + unsigned


def index_of(text, description=b'test'):
    return gzip.compress(tar([('APKINDEX', tarfile.REGTYPE, '', text, {'pax_headers': {}}),
                              ('DESCRIPTION', tarfile.REGTYPE, '', description, {'pax_headers': {}})]), 1, mtime=0)


def write_index(folder, arch, key, unsigned):
    os.makedirs(f'{folder}/{arch}', exist_ok=True)
    with open(f'{folder}/{arch}/APKINDEX.tar.gz', 'wb') as file:
        file.write(sign(unsigned, key))


def make_repository(folder, key, by_arch):
    make_key(key)
    for arch, packages in by_arch.items():
        os.makedirs(f'{folder}/{arch}', exist_ok=True)
        for package in packages:
            with open(f'{folder}/{arch}/{package.name}-{package.version}.apk', 'wb') as file:
                file.write(package.bytes)
        write_index(folder, arch, key, index_of(''.join(p.record() for p in packages).encode()))


def raw_header(name, size, kind=b'0', link=b''):
    """A tar header whose size field is as given: a number, or twelve bytes."""
    header = bytearray(512)
    header[0:len(name)] = name
    header[100:108], header[108:116], header[116:124] = b'0000644\0', b'0000000\0', b'0000000\0'
    header[124:136] = size if isinstance(size, bytes) else b'%011o\0' % size
    header[136:148], header[148:156], header[156:157] = b'00000000000\0', b' ' * 8, kind
    header[157:157 + len(link)], header[257:265] = link, b'ustar\x0000'
    header[148:156] = b'%06o\0 ' % sum(header)
    return bytes(header)


def zeros(size):
    """A gzip member of `size` zero bytes, made without holding them."""
    import zlib
    press, out, left = zlib.compressobj(9, zlib.DEFLATED, 31), [], size
    block = bytes(1 << 20)
    while left > 0:
        out.append(press.compress(block[:min(left, len(block))]))
        left -= min(left, len(block))
    out.append(press.flush())
    return b''.join(out)
