# shellcheck shell=bash
# Small distributions for tests and measurements: a stage 0 of a shell and a C library, definitions of one step.

# small_os DIR: sets NACRE_OS_DIR to a distribution without definitions and images.
small_os() {
  mkdir -p "$1/stage0" "$1/packages" "$1/images"
  cp -a "$source_root/os/stage0/etc" "$1/stage0/"
  cp -a "$source_root/os/pipelines" "$1/"
  cat >"$1/stage0.yaml" <<'END'
packages:
  - name: stage0-layout
    links: {bin: usr/bin, sbin: usr/bin, lib: usr/lib, lib64: usr/lib, usr/sbin: bin, usr/lib64: lib, usr/bin/sh: bash}
    files:
      etc/passwd: stage0/etc/passwd
      etc/group: stage0/etc/group
      etc/nsswitch.conf: stage0/etc/nsswitch.conf
      etc/ld.so.conf: stage0/etc/ld.so.conf
  - name: glibc
    debs: [libc6, libc-bin]
    depends: [stage0-layout]
    files: {etc/ld.so.conf: stage0/etc/ld.so.conf}
  - {name: bash, debs: [bash], depends: [stage0-layout, glibc]}
  - {name: coreutils, debs: [coreutils], depends: [stage0-layout, glibc]}
  - {name: build-base, depends: [bash, coreutils, glibc]}
END
  export NACRE_OS_DIR=$1
}

# small_package NAME VERSION NEEDS STEP: a definition whose package needs NEEDS (may be empty) and holds what STEP writes to $d.
small_package() {
  cat >"$NACRE_OS_DIR/packages/$1.yaml" <<END
package:
  name: $1
  version: "$2"
  epoch: 0
  description: Made by a test
  copyright:
    - license: Apache-2.0
  dependencies:
    runtime: [$3]
environment:
  contents:
    packages: [build-base]
pipeline:
  - runs: |
      d=\${{targets.destdir}}/usr/share/$1
      mkdir -p "\$d"
      $4
END
}

# small_image NAME PACKAGE…: an image definition.
small_image() {
  local name=$1
  shift
  printf 'contents:\n  packages: [%s]\n' "$(IFS=,; echo "$*")" >"$NACRE_OS_DIR/images/$name.yaml"
}
