#!/usr/bin/env python3
"""Compares images, SBOMs and locks of apko with ours. usage: images.py REPOSITORY NACRE [APKO]"""
import gzip, hashlib, io, json, os, re, shutil, subprocess, sys, tarfile, tempfile

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
    'last record of a base': "apko loses the last package of a base image's APKINDEX when no blank line follows it",
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


def files_of(data):
    archive = tarfile.open(fileobj=io.BytesIO(data))
    return {e.name: archive.extractfile(e).read().decode() if e.isfile() else '' for e in archive}


def without_last_of_base(theirs, ours):
    """Whether a layer over a base differs only by the package that apko loses."""
    a, b = files_of(theirs), files_of(ours)
    database, world = 'usr/lib/apk/db/installed', 'etc/apk/world'
    if set(a) != set(b) or any(a[name] != b[name] for name in a if name not in (database, world)):
        return False
    lost = [r for r in b[database].split('\n\n') if r not in a[database].split('\n\n')]
    if len(lost) != 1 or [r for r in b[database].split('\n\n') if r != lost[0]] != a[database].split('\n\n'):
        return False
    fields = dict(line.split(':', 1) for line in lost[0].split('\n')[:2])
    return [line for line in b[world].split('\n') if line != f"{fields['P']}={fields['V']}"] == a[world].split('\n')


def first_difference(a, b):
    for x, y in zip(a, b):
        if x != y:
            return f'{x} against {y}'
    return f'{len(a)} entries against {len(b)}'


def without_bytes(document):
    """Digests and sizes of compressed layers are the compressor's; so are those of what names them."""
    text = json.dumps(document)
    return json.loads(re.sub(r'"size": \d+', '"size": 0', re.sub(r'sha256[:-][0-9a-f]{64}', 'sha256', text)))


def compare_images(name, theirs, ours, over_base=False):
    global compared
    a, b = Layout(theirs), Layout(ours)
    if without_bytes(a.index) != without_bytes(b.index):
        report(name, f'index: {json.dumps(without_bytes(a.index))} against {json.dumps(without_bytes(b.index))}')
    for (platform, m1, c1, l1), (_, m2, c2, l2) in zip(a.images(), b.images()):
        compared += 1
        where = f"{name} {platform['architecture']}"
        if over_base:
            c1['rootfs']['diff_ids'].pop(), c2['rootfs']['diff_ids'].pop()  # of the layer that is compared below
        if c1 != c2:
            keys = [k for k in set(c1) | set(c2) if c1.get(k) != c2.get(k)]
            report(where, 'configuration: ' + ', '.join(f'{k}: {c1.get(k)} against {c2.get(k)}' for k in sorted(keys)))
        if without_bytes(m1) != without_bytes(m2):
            report(where, f'manifest: {json.dumps(without_bytes(m1))} against {json.dumps(without_bytes(m2))}')
        if len(l1) != len(l2):
            report(where, f'{len(l1)} layers against {len(l2)}')
        for i, (x, y) in enumerate(zip(l1, l2)):
            if x != y and over_base and without_last_of_base(x, y):
                note('last record of a base')
            elif x != y:
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


def certificate():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=ours', '-days', '3650', '-keyout',
                        folder + '/key', '-out', folder + '/crt'], check=True, capture_output=True)
        return open(folder + '/crt').read()


def flags_of(words):
    text = subprocess.run([*words, '--help'], capture_output=True, text=True).stdout
    return set(re.findall(r'(?<![\w-])--[a-z][a-z-]+', text)) - {'--help'}


def compare_flags():
    for command in ['build', 'publish', 'build-cpio', 'build-minirootfs', 'lock', 'show-config', 'show-packages', 'dot', 'install-keys',
                    'clean', 'login', 'version']:
        missing = flags_of([apko, command]) - flags_of([nacre, 'apko', command]) - {'--log-level', '--workdir'}
        if missing:
            report(f'apko {command}', f'flags that are not there: {sorted(missing)}')


