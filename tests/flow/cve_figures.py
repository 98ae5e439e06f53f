"""How long fixes took, by another hand than nacre's: 98_figures.sh compares.

    cve_figures.py make DIR             documents of made-up advisories, seeded, with every odd order of events
    cve_figures.py compare DIR REPORT   against `nacre cve report --json`
    cve_figures.py study DIR            against the study of the field's 30,030 advisories, by the study's own rules

DIR holds *.advisories.yaml. Made-up ones are read from DIR/events.json, which `make` writes beside them; others need PyYAML.
"""
import glob, json, math, os, random, sys
from datetime import datetime, timezone

DAY = 86400
FALSE = "false-positive-determination"
TYPES = ["go-module", "python", "npm", "rust-crate", None]


def stamp(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def make(folder):
    chance = random.Random(20261129)
    start = 1735689600 - 200 * DAY  # 200 days before 2025
    packages = {}
    for number in range(600):
        kind = chance.choice(TYPES)
        name = "stdlib" if kind == "go-module" and chance.random() < 0.4 else f"part{number % 7}"
        at = start + chance.randrange(500 * DAY)
        events = []
        for _ in range(chance.randrange(1, 6)):
            type_ = chance.choice(["detection", "detection", "fixed", "fixed", FALSE, "pending-upstream-fix"])
            events.append([at, type_, kind, name])
            at += chance.choice([0, 3600, 3600 * chance.randrange(1, 60), DAY * chance.randrange(1, 90)])
        if chance.random() < 0.2:
            chance.shuffle(events)  # The text's order need not be that of time.
        packages.setdefault(f"p{chance.randrange(9)}", []).append(events)
    kept = []
    for package, advisories in sorted(packages.items()):
        text = f"schema-version: 2.0.2\n\npackage:\n  name: {package}\n\nadvisories:\n"
        letters = "23456789cfghjmpqrvwx"
        for number, events in enumerate(advisories):
            tail = "".join(letters[(number // 20**i) % 20] for i in range(4))
            text += f"  - id: NACRE-{letters[int(package[1:])] * 4}-2222-{tail}\n    aliases:\n      - CVE-2025-{number + 1000}\n    events:\n"
            kept.append([package, events])
            for time, type_, kind, name in events:
                text += f"      - timestamp: {stamp(time)}\n        type: {type_}\n"
                if type_ == "fixed":
                    text += "        data:\n          fixed-version: 1.0-r1\n"
                elif type_ == FALSE:
                    text += "        data:\n          type: vulnerable-code-not-included-in-package\n          note: n\n"
                elif type_ != "detection":
                    text += "        data:\n          note: n\n"
                elif kind is None:
                    text += "        data:\n          type: manual\n"
                else:
                    text += (f"        data:\n          type: scan/v1\n          data:\n            subpackageName: {package}\n"
                             f"            componentID: abc\n            componentName: {name}\n            componentVersion: '1'\n"
                             f"            componentType: {kind}\n            componentLocation: /x\n            scanner: s\n")
        with open(f"{folder}/{package}.advisories.yaml", "w") as file:
            file.write(text)
    with open(f"{folder}/events.json", "w") as file:
        json.dump(kept, file)


def read(folder):
    """[package, [[time, type, component type, component name], …]] of each advisory."""
    if os.path.exists(f"{folder}/events.json"):
        return json.load(open(f"{folder}/events.json"))
    import yaml
    out = []
    for name in sorted(glob.glob(f"{folder}/*.advisories.yaml")):
        document = yaml.load(open(name), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for advisory in document["advisories"]:
            events = []
            for event in advisory["events"]:
                time = event["timestamp"]
                if not isinstance(time, datetime):
                    time = datetime.fromisoformat(str(time).replace("Z", "+00:00"))
                if time.tzinfo is None:
                    time = time.replace(tzinfo=timezone.utc)
                inner = (event.get("data") or {}).get("data") or {}
                events.append([math.floor(time.timestamp()), event["type"], inner.get("componentType"), inner.get("componentName")])
            out.append([document["package"]["name"], events])
    return out


def cases(advisories, excluded):
    """Cases that are old enough; `excluded` says whether events (in order of time) from the detection on are no case."""
    newest = max(event[0] for _, events in advisories for event in events)
    out = []
    for package, events in advisories:
        ordered = sorted(events, key=lambda event: event[0])
        at = next((i for i, event in enumerate(ordered) if event[1] == "detection"), None)
        if at is None or newest - ordered[at][0] < 30 * DAY:
            continue
        found = ordered[at]
        fixes = [event[0] for event in ordered if event[1] == "fixed" and event[0] >= found[0]]
        hours = (fixes[0] - found[0]) / 3600 if fixes else math.inf
        out.append({"package": package, "type": found[2] or "", "name": found[3] if found[2] else "", "hours": hours,
                    "year": datetime.fromtimestamp(found[0], timezone.utc).year, "excluded": excluded(ordered, found[0])})
    return out


def between(values, part):
    """Linear between neighbours; None: none, or never."""
    if not values:
        return None
    at = (len(values) - 1) * part
    low, high = values[math.floor(at)], values[math.ceil(at)]
    return None if math.isinf(high) and at > math.floor(at) or math.isinf(low) else low + (high - low) * (at - math.floor(at))


def nearest(values, part):
    return values[int(len(values) * part)]


def within(values, hours):
    return sum(value <= hours for value in values) / len(values) if values else 0


def parts(chosen):
    every = sorted(case["hours"] for case in chosen if not case["excluded"])
    return every, [hours for hours in every if not math.isinf(hours)]


def compare(folder, report):
    report = json.load(open(report))
    advisories = read(folder)
    # The latest event says what it is; of several at one time the last in the text.
    known = cases(advisories, lambda events, detected: events[-1][1] == FALSE)
    differing, figures = [], 0
    names = {"all": lambda c: True, "go stdlib": lambda c: c["name"] == "stdlib"}
    for row in report["cohorts"] + report["byPackage"]:
        name = row["name"]
        which = names.get(name) or (lambda c: name in (str(c["year"]), c["type"])) if row in report["cohorts"] else (
            lambda c: c["package"] == name)
        chosen = [case for case in known if which(case)]
        every, fixed = parts(chosen)
        expected = {"cases": len(chosen), "counted": len(every), "fixed": len(fixed), "open": len(every) - len(fixed),
                    "medianHoursFixedOnly": between(fixed, 0.5), "p90HoursFixedOnly": between(fixed, 0.9),
                    "medianHours": between(every, 0.5), "p75Hours": between(every, 0.75), "p90Hours": between(every, 0.9),
                    "within24h": within(every, 24), "within48h": within(every, 48), "within7d": within(every, 168),
                    "within14d": within(every, 336)}
        for key, value in expected.items():
            figures += 1
            found = row[key]
            if (value is None) != (found is None) or value is not None and (
                    abs(value - found) > (0.0000501 if key.startswith("within") else 0.00501)):
                differing.append(f"{name} {key}: nacre {found}, by hand {value}")
    print(f"{len(report['cohorts'])} cohorts, {len(report['byPackage'])} packages, {figures} figures, {len(differing)} differ")
    print(*differing[:20], sep="\n")
    return not differing and figures > 0


STUDY = """
all          22027  21.5  413  49.6  39.7 49.4 63.0 67.7
2024          6540  64.8 3240   138  25.5 34.3 51.4 63.0
2025         15401  13.7  126  30.4  45.6 55.7 67.8 69.6
stdlib        6932  11.1   44  12.5  69.0 78.5 85.5 85.7
go-module    11974  12.6   89  16.6  55.9 67.2 78.5 79.5
rust-crate     224  27.8   97  34.9  35.3 52.2 81.7 83.5
java-archive   578  44.4  246   153  21.8 29.2 50.6 54.0
npm            290  85.2  314   102   5.9 19.2 60.7 71.5
python         330   104  664   224   3.6 14.6 43.0 57.0
gem            186    75  276   200   6.5 26.3 48.9 54.3
apk           1795   167 2688 never   2.3  3.1  6.6  9.6
"""


def study(folder):
    # A false positive at any time from the detection on is no case, and a percentile is one of the values.
    known = cases(read(folder), lambda events, detected: any(e[1] == FALSE and e[0] >= detected for e in events))
    differing, figures, wrong = [], 0, False
    for line in STUDY.split("\n")[1:-1]:
        name, *expected = line.split()
        chosen = [case for case in known if name == "all" or name == str(case["year"]) or case["year"] == 2025 and
                  name in (case["type"], case["name"] if name == "stdlib" else "")]
        every, fixed = parts(chosen)
        found = [len(chosen), nearest(fixed, 0.5), nearest(fixed, 0.9), nearest(every, 0.5)]
        found += [100 * within(every, hours) for hours in (24, 48, 168, 336)]
        for want, value in zip(expected, found):
            figures += 1
            # As printed: to as many digits as the study gives.
            digits = len(want.partition(".")[2])
            text = "never" if math.isinf(value) else f"{value:.{digits}f}"
            if text != want:
                wrong = wrong or "never" in (text, want) or abs(float(want) - value) >= 10**-digits
                differing.append(f"{name}: the study {want}, by its rules {value:.2f}")
    print(f"{figures} figures, {len(differing)} differ")
    print(*differing, sep="\n")
    return not wrong


if __name__ == "__main__":
    sys.exit(0 if {"make": make, "compare": compare, "study": study}[sys.argv[1]](*sys.argv[2:]) in (True, None) else 1)
