"""Keeps what a process uses in the cache from being pruned: the time of a file ``used`` beside it is renewed meanwhile.

The engine does the same for what a server uses. A place that was used within the last quarter of an hour is never pruned.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

#: How often the mark is renewed, in seconds.
RENEW_SECONDS = 300.0

_lock = threading.Lock()
_held: Counter[Path] = Counter()
_renewing: threading.Thread | None = None


def _after_fork() -> None:
    global _lock, _renewing
    _lock, _renewing = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def hold(places: Iterable[Path]) -> tuple[Path, ...]:
    """Marks places of the cache as used, now and until :func:`release` is called with what this gives."""
    global _renewing
    held = tuple(place for place in places if (place / "used").exists())
    with _lock:
        _held.update(held)
        if held and _renewing is None:
            _renewing = threading.Thread(target=_renew, name="ingot-leases", daemon=True)
            _renewing.start()
    for place in held:
        _touch(place)
    return held


def release(held: Iterable[Path]) -> None:
    """Ends what :func:`hold` began."""
    with _lock:
        _held.subtract(held)
        for place in [place for place, count in _held.items() if count <= 0]:
            del _held[place]


def _renew() -> None:
    pause = threading.Event()
    while not pause.wait(RENEW_SECONDS):
        with _lock:
            places = list(_held)
        for place in places:
            _touch(place)


def _touch(place: Path) -> None:
    """A cache that cannot be written still serves; it only cannot say that it was used."""
    with contextlib.suppress(OSError):
        os.utime(place / "used")
