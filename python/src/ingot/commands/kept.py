"""Keeps one process of the engine between calls, so that starting it is paid for once.

A kept engine runs one command after the other. Each is told its words, its working directory and the whole environment, so
that it does what a process of its own would; calls at the same time have processes of their own. It ends with this
process, after a minute without a call, with ``INGOT_ENGINE_KEEP=0`` at once, and after whatever could make a difference to
the next command: a failure, an interruption, a storage that is not a directory. A forked child never uses its parent's.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .forking import unforked

#: How long a kept engine waits for a command before it ends, in seconds, unless ``INGOT_ENGINE_KEEP`` says otherwise.
IDLE_SECONDS = 60.0
#: How long an engine that is ending gets for it, in seconds.
GRACE_SECONDS = 5.0

#: Variables that programs read once, when they start: with another value it takes another process.
_READ_AT_START = ("NODE_", "UV_", "SSL_", "OPENSSL_", "LD_", "DYLD_", "ICU_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_")

_Key = tuple[object, ...]


@dataclass(frozen=True)
class Ended:
    """What a command of the engine came to: its exit status, and what it printed on stdout."""

    status: int
    printed: str


class NotBegun(Exception):
    """The engine went away before it began the command, which may be run by another."""


class KeptEngine:
    """One process of the engine that runs commands one after the other."""

    def __init__(self, command: Sequence[str], key: _Key) -> None:
        self.key = key
        self.owner = os.getpid()
        # Pipes without buffers: nothing is left in them that a forked child could write again.
        # A child that is forked meanwhile would hold the engine's end of them, too, and nobody would see it close.
        with unforked():
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=os.name == "posix",
            )
        self.stays = False
        #: Whether it ever said that it listens.
        self.spoke = False
        self._read = b""

    def run(self, request: bytes, hear: Callable[[str], None]) -> Ended:
        """Runs one command; ``hear`` gets its stderr in pieces.

        :raises NotBegun: when nothing was done.
        """
        self.stays = False
        begun = False
        with contextlib.suppress(OSError):
            self._write(request)
        while (line := self._line()) is not None:
            told = json.loads(line)
            self.spoke = True
            begun = begun or "begun" in told
            if "said" in told:
                hear(told["said"])
            elif "ended" in told:
                self.stays = bool(told["stays"])
                return Ended(int(told["ended"]), str(told["printed"]))
        if not begun:
            raise NotBegun
        return Ended(self.process.wait(), "")

    def _write(self, request: bytes) -> None:
        assert self.process.stdin is not None
        rest = memoryview(request)
        while rest:
            rest = rest[self.process.stdin.write(rest) :]

    def _line(self) -> bytes | None:
        assert self.process.stdout is not None
        while b"\n" not in self._read:
            piece = self.process.stdout.read(1 << 16)
            if not piece:
                return None
            self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """Ends it, once it runs no command."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if self.is_alive():
                self.process.kill()
            self.process.wait(GRACE_SECONDS)
        self._close()

    def abandon(self) -> None:
        """Lets go of it in a forked child: it is the parent's."""
        self.process.returncode = 0
        self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_lock = threading.Lock()
#: Every engine of this process that has not ended, and the one that waits for a command.
_all: dict[int, KeptEngine] = {}
_idle: KeptEngine | None = None
#: Engines that do not know how to be kept.
_unable: set[_Key] = set()


def prepare(command: Sequence[str], *verbs: str) -> None:
    """Starts an engine ahead, where none waits: it loads what the verbs need while the caller is still busy."""
    if (key := _key(command, os.environ)) is None:
        return
    with _lock:
        if _idle is not None and _idle.key == key and _idle.is_alive():
            return
    with contextlib.suppress(OSError):
        _give_back(_start(command, key, verbs))


def take(command: Sequence[str], environ: Mapping[str, str]) -> KeptEngine | None:
    """Gives an engine for one command, to be given back by :func:`give_back`; None where none is to be kept."""
    global _idle
    key = _key(command, environ)
    if key is None:
        return None
    with _lock:
        found, _idle = _idle, None
    if found is not None:
        if found.key == key and found.is_alive():
            return found
        _end(found)
    try:
        return _start(command, key)
    except OSError:
        return None


def give_back(engine: KeptEngine, *, keep: bool = True) -> None:
    """Keeps an engine for the next command when it and the caller want that, and ends it else."""
    if keep and engine.stays:
        _give_back(engine)
        return
    if not engine.spoke:
        _unable.add(engine.key)
    _end(engine)


def request(words: Sequence[str], environ: Mapping[str, str]) -> bytes | None:
    """Gives the line that asks for a command here and now; None for what only a process of its own can be told."""
    try:
        document = {"words": list(words), "cwd": os.getcwd(), "env": dict(environ)}
        # Bytes that are no text have no JSON.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (OSError, UnicodeEncodeError):
        return None
    return json.dumps(document).encode("ascii") + b"\n"


def end_all() -> None:
    """Ends the engine that waits, if there is one."""
    global _idle
    with _lock:
        waiting, _idle = _idle, None
    if waiting is not None and waiting.owner == os.getpid():
        _end(waiting)


def _give_back(engine: KeptEngine) -> None:
    global _idle
    with _lock:
        before, _idle = _idle, engine
    if before is not None:
        _end(before)


def _start(command: Sequence[str], key: _Key, verbs: Iterable[str] = ()) -> KeptEngine:
    engine = KeptEngine([*command, "__engine", f"{_idle_seconds(os.environ):g}", *verbs], key)
    with _lock:
        _all[id(engine)] = engine
    return engine


def _end(engine: KeptEngine) -> None:
    engine.end()
    with _lock:
        _all.pop(id(engine), None)


def _key(command: Sequence[str], environ: Mapping[str, str]) -> _Key | None:
    """What an engine must have been started with to do as a new one would; None where none is kept."""
    script = os.path.realpath(command[-1])
    if _idle_seconds(environ) <= 0 or os.path.basename(script) != "ingot.js":
        return None
    try:
        program = os.stat(os.path.join(os.path.dirname(script), "..", "dist", "main.js"))
    except OSError:
        return None
    at_start = tuple(sorted(pair for pair in environ.items() if pair[0].startswith(_READ_AT_START)))
    build = (program.st_mtime_ns, program.st_size, program.st_ino)
    key = (os.getpid(), *map(os.path.abspath, command), build, at_start, _rights(), _idle_seconds(environ))
    return None if key in _unable else key


def _idle_seconds(environ: Mapping[str, str]) -> float:
    said = environ.get("INGOT_ENGINE_KEEP", "").strip().lower()
    if said in {"no", "false", "off"}:
        return 0.0
    try:
        return float(said)
    except ValueError:
        return IDLE_SECONDS


def _rights() -> tuple[object, ...]:
    """Who this process is, and how it makes files."""
    who: list[Any] = [getattr(os, name)() for name in ("geteuid", "getegid", "getgroups") if hasattr(os, name)]
    try:
        with open("/proc/self/status", "rb") as file:
            mask = next((line for line in file if line.startswith(b"Umask:")), b"")
    except OSError:
        mask = b""
    return (*map(str, who), mask)


def _after_fork() -> None:
    global _lock, _idle
    _lock, _idle = threading.Lock(), None
    for engine in list(_all.values()):
        engine.abandon()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(end_all)
