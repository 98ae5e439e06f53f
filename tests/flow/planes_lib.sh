# shellcheck shell=bash
# Several control planes on one state. $A is the home of the first, whose keys the others get.

plane() { export NACRE_HOME=$1; }
# joined HOME: a home with A's keys, and otherwise as it was.
joined() { mkdir -p "$1" && rm -rf "$1/signer" && cp -a "$A/signer" "$1/" && find "$1/signer" -name '*.sock*' -delete; }
# made: how many definitions the `up --json` in $out built, kept, …: "built:1 kept:2".
made() { python3 -c 'import collections, json, sys
count = collections.Counter(row["made"] for row in json.load(open(sys.argv[1]))["built"])
print(" ".join(f"{name}:{count[name]}" for name in sorted(count)))' "$out"; }
digest() { "$NACRE" image inspect --quiet --json "$@" | json '["digest"]'; }
