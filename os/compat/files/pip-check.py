"""Requirements of all distributions against what is installed, as `pip check` does it, with pip's own reader where pip
is there and with the names alone where it is not."""
import importlib.metadata
import re
import sys

try:
    from packaging.requirements import Requirement
except ImportError:
    try:
        from pip._vendor.packaging.requirements import Requirement
    except ImportError:
        Requirement = None


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(text):
    """(name, specifier or None) of a requirement that counts here; nothing for an extra or another platform."""
    if Requirement is not None:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            return None
        return requirement.name, requirement.specifier
    if ";" in text:
        return None
    return re.match(r"[A-Za-z0-9._-]+", text).group(0), None


def main():
    found = {normal(d.metadata["Name"]): d for d in importlib.metadata.distributions() if d.metadata["Name"]}
    ours = [d for d in found.values() if "site-packages" in str(d.locate_file(""))]
    faults = 0
    for distribution in ours:
        for text in distribution.requires or []:
            need = wanted(text)
            if need is None:
                continue
            name, specifier = need
            other = found.get(normal(name))
            if other is None:
                print(f"{distribution.metadata['Name']} requires {name}, which is not installed", file=sys.stderr)
                faults += 1
            elif specifier is not None and not specifier.contains(other.version, prereleases=True):
                print(f"{distribution.metadata['Name']} requires {text}, installed is {other.version}", file=sys.stderr)
                faults += 1
    print(f"{len(ours)} distributions, {faults} faults")
    return 1 if faults or not ours else 0


if __name__ == "__main__":
    sys.exit(main())
