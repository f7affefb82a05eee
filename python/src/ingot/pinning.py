"""Pins references to versions, in a file that a deployment brings along."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from .commands import engine
from .version import Store


@dataclass(frozen=True)
class LockedVersion:
    """What a lock file pins a reference to."""

    #: As it was asked for: ``churn@production``.
    reference: str
    name: str
    number: int
    label: str | None
    digest: str
    #: What this call did: ``added``, ``updated``, or ``same``.
    state: Literal["added", "updated", "same"]

    @property
    def ref(self) -> str:
        """``churn:7``."""
        return f"{self.name}:{self.number}"


def lock(*refs: str, update: bool = False, file: str | os.PathLike[str] | None = None, store: Store = None) -> list[LockedVersion]:
    """Pins references to the versions they name now, with their digests, in ``ingot.lock``.

    From then on ``load``, ``ingot serve``, ``ingot pull`` and ``ingot.fastapi`` use exactly those where they find the file
    in their working directory (or where ``INGOT_LOCK`` names it), wherever an alias has moved; ``lock=True`` or
    ``INGOT_LOCKED=1`` also refuses what is not pinned.

    :param refs: what to pin. What is pinned already is compared with the store; without any, everything is.
    :param update: pins anew what is pinned already.
    :param file: default: ``ingot.lock`` of the working directory.
    :raises Conflict: when the store does not have a pinned version any more.
    :raises IntegrityError: when the store has another package under a pinned version's number.

    >>> ingot.lock("churn@production", "wine")  # doctest: +SKIP
    [LockedVersion(reference='churn@production', name='churn', number=7, …)]
    """
    words = ["lock", *refs, *(["--update"] if update else []), *(["--lock", os.fspath(file)] if file is not None else [])]
    pins = engine.run(words, store=store)["references"]
    return [LockedVersion(pin["reference"], pin["model"], pin["version"], pin["label"], pin["digest"], pin["state"]) for pin in pins]
