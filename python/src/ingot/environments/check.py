"""Compares what a version asks for with this interpreter, before anything of it is loaded."""

from __future__ import annotations

import platform
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .requirements import mismatches, pickle_globals

_PINNED = re.compile(r"^\s*[A-Za-z0-9][\w.-]*\s*==\s*[^\s;#]+\s*(?:#.*)?$")


@dataclass(frozen=True)
class Mismatch:
    """One thing that a version asks for and this interpreter does not have."""

    #: ``scikit-learn 1.5.2 wanted, 1.9.1 found``.
    text: str
    #: The command that mends it.
    command: str
    #: Loading cannot work; else it was only made with another version.
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.text}   ({self.command})"

    def to_json(self) -> dict[str, Any]:
        return {"mismatch": self.text, "command": self.command, "fatal": self.fatal}


def environment_mismatches(ref: str, package: Mapping[str, Any], directory: Path) -> list[Mismatch]:
    """Names everything in which this interpreter differs from what a version was made with.

    :param package: the ``package`` of a pulled document: ``pythonVersion``, ``requirements``, ``flavor``, ``artifactPath``.
    :param directory: where the version's files are; a pickle's opcodes are looked at, nothing is loaded.

    >>> found = environment_mismatches("churn:3", {"requirements": ["no-such-thing==1.0"]}, Path("."))
    >>> print(found[0])
    no-such-thing 1.0 wanted, not installed   (pip install no-such-thing==1.0)
    """
    # An ONNX graph is no Python; onnxruntime of any version reads it, and its absence is told when it is loaded.
    is_graph = package.get("flavor") == "onnx"
    found = [] if is_graph else _python(ref, package, directory)
    for line in package.get("requirements") or ():
        text, missing = _mismatch(str(line))
        if text is not None:
            found.append(Mismatch(text, f"pip install {shlex.quote(_bare(str(line)))}", fatal=missing and not is_graph))
    return found


def mending(mismatches: Iterable[Mismatch], ref: str) -> str:
    """Gives one line that says how to mend all of them."""
    installs = [shlex.split(each.command)[2] for each in mismatches if each.command.startswith("pip install ")]
    isolated = f'ingot.load("{ref}", env="isolated")'
    return f"pip install {shlex.join(installs)}   (or {isolated})" if installs else isolated


def _python(ref: str, package: Mapping[str, Any], directory: Path) -> list[Mismatch]:
    wanted = ".".join(str(package.get("pythonVersion") or "").split(".")[:2])
    if not wanted or wanted == ".".join(platform.python_version_tuple()[:2]):
        return []
    found = f"Python {wanted} wanted, {platform.python_version()} found"
    compiled = holds_bytecode(directory, package.get("artifactPath"))
    text = f"{found}, and it holds functions compiled by Python {wanted}" if compiled else found
    return [Mismatch(text, f'ingot.load("{ref}", env="isolated")', fatal=compiled)]


def _mismatch(line: str) -> tuple[str | None, bool]:
    """Gives what is wrong with one requirement, and whether it is not installed at all."""
    if _PINNED.match(line):
        other, missing = mismatches([line])
        return next(iter([*missing, *other]), None), bool(missing)
    from .._worker.requirements_check import mismatch

    text = mismatch(line)
    return text, text is not None and text.endswith("not installed")


def _bare(line: str) -> str:
    return re.sub(r"\s+--hash[= ]\S+|\s+#.*$|\s*\\$", "", line).strip().replace(" == ", "==")


def holds_bytecode(directory: Path, artifact: object) -> bool:
    """Says whether a pickle stores functions by value: their bytecode crashes any other minor version of Python."""
    path = directory / artifact if isinstance(artifact, str) else None
    if path is None or not path.is_file() or path.suffix not in {".pkl", ".pickle"}:
        return False
    try:
        return any("cloudpickle" in module for module, _ in pickle_globals(path))
    except ValueError:
        return False
