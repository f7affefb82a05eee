"""Which distributions a saved model needs: those whose modules it imports when it is loaded, pinned as they are here."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.metadata
import os
import pickletools
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from .._worker.requirements_check import installed_version

#: Distributions whose own dependencies decide what a model computes; these are pinned with them.
COMPANIONS = {"scikit-learn": ("numpy", "scipy")}
_OWN = "ingot"


class _Subimport:
    """Stands for cloudpickle's function that imports a module."""


_SUBIMPORT = _Subimport()
#: What a pickle has put on its stack: a text, the function above, or anything else.
_Part = str | _Subimport | None


def pickle_globals(path: Path) -> set[tuple[str, str]]:
    """Gives the (module, name) pairs that a pickle imports, by reading its opcodes; nothing is loaded or executed."""
    found: set[tuple[str, str]] = set()
    memo: dict[int, _Part] = {}
    recent: list[_Part] = []

    def push(part: _Part) -> None:
        # cloudpickle names modules as the argument of its `subimport`
        if isinstance(part, str) and recent and recent[-1] is _SUBIMPORT:
            found.add((part, ""))
        recent.append(part)

    def push_global(module: str, attribute: str) -> None:
        found.add((module, attribute))
        push(_SUBIMPORT if attribute == "subimport" else None)

    with path.open("rb") as file:
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name == "MEMOIZE":
                memo[len(memo)] = recent[-1] if recent else None
            elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
                memo[_number(argument)] = recent[-1] if recent else None
            elif name in {"GET", "BINGET", "LONG_BINGET"}:
                push(memo.get(_number(argument)))
            elif name == "GLOBAL":
                module, _, attribute = str(argument).partition(" ")
                push_global(module, attribute)
            elif name == "STACK_GLOBAL":
                module_name, attribute_name = [*([None, None]), *recent][-2:]
                if isinstance(module_name, str) and isinstance(attribute_name, str):
                    push_global(module_name, attribute_name)
                else:
                    push(None)
            elif isinstance(argument, str):
                push(argument)
            elif opcode.stack_after:
                push(None)
            del recent[:-4]
    return found


def _number(argument: object) -> int:
    return argument if isinstance(argument, int) else -1


def top_modules(names: Iterable[str]) -> set[str]:
    """Gives the top-level modules, without those of the standard library and without Ingot itself.

    >>> sorted(top_modules(["sklearn.ensemble._forest", "builtins", "os.path", "numpy"]))
    ['numpy', 'sklearn']
    """
    tops = {name.partition(".")[0] for name in names if name}
    return {top for top in tops if top not in sys.stdlib_module_names and top not in {"__main__", "__mp_main__", _OWN}}


def split_modules(modules: Iterable[str]) -> tuple[dict[str, str], set[str]]:
    """Sorts modules into those that a distribution brings (module to distribution) and local ones."""
    wanted = set(modules)
    if not wanted:
        return {}, set()
    brought = _brought_modules(tuple((part, _changed_at(part)) for part in sys.path))
    known = {module: brought[module] for module in wanted if module in brought and not _is_edited_in_place(module)}
    return known, {module for module in wanted if module not in known}


def _changed_at(directory: str) -> int:
    try:
        return os.stat(directory or ".").st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=1)
def _brought_modules(_path: tuple[tuple[str, int], ...]) -> dict[str, str]:
    """Says which distribution brings a top-level module; read again when something was installed since.

    Beside ``top_level.txt``, which not every build tool writes, the list of installed files is read.
    """
    brought: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        told = (distribution.read_text("top_level.txt") or "").split() or _recorded(distribution.read_text("RECORD") or "")
        for module in told:
            brought.setdefault(module, said(distribution, "Name"))
    return brought


def said(distribution: importlib.metadata.Distribution, key: str) -> str:
    """Gives one field of a distribution's metadata. Parsing all of it, long description included, takes a hundred times as long."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    for line in text.splitlines():
        if not line:
            break
        if line.startswith(f"{key}: "):
            return line[len(key) + 2 :].strip()
    return str(distribution.metadata[key])


def _recorded(record: str) -> set[str]:
    paths = {line.partition(",")[0].strip('"') for line in record.splitlines()}
    heads = {path.partition("/")[0] for path in paths if "/" in path}
    suffixes = tuple(importlib.machinery.all_suffixes())
    heads |= {path.partition(".")[0] for path in paths if "/" not in path and path.endswith(suffixes)}
    return {head for head in heads if head.isidentifier() and head != "__pycache__"}


def _is_edited_in_place(module: str) -> bool:
    """A project installed with ``pip install -e`` is the user's own code, not something an index offers."""
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if file is None:
        return False
    return not any(part in {"site-packages", "dist-packages"} for part in Path(file).parts)


def pins(distributions: Iterable[str]) -> list[str]:
    """Pins distributions at the versions installed here, with the companions that decide what they compute.

    >>> pins(["ingot"])
    []
    """
    wanted: dict[str, str] = {}
    for name in distributions:
        for each in (name, *COMPANIONS.get(_normal(name), ())):
            if _normal(each) != _OWN:
                wanted.setdefault(_normal(each), each)
    lines = [_pin(name) for name in wanted.values()]
    return sorted(line for line in lines if line is not None)


def _pin(name: str) -> str | None:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    version = said(distribution, "Version").partition("+")[0]
    return f"{said(distribution, 'Name')}=={version}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def mismatches(requirements: Iterable[str]) -> tuple[list[str], list[str]]:
    """Compares pins with what is installed: (those of another version, those that are missing), one line each.

    >>> mismatches(["no-such-thing==1.0"])
    ([], ['no-such-thing 1.0 wanted, not installed'])
    """
    other: list[str] = []
    missing: list[str] = []
    for line in requirements:
        match = re.match(r"^\s*([A-Za-z0-9][\w.-]*)\s*==\s*([^\s;#]+)\s*(?:#.*)?$", line)
        if match is None:
            continue
        name, wanted = match.groups()
        found = installed_version(name)
        if found is None:
            missing.append(f"{name} {wanted} wanted, not installed")
            continue
        if found.partition("+")[0] != wanted.partition("+")[0]:
            other.append(f"{name} {wanted} wanted, {found} found")
    return other, missing

