"""Silences warnings of a framework, also where several threads do so at once."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0
_saved: contextlib.ExitStack | None = None


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Lets nothing warn inside the block.

    ``warnings.catch_warnings`` alone restores what another thread had set meanwhile, which can leave all warnings off for
    good. Here the first thread that comes sets, and the last that goes restores.

    >>> with quietly(): warnings.warn("nobody reads this")
    """
    global _depth, _saved
    with _lock:
        if _depth == 0:
            _saved = contextlib.ExitStack()
            _saved.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _saved is not None:
                _saved.close()
                _saved = None


def _after_fork() -> None:
    """A child has only the thread that forked; what others held is gone."""
    global _lock, _depth, _saved
    _lock = threading.Lock()
    if _depth and _saved is not None:
        _saved.close()
    _depth, _saved = 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
