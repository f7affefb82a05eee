"""Remembers which version a loaded folder came from, so that a model made from it can name its parent."""

from __future__ import annotations

import os
from pathlib import Path

_known: dict[str, tuple[str, str]] = {}


def remember(path: str | os.PathLike[str], ref: str, digest: str) -> None:
    """Notes that a folder of the cache holds a version."""
    _known[str(Path(path).resolve())] = (ref, digest)


def origin_of(path: str | os.PathLike[str]) -> tuple[str, str] | None:
    """Gives reference and digest of the version that a path lies in; None for any other path.

    >>> remember("/tmp/cache/1f/files", "base:3", "sha256:1f")
    >>> origin_of("/tmp/cache/1f/files/model"), origin_of("/tmp/elsewhere")
    (('base:3', 'sha256:1f'), None)
    """
    place = Path(path).resolve()
    return next((_known[str(each)] for each in (place, *place.parents) if str(each) in _known), None)
