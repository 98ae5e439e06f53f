"""What the fuzz targets begin with: small right inputs, so that they need not guess a checksum or a header.

    make_seeds.py DIR     writes DIR/TARGET/NAME
"""
import base64, gzip, hashlib, json, os, subprocess, sys, tarfile

source = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, os.path.join(source, 'tests', 'flow'))
sys.dont_write_bytecode = True
from apk_maker import Package, tar  # noqa: E402

out = sys.argv[1]


def seed(target, name, content):
    folder = os.path.join(out, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def files(target, folder, ending, most=12, prefix=b''):
    names = sorted(name for name in os.listdir(os.path.join(source, folder)) if name.endswith(ending))
    for name in names[:most]:
        with open(os.path.join(source, folder, name), 'rb') as file:
            seed(target, name, prefix + file.read())


DIR, FILE, LINK, HARD = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
text = b''.join(b'line %d of a text that repeats itself\n' % i for i in range(200))
tree = tar([('usr', DIR, '', b''), ('usr/a', FILE, '', b'text'), ('usr/b', LINK, 'a', b''), ('usr/c', HARD, 'usr/a', b''),
            ('usr/' + 'long' * 40, FILE, '', b'x'), ('dev', DIR, '', b'', {'mode': 0o1777, 'uid': 7, 'gid': 8})])
package = Package('tool', '1.2.3-r4', files={'usr/bin/tool': b'#!/bin/sh\n', 'usr/lib/libz.so.1': b'\x7fELF'},
                  depends=['so:libc.so.6', 'a>=1'], provides=['cmd:tool=1.2.3-r4'], install_if=['x', 'y'], replaces=['old<2'])
record = '\n'.join(package.record()) if isinstance(package.record(), list) else package.record()
index = tar([('DESCRIPTION', FILE, '', b'edition community', {'pax_headers': {}}),
             ('APKINDEX', FILE, '', record.encode() + b'\n\n', {'pax_headers': {}})])

# gzip: stored, fixed and dynamic blocks, members one after the other, every field of the header.
header = b'\x1f\x8b\x08\x1e\0\0\0\0\0\3' + b'\4\0AB\1\0' + b'name\0' + b'comment\0'
full = header + (__import__('zlib').crc32(header) & 0xffff).to_bytes(2, 'little') + gzip.compress(text, 6)[10:]
for level in (0, 1, 6, 9):
    member = gzip.compress(text, level, mtime=0)
    seed('codec_gzip', f'level{level}', b'\x10' + member)
    seed('codec_gzip', f'two{level}', b'\xff' + member + gzip.compress(b'', level, mtime=0) + member)
    seed('codec_gzip_cut', f'level{level}', b'\0\4' + member)
seed('codec_gzip', 'header', b'\x01' + full)
seed('codec_gzip', 'fixed', b'\x01' + gzip.compress(b'abc', 9, mtime=0))
seed('codec_gzip_cut', 'fixed', b'\2\0' + gzip.compress(b'abc', 9, mtime=0))


def in_pieces(*texts):
    """One gzip member whose header says where its parts are (docs/formats/index-pieces.md)."""
    zlib, rows, body = __import__('zlib'), b'', b''
    for text in texts:
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        piece = deflate.compress(text) + deflate.flush(zlib.Z_FULL_FLUSH)
        rows += b''.join(n.to_bytes(4, 'little') for n in (len(piece), len(text), zlib.crc32(text), 1))
        body += piece
    whole = b''.join(texts)
    extra = b'np' + len(rows).to_bytes(2, 'little') + rows
    return (b'\x1f\x8b\x08\x04\0\0\0\0\0\xff' + len(extra).to_bytes(2, 'little') + extra + body + b'\3\0' +
            zlib.crc32(whole).to_bytes(4, 'little') + len(whole).to_bytes(4, 'little'))


one = record.encode() + b'\n\n'
two = one.replace(b'P:tool', b'P:unit')
seed('codec_gzip_pieces', 'three', in_pieces(b'a', text, b'end'))
seed('apk_index_pieces', 'text', b'\1\1' + one + two)
seed('apk_index_pieces', 'index', b'\0\0' + in_pieces(
    tar([('APKINDEX', FILE, '', one + two, {'pax_headers': {}})])[:512], one, two,
    tar([('APKINDEX', FILE, '', one + two, {'pax_headers': {}}), ('DESCRIPTION', FILE, '', b'x', {'pax_headers': {}})])[512 + len(one + two):]))
seed('codec_tar', 'tree', b'\x20' + tree)
for name, pack in (('tar', bytes), ('gz', gzip.compress), ('bz2', __import__('bz2').compress), ('xz', __import__('lzma').compress)):
    seed('codec_archive', name, pack(tree))
    seed('codec_archive', 'text.' + name, pack(text))
seed('apk_package', 'raw', b'\0' + package.bytes)
seed('apk_package', 'control', b'\1' + gzip.decompress(package.control))
seed('apk_package', 'data', b'\2' + tree)
seed('apk_package_info', 'tool', gzip.decompress(package.control)[512:].rstrip(b'\0'))
seed('apk_index', 'packed', b'\0' + gzip.compress(index, 9, mtime=0))
seed('apk_index', 'tar', b'\1' + index)
seed('apk_index', 'text', b'\2' + record.encode() + b'\n\n')
seed('solve_world', 'tool', 'tool !old\n' + record + '\n\n')
seed('image_layer', 'two', tree + tar([('usr/.wh.a', FILE, '', b''), ('usr/b', DIR, '', b'')]))
seed('image_base', 'installed', record + '\nF:usr\nM:0:0:755\nR:tool\na:0:0:755\nZ:Q1' + base64.b64encode(b'x' * 20).decode() + '\n\n')

# Documents of an image: the layer, its configuration, its manifest.
layer = tar([('etc/passwd', FILE, '', b'root:x:0:0:root:/root:/bin/sh\n')])
for kind, packed in (('tar', layer), ('tar+gzip', gzip.compress(layer, 1, mtime=0))):
    config = json.dumps({'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(layer).hexdigest()]}})
    describe = lambda n, kind: f'{{"mediaType":"application/vnd.oci.image.{kind}","digest":"@{n}","size":#{n}}}'
    manifest = f'{{"config":{describe(1, "config.v1+json")},"layers":[{describe(2, "layer.v1." + kind)}]}}'
    seed('image_documents', kind.replace('+', '-'), f'{manifest}\n%\n{config}\n%\n'.encode() + packed)
seed('publish_registry', 'pull', '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":'
     '"application/vnd.oci.image.manifest.v1+json","digest":"@1","size":9}]}\n{"config":{"mediaType":"application/vnd.oci.image.config'
     '.v1+json","digest":"@2","size":2},"layers":[]}\n{}')
seed('publish_registry', 'token', '?Bearer realm="http://127.0.0.1:5000/token",service="s",scope="repository:a/b:pull"')

# What the composer keeps of a package: numbers below 128 are one byte, texts have theirs before them.
words = lambda *texts: b''.join(bytes([len(x)]) + x.encode() for x in texts)
info = 'pkgname = a\npkgver = 1-r0\narch = x86_64\n'
entry = bytes([32 | 8, ord('0')]) + words('usr/lib/a') + bytes([1, 2, 3]) + words('sha1') + bytes([62]) + words('liba.so.1')
seed('image_contents', 'small', b'nacre contents 2\n' + bytes(6) + words('key', 'sig', 'sha') + bytes([9, 1, 9]) + bytes(128) +
     b'\1' + words('.PKGINFO', info) + bytes([36, 0, 0]) + words('root', 'root') + b'\1' + entry)

# Programs of this machine, their tables alone where they are large.
for name in ('/bin/true', '/lib/x86_64-linux-gnu/libc.so.6', '/lib/x86_64-linux-gnu/libz.so.1', '/lib/ld-linux-aarch64.so.1'):
    if os.path.exists(name):
        with open(name, 'rb') as file:
            content = file.read()
        if len(content) < 60000:
            seed('package_elf', os.path.basename(name), content)
            seed('image_library', os.path.basename(name), b'\x40' + content)
seed('package_files', 'x.pc', 'prefix=/usr\nName: x\nRequires: a >= 1, b\nRequires.private: ${prefix}c\n')
seed('package_files', 'script', '#!/usr/bin/env -S perl -w\n')
seed('package_files', 'module', b'\x7fELF' + b'\0vermagic=6.1.0-test SMP\0')
seed('image_truststore', 'empty', bytes.fromhex('feedfeed0000000200000001000000020001610000000000000000') + b'\0\5X.509\0\0\0\3der')
seed('image_truststore', 'passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n')

yaml = 'package:\n  name: a\n  version: 1.0\n  epoch: 0\n  copyright:\n    - license: MIT\npipeline:\n  - uses: fetch\n'
seed('codec_yaml', 'small', yaml + '"q": \'x\'\nblock: |-\n  a\n   b\nflow: {a: [1, "2"], b: &x c, d: *x}\n')
files('codec_yaml', 'os/packages', '.yaml')
files('definition_read', 'os/packages', '.yaml')
files('definition_layout', 'os/packages', '.yaml')
files('image_spec', 'os/images', '.yaml')
words = b''.join(n.to_bytes(8, 'little') for n in (3, 1 << 40))
head = {'use': 2, 'words': 2, 'pastes': True, 'whole': '', 'versions': ['z_version'], 'numbers': ['1.2'], 'files': 3,
        'includes': ['b.h', 'z.h'], 'pastePatterns': ['z_*']}
places = b'\1\0' + b'\1\0' + b'\x0a\2' + b'\3\0' + b'\6\0' + b'\2\0\2' + b'\1\2'
seed('package_use', 'blob', b'\0' + json.dumps(head).encode() + b'\n' + words + places)
seed('package_use', 'old', b'\0' + json.dumps({'use': 1, 'words': 2}).encode() + b'\n' + words)
seed('package_use', 'files', b'src/a.c\n#include <stdio.h>\n#include <z.h>\n#include "b.h"\nFILE *f = z_x(zf(1));\1src/b.h\n#ifndef B\n'
     b'#define B\n#define M(x, y) x##_##y\n#include "../t.txt"\n#endif\n\1t.txt\ny\1Makefile\nC = -include y/y.h\nz.h:\n\1configure\nz.h zf 1.2\n')
seed('package_header', 'two', b'#ifndef Z\n#define Z(x) lib_##x\nextern "C" {\nenum e { A, B = 2, C };\ntypedef struct s { int a; } s;\n'
     b'static inline int f(int x) { return x; }\n}\n#else\nnamespace n { template <class T> struct V {}; }\n#endif\n\x01#define A 1\nint f(void);\n')
seed('image_lock', 'small', json.dumps({'version': 'v1', 'contents': {'keyring': [], 'repositories': [], 'packages': []}}))

moment = '2026-01-02T03:04:05Z'
key = {'keyid': 'ab', 'keytype': 'ecdsa', 'scheme': 'ecdsa-sha2-nistp256', 'keyval': {'public': ''}}
if (made := subprocess.run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout'], capture_output=True)).returncode == 0:
    key['keyval']['public'] = subprocess.run(['openssl', 'pkey', '-pubout'], input=made.stdout, capture_output=True).stdout.decode()
seed('index_keys', 'ecdsa.pem', key['keyval']['public'])
role = lambda kind, **more: json.dumps({'signatures': [{'keyid': 'ab', 'sig': '00'}], 'signed': {
    '_type': kind, 'spec_version': '1.0.31', 'version': 1, 'expires': moment, **more}})
roles = {name: {'keyids': ['ab'], 'threshold': 1} for name in ('root', 'targets', 'snapshot', 'timestamp')}
about = {'length': 5, 'hashes': {'sha256': '00' * 32}, 'version': 1}
seed('index_freshness', 'root', role('root', consistent_snapshot=True, keys={'ab': key}, roles=roles))
seed('index_freshness', 'timestamp', role('timestamp', meta={'snapshot.json': about}))
seed('index_freshness', 'snapshot', role('snapshot', meta={'targets.json': about}))
seed('index_freshness', 'targets', role('targets', targets={'x86_64/APKINDEX.tar.gz': about}))
seed('index_keys', 'set', json.dumps({'keys': [{'kty': 'RSA', 'kid': 'k', 'n': '4' * 342 + 'Q', 'e': 'AQAB'}]}))
seed('index_repositories', 'lines', '# comment\nhttps://host/os\n@edge https://host/edge\n./packages\nmachine a login b password c\n')
seed('net_ranges', 'part', (1000).to_bytes(8, 'little') + b'bytes=5-99')
seed('net_ranges', 'last', (1000).to_bytes(8, 'little') + b'bytes=-3')
seed('store_bucket_answers', 'page', '<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>p/sha256/0</Key>'
     '<LastModified>2026-11-29T12:30:00.000Z</LastModified><Size>5</Size></Contents><NextContinuationToken>t</NextContinuationToken>'
     '</ListBucketResult>')
seed('store_bucket_answers', 'error', '<Error><Code>NoSuchKey</Code><Message>a&amp;b</Message></Error>')
seed('publish_serve', 'tags', '/v2/nacre/a/tags/list\nn=2\nlast=x\n')
seed('publish_serve', 'blob', '/v2/nacre/a/blobs/sha256:' + '0' * 64 + '\nrange:bytes=0-\n')
seed('publish_serve', 'package', '/community/x86_64/APKINDEX.tar.gz\nif-none-match:"x"\n')
for number, body in enumerate((
        [{'tag_name': 'v1.2', 'name': 'v1.2', 'prerelease': False, 'published_at': moment}],
        {'stable_versions': ['1.2'], 'versions': ['1.2']},
        {'versions': ['1.2'], 'files': [{'filename': 'name-1.2.tar.gz', 'upload-time': moment, 'yanked': False}]},
        {'versions': {'1.2': {}}, 'time': {'1.2': moment}}, 'v1.2.0', {'versions': [{'num': '1.2', 'created_at': moment, 'yanked': False}]},
        '<metadata><versioning><versions><version>1.2</version></versions></versioning></metadata>',
        '001e# service=git-upload-pack\n0000003d' + '0' * 40 + ' refs/tags/v1.2\n0000')):
    content = body if isinstance(body, str) else json.dumps(body)
    seed('watch_feeds', f'feed{number}', bytes([number]) + content.encode())
seed('watch_refs', 'tags', '001e# service=git-upload-pack\n0000003d' + '0' * 40 + ' refs/tags/v1.2\n0000')

# An image in an OCI layout: index.json, then what is named "@N" there, N parts further on.
def layout(layer, kind):
    diff = 'sha256:' + hashlib.sha256(tree).hexdigest()
    row = lambda at, what, part: f'{{"mediaType":"{what}","digest":"@{at}","size":{len(part)}}}'.encode()
    config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': [diff]}}).encode()
    manifest = (b'{"schemaVersion":2,"config":' + row(1, 'application/vnd.oci.image.config.v1+json', config) + b',"layers":['
                + row(2, kind, layer) + b']}')
    # The digest that stands there is longer than its name.
    grown = len(manifest) + 2 * (len('sha256:') + 64 - 2)
    index = b'{"schemaVersion":2,"manifests":[' + row(1, 'application/vnd.oci.image.manifest.v1+json', b' ' * grown) + b']}'
    return b'\n--\n'.join((index, manifest, config, layer))


seed('image_layout', 'plain', layout(tree, 'application/vnd.oci.image.layer.v1.tar'))
packed = subprocess.run(['zstd', '-c'], input=tree, stdout=subprocess.PIPE, check=True).stdout
seed('image_layout', 'zstd', layout(packed, 'application/vnd.oci.image.layer.v1.tar+zstd'))

# Manifests around kept blobs and texts (docs/formats/registry-depot.md).
empty = {'mediaType': 'application/vnd.oci.empty.v1+json', 'digest': 'sha256:' + hashlib.sha256(b'{}').hexdigest(), 'size': 2}
kept = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'config': empty}
seed('publish_depot', 'blob', json.dumps({**kept, 'artifactType': 'application/vnd.nacre.blob.v1', 'annotations': {
    'org.opencontainers.image.created': '2026-11-30T01:02:03Z'}, 'layers': [{**empty, 'mediaType': 'application/octet-stream'}]}))
seed('publish_depot', 'text', json.dumps({**kept, 'artifactType': 'application/vnd.nacre.text.v1', 'layers': [empty],
                                          'annotations': {'dev.nacre.text': 'an id'}}))
