"""The resolved lock of a model: everything its requirements need in turn, at the versions installed here, with hashes.

The versions come from the installed distributions. Hashes are those of the index's files, which nothing installed
remembers; uv knows them from its cache without a network, and asks the index only when a push says ``lock=True``.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import EnvironmentFailed
from .markers import applies, marker_environment

#: How long a push waits for what uv has in its cache, and for the index when it is asked.
CACHE_SECONDS, INDEX_SECONDS = 3.0, 180.0
_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_OWN = "ingot"


def installed_closure(requirements: Iterable[str]) -> list[str]:
    """Gives one pin a line for the requirements and all that they need in turn, as installed here; sorted by name.

    What is not installed is left out: an optional part that nobody has cannot have been used.

    >>> installed_closure([])
    []
    """
    environment = marker_environment()
    found: dict[str, str] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    waiting = [_named(line) for line in requirements]
    while waiting:
        name, extras = waiting.pop()
        if not name or name == _OWN or (name, extras) in done:
            continue
        done.add((name, extras))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        shown, version, needs = _header(distribution)
        found[name] = f"{shown or name}=={version}"
        for line in needs:
            wanted, _, marker = line.partition(";")
            if not marker or applies(marker, extras, environment):
                waiting.append(_named(wanted))
    return [found[name] for name in sorted(found)]


def _named(line: str) -> tuple[str, frozenset[str]]:
    match = _REQUIREMENT.match(line)
    if match is None or line.lstrip().startswith("-"):
        return "", frozenset()
    extras = (part.strip().lower().replace("_", "-") for part in (match.group(2) or "").split(","))
    return _normal(match.group(1)), frozenset(part for part in extras if part)


def _header(distribution: importlib.metadata.Distribution) -> tuple[str, str, list[str]]:
    """Reads name, version and needs from the first lines of the metadata; what follows is a long description."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    head = text.partition("\n\n")[0].splitlines()
    said = {key: next((line[len(key) + 2 :].strip() for line in head if line.startswith(f"{key}: ")), "") for key in ("Name", "Version")}
    needs = [line[len("Requires-Dist: ") :] for line in head if line.startswith("Requires-Dist: ")]
    return said["Name"], said["Version"], needs


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Hashing:
    """Looks for the hashes of pinned files beside the rest of a push.

    >>> Hashing.start([]).lines()
    []
    """

    def __init__(self, pins: list[str], process: subprocess.Popen[bytes] | None, said: Path | None, *, online: bool) -> None:
        self._pins, self._process, self._said, self._online = pins, process, said, online

    @classmethod
    def start(cls, pins: list[str], *, online: bool = False) -> Hashing:
        """Starts uv on pins, from its cache alone unless ``online``.

        :raises EnvironmentFailed: when the index is to be asked and there is no uv.
        """
        uv = find_uv() if pins else None
        if uv is None:
            if online and pins:
                raise EnvironmentFailed("lock=True needs uv, which was not found", code="environment-failed", hint="pip install uv")
            return cls(pins, None, None, online=online)
        if not online and (known := _recall(pins)) is not None:
            return cls(known, None, None, online=online)
        scratch = Path(tempfile.mkdtemp(prefix="ingot-lock-"))
        (scratch / "wanted.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
        command = [uv, "pip", "compile", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
        command += ["--python", sys.executable, "--no-python-downloads", *([] if online else ["--offline"])]
        output = ["--output-file", str(scratch / "lock.txt"), str(scratch / "wanted.txt")]
        environ = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", **os.environ}
        try:
            # In a directory of its own: a project's configuration does not decide where files come from.
            with open(scratch / "said.txt", "wb") as said:
                process = subprocess.Popen(
                    [*command, *output], cwd=scratch, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
                )
        except OSError:
            shutil.rmtree(scratch, ignore_errors=True)
            return cls(pins, None, None, online=online)
        return cls(pins, process, scratch, online=online)

    def lines(self) -> list[str]:
        """Gives the lock, with hashes where all of them were found: ``numpy==2.4.6 --hash=sha256:… --hash=sha256:…``.

        :raises EnvironmentFailed: when the index was asked and could not say; in uv's words.
        """
        if self._process is None or self._said is None:
            return self._pins
        try:
            status = self._process.wait(INDEX_SECONDS if self._online else CACHE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        try:
            if status == 0:
                lines = hashed_lines((self._said / "lock.txt").read_text("utf-8"), self._pins)
                _remember(self._pins, lines)
                return lines
            if self._online:
                words = (self._said / "said.txt").read_text("utf-8", "replace").strip()[-1500:]
                raise EnvironmentFailed(f"the lock could not be resolved:\n{words}", code="environment-failed")
            _remember(self._pins, self._pins)
            return self._pins
        finally:
            self.close()

    def close(self) -> None:
        """Stops looking, and removes what was written for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._said is not None:
            shutil.rmtree(self._said, ignore_errors=True)


#: What uv said last in this process, of which pins, in which environment, and when.
_last: tuple[object, list[str], float] | None = None
#: How long it is believed that the cache knows no hashes, in seconds.
_UNKNOWN_SECONDS = 60.0


def _asked(pins: list[str]) -> object:
    return tuple(pins), sys.executable, tuple(sorted(pair for pair in os.environ.items() if pair[0].startswith(("UV_", "XDG_", "HOME"))))


def _recall(pins: list[str]) -> list[str] | None:
    """Gives the lock that an earlier push of this process had for the same pins: what an index has of a version stays."""
    last = _last
    if last is None or last[0] != _asked(pins):
        return None
    _, lines, when = last
    return lines if lines != pins or time.monotonic() - when < _UNKNOWN_SECONDS else None


def _remember(pins: list[str], lines: list[str]) -> None:
    global _last
    _last = (_asked(pins), lines, time.monotonic())


def hashed_lines(compiled: str, pins: list[str]) -> list[str]:
    """Reads what ``uv pip compile`` wrote, one line a distribution; gives the bare pins where one has no hash.

    >>> hashed_lines("a==1 \\\\\\n    --hash=sha256:00 \\\\\\n    --hash=sha256:11\\n", ["a==1"])
    ['a==1 --hash=sha256:00 --hash=sha256:11']
    """
    entries = [entry for entry in re.split(r"^(?=[A-Za-z0-9])", compiled, flags=re.MULTILINE) if re.match(r"[A-Za-z0-9]", entry)]
    lines = [" ".join([entry.split()[0], *sorted(re.findall(r"--hash=sha256:[0-9a-f]+", entry))]) for entry in entries]
    complete = len(lines) == len(pins) and all("--hash=" in line for line in lines)
    return sorted(lines, key=str.lower) if complete else pins


def find_uv() -> str | None:
    """Gives the path of uv: on the path, beside the interpreter, or the one the engine got for itself; None without one."""
    beside = Path(sys.executable).parent / "uv"
    cache = os.environ.get("INGOT_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "ingot")
    fetched = Path(cache, "environments", "tools", "uv", "bin", "uv")
    return shutil.which("uv") or next((str(path) for path in (beside, fetched) if os.access(path, os.X_OK)), None)
