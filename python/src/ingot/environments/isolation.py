"""The process that a model of an environment of its own lives in: started, asked, started again, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._worker.frames import Connection
from .._worker.loading import TRUSTED_TYPES
from .._worker.values import NotCarried, decode, encode
from ..errors import EnvironmentFailed, IngotError, PredictionError, UsageError, error_from_document

_SCRIPT = Path(__file__).resolve().parent.parent / "_worker" / "isolated.py"
_KEPT_LINES = 20
_GRACE_SECONDS = 2.0

#: Variables that belong to the caller's interpreter, not to that of the environment.
_NOT_PASSED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

_all: weakref.WeakSet[IsolatedProcess] = weakref.WeakSet()


class IsolatedProcess:
    """One model in a process of its own. Threads may ask at the same time; it answers one call after the other.

    A process that ended is started anew by the next call, with the package and the environment as they were; a fork of
    the caller's process gets a process of its own when it asks.

    :param prepare: gives the pulled document with its ``environment``; called again when either has left the cache.
    """

    def __init__(self, prepare: Callable[[], Mapping[str, Any]]) -> None:
        self._prepare = prepare
        self._document: Mapping[str, Any] | None = None
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._output: _Output | None = None
        self._closed = False
        self._calls = 0
        #: What the process said of the model: ``methods``, ``kind``, ``python``.
        self.loaded: Mapping[str, Any] = {}
        _all.add(self)

    @property
    def pid(self) -> int | None:
        """Number of the process, None while there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> Mapping[str, Any]:
        """Starts the process and loads the model, if that is not done yet. Gives the pulled document.

        :raises IngotError: what keeps the model from being loaded, in its own words.
        """
        with self._lock:
            self._running()
            return self._document or {}

    def call(self, method: str, value: Any) -> Any:
        """Calls a method of the model with one value and gives what it returns.

        :raises PredictionError: ``model-failed`` with the model's message, also when its process died over the call.
        """
        try:
            sent = encode(value)
        except NotCarried as problem:
            raise PredictionError(str(problem), code="invalid-request") from problem
        with self._lock:
            connection = self._running()
            self._calls += 1
            try:
                connection.send({"type": "call", "id": self._calls, "method": method}, sent)
                frame = connection.receive()
            except OSError:
                frame = None
            except BaseException:  # Ctrl-C: its answer would be taken for that of the next call
                self._end(kill=True)
                raise
            if frame is None:
                raise self._died("while it answered")
        header, tensors = frame
        if header["type"] == "error":
            raise error_from_document(header["error"])
        try:
            return decode(tensors)
        except NotCarried as problem:
            raise PredictionError(str(problem), code="model-failed") from problem

    def close(self) -> None:
        """Ends the process. Calls after that are errors."""
        with self._lock:
            self._closed = True
            self._end()

    def _running(self) -> Connection:
        if self._closed:
            raise UsageError("the model was closed", code="usage", hint="load it again")
        # Between calls it says nothing: what is there to be read is the end of the connection.
        gone = self._process is not None and self._process.poll() is not None
        if gone or (self._connection is not None and self._connection.is_waiting()):
            self._end(kill=True)
        if self._connection is None:
            self._launch()
        assert self._connection is not None
        return self._connection

    def _launch(self) -> None:
        document = self._document
        if document is None or not _is_there(document):
            document = self._document = self._prepare()
        environment = document["environment"]
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [environment["python"], "-u", "-X", "utf8", os.fspath(_SCRIPT), str(theirs.fileno())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=[theirs.fileno()],
                    cwd=document["path"],
                    env=_variables(environment),
                    # A group of its own: Ctrl-C reaches the caller alone.
                    start_new_session=True,
                )
        except OSError as problem:
            ours.close()
            raise EnvironmentFailed(f"{environment['python']} could not be started: {problem}", code="environment-failed") from problem
        self._output = _Output(self._process)
        self._connection = Connection(ours)
        self._greet(self._connection, document)

    def _greet(self, connection: Connection, document: Mapping[str, Any]) -> None:
        try:
            connection.send({"type": "load", "document": {**document, "captured": None}})
            frame = connection.receive()
        except OSError:
            frame = None
        except BaseException:
            self._end(kill=True)
            raise
        if frame is None:
            raise self._died("while it loaded")
        header = frame[0]
        if header["type"] != "loaded":
            self._end()
            raise error_from_document(header["error"])
        self.loaded = header

    def _died(self, when: str) -> IngotError:
        process, output = self._process, self._output
        if process is not None:
            # It closed the connection: that it is killed for being slow to end is not what happened to it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
        self._end(kill=True)
        status = process.returncode if process is not None else None
        how = f"was killed by {signal.Signals(-status).name}" if status is not None and status < 0 else f"ended with status {status}"
        lines = output.lines() if output is not None else []
        said = f": {lines[-1]}" if lines else ""
        return PredictionError(
            f"the model's process {how} {when}{said}",
            code="model-failed",
            hint="the next call starts it again" if when.endswith("answered") else None,
            details={"lastLines": lines},
        )

    def _end(self, *, kill: bool = False) -> None:
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        output, self._output = self._output, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(0.2 if kill else _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if output is not None:
            output.join()

    def _forget(self) -> None:
        """In a fork: the process belongs to the one that started it; this copy's ends are closed, or it would outlive that."""
        process, connection = self._process, self._connection
        self._lock = threading.Lock()
        self._process, self._connection, self._output = None, None, None
        with contextlib.suppress(OSError):
            if connection is not None:
                connection.close()
            if process is not None:
                process.returncode = 0  # never waited for here
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        os.close(pipe.fileno())


class _Output:
    """Passes on what the model prints, and keeps the last lines for messages."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._thread = threading.Thread(target=self._read, args=(process.stdout,), name="ingot-isolated", daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        self.join()
        return [line for line in self._lines if line.strip()]

    def join(self) -> None:
        self._thread.join(_GRACE_SECONDS)

    def _read(self, stream: Any) -> None:
        with stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                self._lines.append(line)
                if sys.stderr is not None:
                    print(line, file=sys.stderr)


def _is_there(document: Mapping[str, Any]) -> bool:
    return os.path.isdir(document["path"]) and os.path.exists(document["environment"]["python"])


def _may_pass(name: str) -> bool:
    """What the caller trusts its models' processes have to know; where models live is the caller's own business."""
    return name == TRUSTED_TYPES or (not name.startswith("INGOT_") and name not in _NOT_PASSED)


def _variables(environment: Mapping[str, Any]) -> dict[str, str]:
    """The variables of the process: the caller's own, but not where models live, and not what steers another Python."""
    passed = {name: value for name, value in os.environ.items() if _may_pass(name)}
    if environment.get("isBuilt"):
        passed.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**passed, **(environment.get("variables") or {})}


def _after_fork() -> None:
    for each in list(_all):
        each._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
