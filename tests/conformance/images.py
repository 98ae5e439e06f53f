#!/usr/bin/env python3
"""Compares images, SBOMs and locks of apko with ours. usage: images.py REPOSITORY NACRE [APKO]"""
import gzip, hashlib, io, json, os, re, subprocess, sys, tarfile, tempfile

repo, nacre = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
apko = sys.argv[3] if len(sys.argv) > 3 and sys.argv[3] else None
cli = os.path.join(repo, 'internal/cli')
title = ['--annotations', 'org.opencontainers.image.title:Title', '--annotations', 'org.opencontainers.image.vendor:Vendor']
archs = ['--arch', 'amd64,arm64']
failed, compared = 0, 0

# What differs on purpose: docs/apko.md says why.
EXPECTED = {
    'gzip bytes': 'layers are compressed by another library; the uncompressed bytes are equal',
    'sbom creator': 'the SBOM says who wrote it',
    'sbom namespace': "apko's is one constant for all documents, and SPDX wants each to have its own",
    'sbom os relation': 'the operating system hangs on the image, so that the graph is whole',
    'sbom source': "apko loses vcs-url on the way to an architecture's SBOM; ours names the source there too",
    'sbom index supplier': "the index's supplier is that of its first image",
    'sbom index relation': 'the images of an index hang on it by CONTAINS too: readers that do not follow VARIANT_OF drop them',
    'lock member': "locks have a further member 'nacre' with digests of indexes and packages; apko ignores it",
}
seen = set()


def note(reason):
    seen.add(reason)


def report(name, problem):
    global failed
    failed += 1
    print(f'DIFFERS {name}: {problem}')


class Layout:
    def __init__(self, folder):
        self.folder = folder
        self.index = json.load(open(os.path.join(folder, 'index.json')))

    def blob(self, digest):
        return open(os.path.join(self.folder, 'blobs/sha256', digest.split(':')[1]), 'rb').read()

    def images(self):
        for row in self.index['manifests']:
            manifest = json.loads(self.blob(row['digest']))
            yield row['platform'], manifest, json.loads(self.blob(manifest['config']['digest'])), [
                gzip.decompress(self.blob(layer['digest'])) for layer in manifest['layers']]


def entries(data):
    rows = []
    archive = tarfile.open(fileobj=io.BytesIO(data))
    for e in archive:
        content = hashlib.sha256(archive.extractfile(e).read()).hexdigest() if e.isfile() else ''
        rows.append((e.name, oct(e.mode), e.uid, e.gid, e.uname, e.gname, e.mtime, e.type, e.size, e.linkname, e.devmajor,
                     e.devminor, tuple(sorted(e.pax_headers.items())), content))
    return rows


def first_difference(a, b):
    for x, y in zip(a, b):
        if x != y:
            return f'{x} against {y}'
    return f'{len(a)} entries against {len(b)}'


def without_bytes(document):
    """Digests and sizes of compressed layers are the compressor's; so are those of what names them."""
    text = json.dumps(document)
    return json.loads(re.sub(r'"size": \d+', '"size": 0', re.sub(r'sha256[:-][0-9a-f]{64}', 'sha256', text)))


def compare_images(name, theirs, ours):
    global compared
    a, b = Layout(theirs), Layout(ours)
    if without_bytes(a.index) != without_bytes(b.index):
        report(name, f'index: {json.dumps(without_bytes(a.index))} against {json.dumps(without_bytes(b.index))}')
    for (platform, m1, c1, l1), (_, m2, c2, l2) in zip(a.images(), b.images()):
        compared += 1
        where = f"{name} {platform['architecture']}"
        if c1 != c2:
            keys = [k for k in set(c1) | set(c2) if c1.get(k) != c2.get(k)]
            report(where, 'configuration: ' + ', '.join(f'{k}: {c1.get(k)} against {c2.get(k)}' for k in sorted(keys)))
        if without_bytes(m1) != without_bytes(m2):
            report(where, f'manifest: {json.dumps(without_bytes(m1))} against {json.dumps(without_bytes(m2))}')
        if len(l1) != len(l2):
            report(where, f'{len(l1)} layers against {len(l2)}')
        for i, (x, y) in enumerate(zip(l1, l2)):
            if x != y:
                report(where, f'layer {i}: {first_difference(entries(x), entries(y))}')
        if m1['layers'] != m2['layers']:
            note('gzip bytes')
        for row in m2['layers'] + [m2['config']]:
            if 'sha256:' + hashlib.sha256(b.blob(row['digest'])).hexdigest() != row['digest']:
                report(where, f"blob {row['digest']} has another digest")


def normal_sbom(path, index):
    text = open(path).read()
    document = json.loads(re.sub(r'sha256([:-])[0-9a-f]{64}', r'sha256\1X', text))
    for package in document['packages']:
        for checksum in package.get('checksums', []):
            if checksum['algorithm'] == 'SHA256':
                checksum['checksumValue'] = 'X'
        if index:
            note('sbom index supplier')
            package['supplier'] = 'X'
            package.pop('sourceInfo', None)
    note('sbom creator')
    note('sbom namespace')
    document['creationInfo']['creators'] = []
    document['documentNamespace'] = 'X'
    relations = []
    for relation in document['relationships']:
        if relation['relatedSpdxElement'].startswith('SPDXRef-OperatingSystem-'):
            note('sbom os relation')
        elif index and relation['relationshipType'] == 'CONTAINS':
            note('sbom index relation')
        elif relation['relationshipType'] == 'GENERATED_FROM' and not index:
            note('sbom source')
        else:
            relations.append(relation)
    document['relationships'] = relations
    if not index:
        document['packages'] = [p for p in document['packages'] if p.get('primaryPackagePurpose') != 'SOURCE'
                                or p.get('description') != 'Image configuration source']
    return document


