"""Runs the *engine*, which does all storing: every call is one command that prints one JSON document.

A process of the engine is kept between calls (:mod:`ingot.commands.kept`); threads and forks may use it freely.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from ..errors import EngineError, IngotError, error_from_document, error_from_exit
from ..telling import warn
from . import kept
from .cancelling import cancellable, is_cancelled, refuse_when_cancelled
from .finding import find_engine
from .forking import unforked
from .progress import Progress, is_interactive

#: How long the engine gets to clean up after Ctrl-C before it is killed, in seconds.
GRACE_SECONDS = 5.0

#: How the engine says a warning, with colours where they are forced on it.
_WARNING = re.compile(r"^(?:\x1b\[[\d;]*m)*warning(?:\x1b\[[\d;]*m)*: (.+)$", re.MULTILINE)


def run(arguments: Sequence[str], *, store: str | os.PathLike[str] | None = None, progress: bool | None = None) -> Any:
    """Runs one command of the engine and gives the document it printed.

    :param arguments: the words after ``ingot``, without ``--json``.
    :param store: passed as ``--registry``; an address that names a user, as ``INGOT_REGISTRY``.
    :param progress: shows what the engine says while it works on stderr; by default in terminals and notebooks only.
    :raises IngotError: of the class that fits what went wrong.
    """
    refuse_when_cancelled()
    command = find_engine()
    words = [*arguments, "--json", *_registry(store)]
    show = is_interactive() if progress is None else progress
    environ = {**_environ(), **_private(store), **({"INGOT_PROGRESS": "json"} if show else {})}
    answer = _run_kept(command, words, environ, show)
    if answer is None:
        refuse_when_cancelled()
        answer = _run_once([*command, *words], environ, show)
    ended, said = answer
    for warning in _WARNING.findall(said):
        warn(warning)
    if ended.status != 0:
        refuse_when_cancelled()
        raise failure(ended.status, said)
    return _parse(ended.printed, [*command, *words])


def prepare(*verbs: str) -> None:
    """Starts the engine ahead of a call that will need it; what is wrong is told by that call.

    :param verbs: commands that will probably be asked for.
    """
    with contextlib.suppress(EngineError):
        kept.prepare(find_engine(), *verbs)


def _run_kept(command: Sequence[str], words: Sequence[str], environ: Mapping[str, str], show: bool) -> tuple[kept.Ended, str] | None:
    """Runs a command by an engine that is kept between calls; None where there is none, or it went away unasked."""
    request = kept.request(words, environ)
    engine = None if request is None else kept.take(command, environ)
    if request is None or engine is None:
        return None
    try:
        with contextlib.closing(_Heard(show)) as heard, cancellable(engine.process, stop):
            try:
                return engine.run(request, heard.take), heard.text
            except kept.NotBegun:
                return None
            except BaseException:
                stop(engine.process)
                raise
    finally:
        # Who cancels may still be about to stop it: it must not be another call's by then.
        kept.give_back(engine, keep=not is_cancelled())


def _run_once(command: Sequence[str], environ: Mapping[str, str], show: bool) -> tuple[kept.Ended, str]:
    """Runs a command by a process of its own."""
    with _start(command, environ=environ) as process, cancellable(process, stop):
        answer = _Answer(process.stdout)
        try:
            # What is said is read here, so that progress is shown by the thread whose cell or terminal it belongs to.
            said = _hear(process.stderr, show)
            status = process.wait()
        except BaseException:
            stop(process)
            raise
        finally:
            answer.join()
    return kept.Ended(status, answer.text), said


def stream(
    arguments: Sequence[str], *, store: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Starts a command that prints JSON Lines until it is stopped. The caller reads ``stdout`` and calls :func:`stop`.

    Its stdin is a pipe that closes with this process, however that ends, so that the engine does not outlive it.

    :param environ: variables beside those of this process.
    """
    command = [*find_engine(), *arguments, "--json", *_registry(store)]
    return _start(command, keep_stdin=True, environ={**_environ(), **(environ or {}), **_private(store)})


def _environ() -> dict[str, str]:
    """The variables of this process, and which Python it is: there may be none on PATH, as in a notebook's kernel."""
    return {**os.environ, **({"INGOT_STARTED_FROM": sys.executable} if sys.executable else {})}


def read_lines(lines: IO[str]) -> Iterator[dict[str, Any]]:
    """Reads JSON Lines; a line that is not an object is skipped, so that a stray print cannot end a stream."""
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document


def stop(process: subprocess.Popen[Any]) -> None:
    """Ends a process of the engine: asks, waits a little, then kills."""
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        if process.poll() is not None:
            return
        try:
            process.send_signal(number)
            process.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired, ValueError):
            continue


