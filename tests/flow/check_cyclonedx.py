#!/usr/bin/env python3
"""Checks a CycloneDX 1.6 document with the project's own strict validator, and that every reference leads somewhere."""
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

with open(sys.argv[1]) as file:
    text = file.read()
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if error is not None:
    sys.exit(f"{sys.argv[1]}: {error}")
bom = json.loads(text)
refs = [bom["metadata"]["component"]["bom-ref"]] + [component["bom-ref"] for component in bom["components"]]
if len(set(refs)) != len(refs):
    sys.exit("a bom-ref stands twice")
for row in bom["dependencies"]:
    for ref in [row["ref"], *row.get("dependsOn", [])]:
        if ref not in refs:
            sys.exit(f"{ref} leads nowhere")
reached, wanted = set(), {refs[0]}
needs = {row["ref"]: row.get("dependsOn", []) for row in bom["dependencies"]}
while wanted - reached:
    ref = (wanted - reached).pop()
    reached.add(ref)
    wanted.update(needs.get(ref, []))
if set(refs) - reached:
    sys.exit(f"nothing needs {sorted(set(refs) - reached)[:3]}")
print(f"{len(refs)} components")
