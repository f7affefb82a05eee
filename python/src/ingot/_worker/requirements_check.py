"""Compares requirement lines with what this interpreter has installed.

``python requirements_check.py 'scikit-learn==1.2.2' …`` prints ``{"mismatches": ["scikit-learn 1.2.2 wanted, 1.9.1
found"]}``. Lines that are no named requirements (options, addresses) are not checked. Uses ``packaging`` where it is
installed, by itself or inside pip; without it, versions are compared by their numbers.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from typing import Any

_LINE = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;()@]*)\)?\s*(;.*)?$")
_CLAUSE = re.compile(r"(===|==|~=|!=|<=|>=|<|>)\s*([^,\s]+)")

#: Distributions of one release of the same modules, built for other machines.
_SAME_MODULES = (
    ("xgboost", "xgboost-cpu"),
    ("onnxruntime", "onnxruntime-gpu"),
    ("tensorflow", "tensorflow-cpu", "tensorflow-intel"),
)


def mismatch(line: str) -> str | None:
    """What is wrong with one requirement, or None."""
    match = _LINE.match(re.sub(r"\s+--hash[= ]\S+", "", line).strip())
    if match is None:
        return None
    name, clauses, marker = match[1], match[2].strip(), (match[3] or "").lstrip("; ").strip()
    if marker and not _applies(marker):
        return None
    wanted = ", ".join(f"{'' if operator == '==' else operator}{version}" for operator, version in _CLAUSE.findall(clauses))
    found = installed_version(name)
    if found is None:
        return f"{name}{' ' if wanted else ''}{wanted} wanted, not installed"
    return None if _contains(clauses, found) else f"{name} {wanted} wanted, {found} found"


def installed_version(name: str) -> str | None:
    """The installed version of a distribution, or of one that brings the same modules; None when there is neither."""
    normal = re.sub(r"[-_.]+", "-", name).lower()
    same = next((names for names in _SAME_MODULES if normal in names), (normal,))
    for each in (name, *same) if normal else ():
        try:
            return metadata.version(each)
        except metadata.PackageNotFoundError:
            continue
    return None


def _packaging(module: str) -> Any:
    import importlib  # noqa: PLC0415

    for root in ("packaging", "pip._vendor.packaging"):
        try:
            return importlib.import_module(f"{root}.{module}")
        except ImportError:
            continue
    return None


def _applies(marker: str) -> bool:
    markers = _packaging("markers")
    # A condition that cannot be evaluated is not held against the environment.
    return markers is not None and bool(markers.Marker(marker).evaluate({"extra": ""}))


def _contains(clauses: str, found: str) -> bool:
    specifiers = _packaging("specifiers")
    if specifiers is not None:
        return bool(specifiers.SpecifierSet(clauses).contains(found, prereleases=True))
    return all(_holds(operator, version, found) for operator, version in _CLAUSE.findall(clauses))


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _holds(operator: str, wanted: str, found: str) -> bool:
    if wanted.endswith(".*"):
        prefix = wanted[:-2].split(".")
        same = found.split(".")[: len(prefix)] == prefix
        return same if operator == "==" else not same
    if operator == "~=":
        prefix = wanted.split(".")[:-1]
        return found.split(".")[: len(prefix)] == prefix and _numbers(found) >= _numbers(wanted)
    left, right = _numbers(found), _numbers(wanted)
    return {
        "===": found == wanted, "==": left == right, "!=": left != right,
        "<=": left <= right, ">=": left >= right, "<": left < right, ">": left > right,
    }[operator]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps({"mismatches": [text for text in map(mismatch, sys.argv[1:]) if text is not None]}))
