"""Lets no fork happen while a thread of ours imports: the child would wait for that import forever.

Python gives a forked child its modules' locks as they were. A module that another thread was importing stays locked there.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

#: A fork waits no longer than this for what other threads have begun; it may be what they wait for.
PATIENCE_SECONDS = 10.0

#: Threads that are inside of :func:`unforked`.
_inside: set[int] = set()
_changed = threading.Condition()


@contextlib.contextmanager
def unforked() -> Iterator[None]:
    """Makes forks by other threads wait until the block is left. Any number of threads may be inside; each may fork itself.

    >>> with unforked(): import json
    """
    me = threading.get_ident()
    with _changed:
        is_outer = me not in _inside
        _inside.add(me)
    try:
        yield
    finally:
        if is_outer:
            with _changed:
                _inside.discard(me)
                _changed.notify_all()


def _before() -> None:
    _changed.acquire()
    _changed.wait_for(lambda: _inside <= {threading.get_ident()}, PATIENCE_SECONDS)


def _in_parent() -> None:
    _changed.release()


def _in_child() -> None:
    global _changed
    _changed = threading.Condition()
    _inside.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