def compare_sboms(name, theirs, ours):
    for file in sorted(os.listdir(theirs)):
        a = normal_sbom(os.path.join(theirs, file), 'index' in file)
        b = normal_sbom(os.path.join(ours, file), 'index' in file)
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                x, y = a.get(key), b.get(key)
                report(f'{name} {file}', f'{key}: {first_difference(x, y) if isinstance(x, list) else (x, y)}')


def run(words, cwd=cli):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"FAILED {' '.join(words)}: {done.stderr.strip()[-600:]}")
    return done.returncode == 0



def build(tool, config, folder, extra):
    os.makedirs(folder + '/image'), os.makedirs(folder + '/sboms')
    return run([*tool, 'build', config, 'golden:latest', folder + '/image', '--sbom-path', folder + '/sboms', '--vcs=false',
                *archs, *extra])


def normal_lock(path):
    lock = json.load(open(path))
    if 'nacre' in lock:
        note('lock member')
    lock.pop('nacre', None)
    for package in lock['contents']['packages']:
        package.pop('nacre', None)
    lock['config'].pop('name', None)
    return lock


with tempfile.TemporaryDirectory() as scratch:
    home = os.path.join(scratch, 'home')
    os.environ['NACRE_HOME'] = os.environ.get('NACRE_CONFORMANCE_HOME', home)
    os.environ.pop('SOURCE_DATE_EPOCH', None)
    cases = [('golden', 'testdata/apko.yaml', title)]
    if build([nacre, 'apko'], 'testdata/apko.yaml', scratch + '/golden', title):
        compare_images('golden', cli + '/testdata/golden', scratch + '/golden/image')
        compare_sboms('golden', cli + '/testdata/golden/sboms', scratch + '/golden/sboms')
    else:
        report('golden', 'no image')

    for name, config in [('lock', 'apko')]:
        out = f'{scratch}/{name}.lock.json'
        if run([nacre, 'apko', 'lock', f'testdata/{config}.yaml', '--output', out]):
            a, b = normal_lock(f'{cli}/testdata/{config}.lock.json'), normal_lock(out)
            if a != b:
                report(name, f'{json.dumps(a)} against {json.dumps(b)}')
            if build([nacre, 'apko'], f'testdata/{config}.yaml', scratch + '/locked', [*title, '--lockfile', out, '--locked']):
                compare_images('locked', cli + '/testdata/golden', scratch + '/locked/image')
        else:
            report(name, 'no lock')
    old = subprocess.run([nacre, 'apko', 'build', 'testdata/apko.yaml', 'x', scratch + '/x.tar', '--lockfile',
                          'testdata/apko.pre-0.13.lock.json'], cwd=cli, capture_output=True, text=True)
    if old.returncode == 0:
        report('pre-0.13 lock', 'was taken')

    if apko:
        extra = os.path.join(scratch, 'rich.yaml')
        with open(extra, 'w') as f:
            f.write('''contents:
  repositories: [./testdata/packages]
  keyring: [./testdata/melange.rsa.pub]
  packages: [replayout]
entrypoint: {shell-fragment: echo "<hi>"}
cmd: --help "me you"
stop-signal: SIGQUIT
work-dir: /srv
accounts:
  run-as: web
  groups: [{groupname: web, gid: 1001, members: [web]}]
  users:
    - {username: web, uid: 1001}
    - {username: two, uid: 1002, gid: 0, shell: /bin/ash, homedir: /home/deep/er}
environment: {LANG: C.UTF-8, A: b}
paths:
  - {path: /var/www/x, type: directory, uid: 1001, permissions: 0o2755}
  - {path: /etc/link, type: symlink, source: /etc/os-release, permissions: 0o640}
  - {path: /etc/hard, type: hardlink, source: /etc/os-release, permissions: 0o4755}
  - {path: /etc/none, type: empty-file, gid: 7, permissions: 0o600}
  - {path: /var/lib, type: permissions, recursive: true, uid: 3, permissions: 0o750}
annotations: {org.example.team: web}
volumes: [/data, /b]
vcs-url: https://example.org/web@c0ffee
''')
        for config in ['testdata/layering.yaml', 'testdata/empty-layering.yaml', 'testdata/apko-certs.yaml', extra]:
            name = os.path.basename(config)
            a, b = f'{scratch}/{name}-a', f'{scratch}/{name}-b'
            if not build([apko], config, a, title):
                print(f'skipped {name}: the reference does not build it here')
                continue
            if build([nacre, 'apko'], config, b, title):
                compare_images(name, a + '/image', b + '/image')
                compare_sboms(name, a + '/sboms', b + '/sboms')
            else:
                report(name, 'no image')
    print('skipped apko-discover: its repositories are on the network, and nacre trusts keys by name alone')
    print('skipped image_on_top: base images are not there yet')
    for reason in sorted(seen):
        print(f'as expected: {reason}: {EXPECTED[reason]}')
print(f'{compared} images compared, {failed} differences')
sys.exit(1 if failed else 0)