def close_pipes(process: subprocess.Popen[str]) -> None:
    """Gives back the pipes of a process that has ended."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _start(command: Sequence[str], *, keep_stdin: bool = False, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    try:
        with unforked():
            return subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE if keep_stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=environ,
                # A group of its own: Ctrl-C reaches Python first, which then asks the engine to stop, once.
                start_new_session=os.name == "posix",
            )
    except OSError as error:
        raise EngineError(f"the ingot engine could not be started: {error}", code="engine-missing") from error


def failure(status: int, said: str) -> IngotError:
    """Makes the exception for an engine that ended with ``status`` after saying ``said`` on stderr."""
    document = _last_document(said)
    error = document.get("error") if document is not None else None
    return error_from_document(error) if isinstance(error, Mapping) else error_from_exit(status, said)


def _last_document(said: str) -> dict[str, Any] | None:
    """Finds the error document in what was said: the last line, or the last lines, that parse as one JSON object."""
    lines = said.rstrip().splitlines()
    for start in range(len(lines) - 1, -1, -1):
        if not lines[start].startswith("{"):
            continue
        try:
            document = json.loads("\n".join(lines[start:]))
        except ValueError:
            continue
        return document if isinstance(document, dict) else None
    return None


def _parse(printed: str, command: Sequence[str]) -> Any:
    try:
        return json.loads(printed)
    except ValueError as error:
        said = printed.strip()[:200] or "nothing"
        raise EngineError(
            f"the engine printed no JSON document but {said!r} ({shlex.join(command)})",
            hint="ingot doctor",
        ) from error


def _registry(store: str | os.PathLike[str] | None) -> list[str]:
    return [] if store is None or _private(store) else ["--registry", os.fspath(store)]


def _private(store: str | os.PathLike[str] | None) -> dict[str, str]:
    """An address that may hold a password goes by a variable: everybody on a machine sees the words of its processes."""
    address = "" if store is None else os.fspath(store)
    return {"INGOT_REGISTRY": address} if "://" in address and "@" in address else {}


def _hear(lines: IO[str] | None, show: bool) -> str:
    """Reads stderr to its end, shows progress and other lines as they come, and gives what may be the reason of a failure."""
    with contextlib.closing(_Heard(show)) as heard:
        for line in lines or ():
            heard.take(line)
        return heard.text


class _Heard:
    """What an engine says on stderr: progress and other lines are shown as they come, what may be a reason is kept."""

    def __init__(self, show: bool) -> None:
        self._show = show
        self._progress = Progress(show)
        self._said: list[str] = []
        self._begun = ""
        self._document = False

    @property
    def text(self) -> str:
        """What was said, without progress."""
        return "".join(self._said) + self._begun

    def take(self, piece: str) -> None:
        """Takes a piece of stderr, which may end in the middle of a line."""
        *lines, self._begun = (self._begun + piece).split("\n")
        for line in lines:
            self._take_line(line + "\n")

    def _take_line(self, line: str) -> None:
        if self._progress.takes(line):
            return
        self._said.append(line)
        del self._said[:-500]
        self._document = self._document or line.startswith("{")
        # A warning becomes one of Python's when the command has ended: it is not shown twice.
        if self._show and not self._document and _WARNING.match(line) is None:
            print(line, end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Ends the bar, and shows what had no end of line."""
        if self._show and self._begun and not self._document and not self._begun.startswith("{"):
            print(self._begun, end="", file=sys.stderr, flush=True)
        self._progress.close()


class _Answer:
    """Reads stdout beside stderr, so that neither pipe fills up."""

    def __init__(self, lines: IO[str] | None) -> None:
        self.text = ""
        self._lines = lines
        self._thread = threading.Thread(target=self._read, name="ingot-stdout", daemon=True)
        self._thread.start()

    def join(self) -> None:
        self._thread.join(GRACE_SECONDS)

    def _read(self) -> None:
        self.text = self._lines.read() if self._lines is not None else ""


class Listener:
    """Reads stderr beside stdout, so that neither pipe fills up, and shows progress lines as they come."""

    def __init__(self, lines: IO[str] | None, show: bool) -> None:
        self._lines = lines
        self._show = show
        self._said: list[str] = []
        self._thread = threading.Thread(target=self._listen, name="ingot-stderr", daemon=True)
        self._thread.start()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def join(self) -> None:
        self._thread.join(GRACE_SECONDS)

    def _listen(self) -> None:
        document = False
        for line in self._lines or ():
            self._said.append(line)
            del self._said[:-500]
            document = document or line.startswith("{")
            if self._show and not document:
                print(line, end="", file=sys.stderr, flush=True)
