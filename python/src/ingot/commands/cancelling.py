"""Ends what a call does in the engine from another thread: how ``await ingot.apush(…)`` is cancelled."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ..errors import Interrupted

Stop = Callable[["subprocess.Popen[Any]"], None]

_current: ContextVar[Cancellation | None] = ContextVar("ingot-cancellation", default=None)


class Cancellation:
    """One call that can be ended: it knows the engine processes that run for it, and lets no further one start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[int, tuple[subprocess.Popen[Any], Stop]] = {}
        self._cancelled = False

    def cancel(self) -> None:
        """Stops the running processes and waits for them. What they had not stored yet is not stored."""
        with self._lock:
            self._cancelled = True
            running = list(self._running.values())
        for process, stop in running:
            stop(process)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Makes this the cancellation of every engine call inside the block, in this thread or task."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextlib.contextmanager
    def _holding(self, process: subprocess.Popen[Any], stop: Stop) -> Iterator[None]:
        with self._lock:
            self._running[id(process)] = (process, stop)
            late = self._cancelled
        try:
            if late:
                stop(process)
            yield
        finally:
            with self._lock:
                del self._running[id(process)]

    @property
    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._cancelled

    def refuse_when_cancelled(self) -> None:
        """Ends a call that was cancelled between two commands.

        :raises Interrupted: when :meth:`cancel` was called.
        """
        if self._cancelled:
            raise Interrupted("the call was cancelled", code="interrupted")


def is_cancelled() -> bool:
    """Says whether the call that is going on was cancelled."""
    cancellation = _current.get()
    return cancellation is not None and cancellation.is_cancelled


def refuse_when_cancelled() -> None:
    """Raises :class:`ingot.Interrupted` when the call that is going on was cancelled."""
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.refuse_when_cancelled()


def cancellable(process: subprocess.Popen[Any], stop: Stop) -> contextlib.AbstractContextManager[None]:
    """Lets the call that is going on be cancelled while a process runs; does nothing where nobody can cancel it."""
    cancellation = _current.get()
    return contextlib.nullcontext() if cancellation is None else cancellation._holding(process, stop)
