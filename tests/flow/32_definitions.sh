#!/usr/bin/env bash
# Definitions read and laid out: compile, schema, fmt and lint at the command line. Needs no home that was made before.
. "$(dirname "$0")/lib.sh"
export NACRE_HOME=$scratch/home
mkdir "$scratch/defs" && cd "$scratch/defs" || exit 1
definitions=$source_root/os/packages

# ---- compile

check "our own definitions compile" "$NACRE" compile --check "$definitions"
says "  all of them" "$out" "$(find "$definitions" -maxdepth 1 -name '*.yaml' | wc -l) definitions compile (0 of them as before)"
check "  again" "$NACRE" compile --check "$definitions"
if grep -qE '\(0 of them as before\)' "$out"; then fail "  results are kept: $(cat "$out")"; else passed "  results are kept"; fi
check "one, as JSON" "$NACRE" compile "$definitions/zlib.yaml"
check "  is JSON with its steps spelled out" python3 - "$out" <<'END'
import json, sys
found = json.load(open(sys.argv[1]))
assert found["package"]["name"] == "zlib", found["package"]
assert any("configure" in step.get("runs", "") for step in found["pipeline"] for step in [step, *step.get("pipeline", [])])
END
cat >odd.yaml <<'END'
package:
  name: odd
  version: 1.10
  epoch: 0
  descripton: misspelt
pipeline:
  - runs: make
END
what="a field that is none" expect_error 2 "odd.yaml:5:3" "descripton" "description" -- "$NACRE" compile odd.yaml
sed -i 's/descripton: misspelt/description: unquoted versions stay as written/; s/runs: make/runs: echo ${{vars.none}}/' odd.yaml
what="a variable that is none" expect_error 2 "odd.yaml:7" "vars.none" -- "$NACRE" compile odd.yaml
sed -i 's/runs: .*/runs: if true; then echo/' odd.yaml
what="a script that no shell can read" expect_error 2 "odd.yaml:7" -- "$NACRE" compile odd.yaml
sed -i 's/runs: if.*/runs: make/' odd.yaml
check "a version stays as it was written" "$NACRE" compile odd.yaml
same "  " 1.10 "$(json '["package"]["version"]' <"$out")"
cat >more.yaml <<'END'
pipeline:
  - runs: |
      if true
END
mkdir pipelines && mv more.yaml pipelines/mine.yaml
sed -i 's/runs: make/uses: mine/' odd.yaml
what="a fault inside a pipeline says who uses it" expect_error 2 "pipelines/mine.yaml:" "odd.yaml:7" -- \
  "$NACRE" compile --pipeline-dir pipelines odd.yaml
printf 'package: [\n' >broken.yaml
what="no YAML" expect_error 2 "broken.yaml:" -- "$NACRE" compile broken.yaml
printf 'a: &a [x]\nb: [*a, *a]\n' >aliases.yaml
what="aliases" expect_error 2 "aliases.yaml:2:5" -- "$NACRE" compile aliases.yaml

# ---- schema

check "schema" "$NACRE" schema
check "  is a JSON schema that our own definitions keep" python3 - "$out" "$definitions" <<'END'
import json, sys
schema = json.load(open(sys.argv[1]))
assert schema["$schema"].startswith("https://json-schema.org/"), schema["$schema"]
assert {"package", "pipeline", "subpackages", "update", "test"} <= set(schema["properties"]), schema["properties"].keys()
END

# ---- fmt

cat >wide.yaml <<'END'
package:   # kept
    name: wide
    version: "1"
    epoch: 0
    description: indented by four
pipeline:
- runs: |
    if true; then
      echo  two blanks
    fi
END
"$NACRE" compile wide.yaml >before.json
check "our own are laid out" "$NACRE" fmt --check "$definitions"/*.yaml
refused 2 "$NACRE" fmt --check wide.yaml && passed "one that is not is named: $(cat "$out")"
check "  it is laid out" "$NACRE" fmt wide.yaml
says "  with its comment" wide.yaml "# kept"
says "  by two" wide.yaml "  name: wide"
check "  and stays so" "$NACRE" fmt --check wide.yaml
"$NACRE" compile wide.yaml >after.json
check "  and means the same" cmp before.json after.json

# ---- lint

check "our own have no findings" "$NACRE" lint "$definitions"
cat >found.yaml <<'END'
package:
  name: found
  version: "1.0"
  epoch: 0
  description: has a finding
  copyright:
    - license: MIT
environment:
  contents:
    packages:
      - build-base
      - build-base
pipeline:
  - runs: make
END
"$NACRE" lint --json found.yaml >"$out" 2>"$err"
same "findings have rules, severities and places" "no-repeated-deps error 12:9" "$(python3 -c '
import json, sys
row = json.load(sys.stdin)[-1]
print(row["rule"], row["severity"], str(row["line"]) + ":" + str(row["column"]))' <"$out")"
what="  an error is exit 2" expect_error 2 -- "$NACRE" lint found.yaml
sed -i '12s/$/  # nolint:no-repeated-deps/' found.yaml
check "  a remark makes an exception" "$NACRE" lint found.yaml
what="  --strict fails for warnings, too" expect_error 2 -- "$NACRE" lint --strict found.yaml
finish
