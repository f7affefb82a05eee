"""A directory for what a push writes before it is stored: removed with the push, or by a later one when that was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]

_PREFIX = "ingot-push-"
#: Locked for as long as somebody uses the directory: whoever ends, however, lets go of it.
_OWNER = ".owner"
#: A directory without that file was left in its first moment, or by an older release.
_ABANDONED_SECONDS = 86_400.0

_swept = False


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Gives a new private directory that goes with the block; the first time, removes those that killed processes left.

    >>> with scratch() as directory:
    ...     directory.is_dir()
    True
    """
    global _swept
    if not _swept:
        _swept = True
        with contextlib.suppress(OSError):
            sweep()
    directory, lock = _make()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _make() -> tuple[Path, int | None]:
    while True:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if fcntl is None:
            return directory, None
        try:
            lock = _lock(directory, os.O_CREAT)
        except OSError:  # no locks in this file system
            return directory, None
        if lock is not None:
            return directory, lock
        shutil.rmtree(directory, ignore_errors=True)  # somebody took it for abandoned, and removes it


def sweep(now: float | None = None) -> None:
    """Removes the directories of this user whose owners are gone."""
    if fcntl is None:
        return
    before = (time.time() if now is None else now) - _ABANDONED_SECONDS
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [entry for entry in entries if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False)]
    for entry in found:
        with contextlib.suppress(OSError):
            facts = entry.stat(follow_symlinks=False)
            if facts.st_uid == os.geteuid():
                _remove_abandoned(Path(entry.path), is_old=facts.st_mtime < before)


def _remove_abandoned(directory: Path, *, is_old: bool) -> None:
    try:
        lock = _lock(directory)
    except FileNotFoundError:
        if is_old:
            shutil.rmtree(directory, ignore_errors=True)
        return
    if lock is None:
        return
    try:
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(lock)


def _lock(directory: Path, flags: int = 0) -> int | None:
    """Opens and locks a directory's mark; None when somebody else has it, or it is gone once it is locked."""
    opened = os.open(directory / _OWNER, os.O_RDWR | flags, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(opened).st_nlink > 0:
            return opened
    except BlockingIOError:
        pass
    except OSError:
        os.close(opened)
        raise
    os.close(opened)
    return None
