#!/usr/bin/env bash
# Every pipeline of os/pipelines at work: tests/pipelines/*.yaml builds small programs with them and looks at what came
# out; below, what they refuse. NACRE_TEST_LARGE=1 adds languages whose compilers are large (Go, Rust, Ruby, R).
. "$(dirname "$0")/lib.sh"
command -v apt-get >/dev/null || skip "no apt-get to make stage 0 with"

export NACRE_HOME=$scratch/home
cp -a "$source_root/os" "$scratch/os"
export NACRE_OS_DIR=$scratch/os
rm -rf "$scratch"/os/{packages,images}/* "$scratch/os/sources.lock"
cp "$source_root/tests/pipelines/stage0.yaml" "$scratch/os/"
# Debian's start files are not marked for CET, and a program that links them is not either: the linker is told to.
sed -i 's/-z noexecstack/-z noexecstack -z ibt -z shstk/' "$scratch/os/stage0/hardened.specs"

large=()
if [ -n "${NACRE_TEST_LARGE-}" ]; then
  large=(hello-languages)
  cat "$source_root/tests/pipelines/stage0-large.yaml" >>"$scratch/os/stage0.yaml"
  cp "$source_root/tests/pipelines/cargo-auditable" "$scratch/os/stage0/"
fi
for name in hello-autotools hello-cmake hello-meson hello-python hello-perl hello-git hello-kinds "${large[@]}"; do
  check "$name: built, and its tests pass" "$NACRE" test "$source_root/tests/pipelines/$name.yaml"
done

# The page lists each with its inputs.
missing=$(python3 - "$source_root" <<'END'
import pathlib, re, sys
root = pathlib.Path(sys.argv[1])
page = (root / "docs/pipelines.md").read_text()
for file in sorted((root / "os/pipelines").rglob("*.yaml")):
    name = str(file.relative_to(root / "os/pipelines"))[:-5]
    row = re.search(r"^\| `%s` \| [^|]*\|(.*)\|[^|]*\|$" % re.escape(name), page, re.M)
    inputs = re.search(r"^inputs:\n((?:  .*\n|\n)*)", file.read_text(), re.M)
    wanted = re.findall(r"^  ([\w-]+):", inputs.group(1), re.M) if inputs else []
    found = re.findall(r"(?<!= )`([\w-]+)`", row.group(1)) if row else None
    if found != wanted:
        print(name, wanted, found)
END
)
same "docs/pipelines.md lists every pipeline with its inputs" "" "$missing"

# attempt NAME <<END: a definition of that name whose pipeline (and what may follow it) is stdin.
attempt() {
  what=$1
  {
    printf 'package:\n  name: %s\n  version: "1"\n  epoch: 0\n' "$1"
    printf 'environment:\n  contents:\n    packages: [build-base%s]\n' "${more:+, $more}"
    cat
  } >"$scratch/$1.yaml"
}
# stops TEXT: it does not build, and says so; nothing that a value tried was run.
stops() {
  local code=${2:-2}
  expect_error "$code" "$1" -- "$NACRE" test "$scratch/$what.yaml"
  if find "$NACRE_HOME/work" -name pwned 2>/dev/null | grep -q .; then fail "$what: a value was run"; fi
}

attempt patch-with-command <<'END'
pipeline:
  - runs: touch x
  - uses: patch
    with:
      patches: x;touch${IFS}pwned
END
stops 'not a plain file name: x;touch${IFS}pwned'

attempt patch-with-blank <<'END'
pipeline:
  - runs: touch x
  - uses: patch
    with:
      patches: x;touch pwned
END
stops 'not a plain file name: x;touch'

attempt patch-in-series <<'END'
pipeline:
  - runs: printf '# fine\n$(touch${IFS}pwned)\n' > series
  - uses: patch
    with:
      series: series
END
stops 'not a plain file name: $(touch'

attempt patch-number <<'END'
pipeline:
  - uses: patch
    with:
      patches: x
      strip-components: 1 -o /etc/passwd
END
stops 'strip-components must be a whole number, not: 1-o /etc/passwd'

attempt patch-fuzz <<'END'
pipeline:
  - uses: patch
    with:
      patches: x
      fuzz: "-1"
END
stops 'fuzz must be a whole number, not: -1'

attempt patch-not-there <<'END'
pipeline:
  - uses: patch
    with:
      patches: missing.patch
END
stops 'no such file: missing.patch'

attempt patch-nothing <<'END'
pipeline:
  - uses: patch
END
stops 'neither patches nor series is given'

attempt patch-does-not-apply <<'END'
pipeline:
  - runs: |
      echo one > word
      printf -- '--- a/word\n+++ b/word\n@@ -1 +1 @@\n-two\n+three\n' > x
  - uses: patch
    with:
      patches: x
END
stops 'FAILED'

attempt value-that-ends-its-quotation <<'END'
pipeline:
  - uses: patch
    with:
      patches: |
        x
        NACRE-VALUE
        touch pwned
END
stops NACRE-VALUE

attempt split-from-itself <<'END'
pipeline:
  - uses: split/manpages
END
stops 'split-from-itself cannot be split into itself'

attempt split-of-no-package <<'END'
pipeline:
  - runs: "true"
subpackages:
  - name: split-of-no-package-dev
    pipeline:
      - uses: split/dev
        with:
          package: ../../etc
END
stops 'not a package name: ../../etc'

attempt split-outside <<'END'
pipeline:
  - runs: mkdir -p ${{targets.destdir}}
subpackages:
  - name: split-outside-libs
    pipeline:
      - uses: split/lib
        with:
          paths: usr/../../other
END
stops 'not below the package: usr/../../other'

attempt split-without-programs <<'END'
pipeline:
  - runs: mkdir -p ${{targets.destdir}}
subpackages:
  - name: split-without-programs-bin
    pipeline:
      - uses: split/bin
END
stops 'split-without-programs has no usr/bin'

attempt strip-with-command <<'END'
pipeline:
  - uses: strip
    with:
      opts: -g; touch pwned
END
stops 'unusable switches: -g; touch pwned'

attempt extension-outside <<'END'
pipeline:
  - uses: pecl/install
    with:
      extension: ../../../pwned
END
stops 'not an extension: ../../../pwned'

attempt mail-that-is-none <<'END'
pipeline:
  - uses: git-am
    with:
      patches: --exec=touch${IFS}pwned
END
stops 'not a plain file name: --exec=touch${IFS}pwned'

attempt directory-with-command <<'END'
pipeline:
  - uses: autoconf/make
    with:
      dir: $(touch pwned)
END
stops '$(touch pwned): No such file or directory'

attempt import-without-name <<'END'
pipeline:
  - uses: python/import
    with:
      python: /usr/bin/python3
      from: os
END
stops "'from' without 'import'"

more=python3 attempt import-that-fails <<'END'
pipeline:
  - uses: python/import
    with:
      imports: |
        import os
        import no_such_module
END
stops 'FAIL  /usr/bin/python3.11 -c "import no_such_module"'

# tests NAME FILES USES [WITH…]: a package with FILES (commands), and a test of it that must not pass.
tests() {
  local name=$1 files=$2 uses=$3
  shift 3
  attempt "$name" < <(
    printf 'pipeline:\n  - runs: |\n      mkdir -p ${{targets.destdir}}/usr/bin\n'
    printf '      cd ${{targets.destdir}}/usr\n      %s\n' "$files"
    printf 'test:\n  environment: {contents: {packages: [busybox, bash]}}\n  pipeline:\n    - uses: %s\n' "$uses"
    [ $# -eq 0 ] || printf '      with:\n'
    for line in "$@"; do printf '        %s\n' "$line"; done
  )
}
script() { printf 'printf "#!/bin/sh\\n%s\\n" > bin/x; chmod 755 bin/x' "$1"; }
library='echo "int x(void){return 1;}" > a.c; gcc -shared -fPIC -o libx.so a.c
      echo "int x(void); int main(void){return x();}" > b.c; gcc -o bin/x b.c -L. -lx; rm libx.so a.c b.c'
tests test-empty 'touch bin/x' test/emptypackage
stops 'test-empty installs files'
tests test-meta 'true' test/tw/metapackage
stops 'test-meta depends on nothing'
tests test-dev 'touch bin/x' test/tw/devpackage
stops 'has no header, archive, link'
tests test-static 'touch bin/x' test/tw/staticpackage
stops 'has no static library'
tests test-docs 'touch bin/x' test/docs
stops 'installs files, but none below usr/share'
tests test-manual 'mkdir -p share/man/man1; touch share/man/man1/x.1' test/no-docs
stops 'usr/share/man/man1/x.1'
tests test-link 'ln -s nowhere bin/x' test/tw/symlink-check
stops '/usr/bin/x -> nowhere: leads nowhere'
tests test-absolute 'ln -s /usr/bin bin/x' test/tw/symlink-check
stops 'an absolute link'
tests test-contains 'touch bin/x' test/tw/contains-files 'files: /usr/bin/x /usr/bin/y'
stops 'no such file: /usr/bin/y'
tests test-virtual 'touch bin/x' test/tw/virtualpackage 'virtual-pkg-name: other'
stops 'does not provide other'
tests test-config 'touch bin/x' test/tw/configpackage
stops 'has no files in etc/'
tests test-shell "$(script if)" test/tw/shell-syntax-check 'files: /usr/bin/x'
stops 'FAIL  /usr/bin/x'
tests test-xml 'mkdir share; echo "<a>" > share/x.xml' test/tw/xml-syntax-check
stops 'FAIL  /usr/share/x.xml'
tests test-version "$(script 'echo 2.0')" test/tw/ver-check 'bins: x' 'version: "1.0"'
stops 'x: expected 1.0, it says: 2.0'
tests test-help "$(script 'exit 1')" test/tw/help-check 'bins: x'
stops 'x: no help with'
tests test-calls "$(script 'no-such-program x')" test/tw/shell-deps-check 'files: /usr/bin/x'
stops 'there is no no-such-program in /usr/bin'
tests test-service 'touch bin/x' test/daemon-check-output 'start: echo ERROR one' 'expected_output: two' 'timeout: "1"'
stops 'it has not said'
tests test-error 'touch bin/x' test/daemon-check-output 'start: echo ERROR one' 'expected_output: one'
stops 'it said what means an error (ERROR)'
tests test-post 'touch bin/x' test/daemon-check-output 'start: echo one; sleep 9' 'expected_output: one' 'post: exit 3'
stops 'post failed: exit 3'
tests test-library "$library" test/tw/ldd-check
stops '/usr/bin/x: '
tests test-header 'mkdir include; echo "#include <no-such.h>" > include/x.h' test/tw/header-check
stops 'FAIL  x.h'
finish