def read_examples():
    """apko's own examples are read without a fault; their repositories are on the network."""
    count = 0
    for folder, _, files in os.walk(os.path.join(repo, 'examples')):
        for name in sorted(files):
            if not name.endswith('.yaml'):
                continue
            count += 1
            done = subprocess.run([nacre, 'apko', 'show-config', os.path.join(folder, name)], cwd=repo, capture_output=True, text=True)
            if done.returncode != 0:
                report(f'examples/{name}', done.stderr.strip()[-400:])
    print(f'{count} of apko\'s examples read')


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

    read_examples()
    if apko:
        compare_flags()

    # Over a base image: the lock, the golden image, and the same with a base whose APKINDEX ends as apko wants it.
    top, top_lock = 'testdata/image_on_top.apko.yaml', f'{scratch}/top.lock.json'
    if run([nacre, 'apko', 'lock', top, '--output', top_lock]):
        a, b = normal_lock(f'{cli}/testdata/image_on_top.apko.lock.json'), normal_lock(top_lock)
        if a != b:
            report('image_on_top lock', f'{json.dumps(a)} against {json.dumps(b)}')
    else:
        report('image_on_top lock', 'no lock')
    for lock in ['testdata/image_on_top.apko.lock.json', top_lock]:
        out = f'{scratch}/top-{os.path.basename(lock)}'
        if build([nacre, 'apko'], top, out, ['--lockfile', lock]):
            compare_images('image_on_top', cli + '/testdata/top_image', out + '/image', over_base=True)
        else:
            report('image_on_top', 'no image')
    if apko:
        shutil.copytree(cli + '/testdata/base_image', scratch + '/base')
        for folder in os.listdir(scratch + '/base/metadata'):
            with open(f'{scratch}/base/metadata/{folder}/APKINDEX', 'a') as f:
                f.write('\n\n')
        ended = f'{scratch}/ended.yaml'
        text = open(f'{cli}/{top}').read().replace('./testdata/base_image/metadata/', scratch + '/base/metadata')
        with open(ended, 'w') as f:
            f.write(text.replace('./testdata/base_image/', scratch + '/base'))
        locks = {}
        for tool, words in [('a', [apko]), ('b', [nacre, 'apko'])]:
            if run([*words, 'lock', ended, '--output', f'{scratch}/ended-{tool}.lock.json']):
                locks[tool] = normal_lock(f'{scratch}/ended-{tool}.lock.json')
        if locks.get('a') != locks.get('b'):
            report('base that ends lock', f"{json.dumps(locks.get('a'))} against {json.dumps(locks.get('b'))}")
        if build([apko], ended, scratch + '/ended-a', ['--lockfile', f'{scratch}/ended-a.lock.json']) and build(
                [nacre, 'apko'], ended, scratch + '/ended-b', ['--lockfile', f'{scratch}/ended-b.lock.json']):
            compare_images('base that ends', scratch + '/ended-a/image', scratch + '/ended-b/image')
        else:
            report('base that ends', 'no image')

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
        # Every field of the schema that 'rich' has not: repositories of three kinds, keys for the image alone, services,
        # certificates, an include, groups without users, layering by origin with a budget, paths of every type.
        included = os.path.join(scratch, 'included.yaml')
        with open(included, 'w') as f:
            f.write('''contents:
  repositories: [./testdata/packages]
  packages: [pretend-baselayout]
environment: {FROM: include, BOTH: include}
annotations: {org.example.from: include}
paths: [{path: /from/include, type: directory, permissions: 0o711}]
archs: [x86_64]
''')
        every = os.path.join(scratch, 'every.yaml')
        with open(every, 'w') as f:
            runtime_key = ''.join('        ' + line for line in open(f'{cli}/testdata/melange.rsa.pub'))
            f.write(f'''include: {included}
contents:
  build_repositories: [./testdata/private_packages/packages]
  runtime_repositories: ["https://example.org/os"]
  keyring: [./testdata/melange.rsa.pub, ./testdata/private_packages/private_pkg_key.rsa.pub]
  runtime_keyring:
    - name: later.rsa.pub
      content: |
{runtime_key}  packages: [package-y=1.0.0-r0, replayout]
entrypoint:
  command: /bin/sh -c 'echo "a b"'
stop-signal: SIGTERM
work-dir: /home/build
accounts:
  run-as: 1002:7
  groups:
    - {{groupname: alone, gid: 4000}}
    - {{groupname: many, gid: 4001, members: [a, b]}}
  users:
    - {{username: a, uid: 1001, gid: 4001, shell: /bin/false, homedir: /dev/null}}
    - {{username: b, uid: 1002}}
environment: {{BOTH: own, SSL_CERT_FILE: /etc/other.crt}}
paths:
  - {{path: /srv, type: directory}}
  - {{path: /srv/deep/er, type: directory, uid: 5, gid: 6, permissions: 0o4711, recursive: true}}
  - {{path: /srv/deep/file, type: empty-file}}
  - {{path: /srv/deep/link, type: symlink, source: file}}
  - {{path: /srv/deep/two, type: hardlink, source: /srv/deep/file, permissions: 0o600}}
  - {{path: /etc/os-release, type: permissions, permissions: 0o400, uid: 9}}
  - {{path: /y, type: permissions, recursive: true, gid: 3, permissions: 0o700}}
annotations:
  org.opencontainers.image.title: every
  org.opencontainers.image.vendor: nobody
volumes: [/data, /data/more]
vcs-url: https://example.org/every@0123456
certificates:
  additional:
    - name: ours
      content: |
''' + ''.join('        ' + line + '\n' for line in certificate().splitlines()))
        services = os.path.join(scratch, 'services.yaml')
        with open(services, 'w') as f:
            f.write('''contents:
  repositories: [./testdata/packages, ./testdata/private_packages/packages]
  keyring: [./testdata/melange.rsa.pub, ./testdata/private_packages/private_pkg_key.rsa.pub]
  packages: [package-x, package-y]
layering: {strategy: origin, budget: 2}
paths:
  - {path: /opt/a, type: empty-file, permissions: 0o4755}
  - {path: /x/hello.txt, type: permissions, permissions: 0o640, uid: 1, gid: 2}
''')
        for config in [every, services, 'testdata/layering.yaml', 'testdata/empty-layering.yaml', 'testdata/apko-certs.yaml', extra]:
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
    for reason in sorted(seen):
        print(f'as expected: {reason}: {EXPECTED[reason]}')
print(f'{compared} images compared, {failed} differences')
sys.exit(1 if failed else 0)
