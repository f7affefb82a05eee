"""Loads a stored version: into this process, or into an environment of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from .checks import one_of, reference, store_or_none, wrong
from .commands import engine
from .environments.check import environment_mismatches
from .errors import UsageError
from .model import Model, open_model
from .version import Store, Version

#: What is done about packages of another version: see :func:`load`.
Check = Literal["warn", "strict", "off"]
#: Where a model is loaded: see :func:`load`.
LoadEnvironment = Literal["current", "isolated", "auto"]
#: How cached files are verified: see :func:`load`.
Verify = Literal["marks", "always"]


def load(
    ref: str | Version,
    *,
    check: Check = "warn",
    env: LoadEnvironment = "current",
    verify: Verify = "marks",
    lock: bool | str | os.PathLike[str] | None = None,
    store: Store = None,
) -> Model:
    """Brings a version from the store (or the local cache) and loads it.

    Its bytes are verified before anything is loaded, and the environment is compared before that. A package may run code
    when it is loaded: load only what you trust. When the store does not answer, the last known version is loaded from the
    cache, and ``model.info.stale_since`` says since when; ``INGOT_OFFLINE=1`` does not ask the store at all.

    :param ref: ``churn`` (the newest), ``churn:7``, ``churn:1.2.0``, ``churn@production``, ``churn@sha256:…``.
    :param check: ``warn`` names installed packages of another version than the model was made with, each with the command
        that mends it; ``strict`` refuses to load then; ``off`` does not look.
    :param env: ``current`` loads into this process; ``isolated`` runs the model in an environment of its own, built once
        with the packages and the Python it asks for, and gives an object that is asked the same way; ``auto`` loads into
        this process where that fits exactly, else isolated.
    :param verify: ``marks`` trusts a cached file whose size, times and inode are those of when it was verified (a
        file that a program changed has others, and is read again); ``always`` reads and hashes every byte.
    :param lock: what pins the version: the ``ingot.lock`` of the working directory where there is one (None), a file's
        path, or True, which also makes a reference that is not pinned an error.
    :param store: where models live; default: ``INGOT_REGISTRY``, else ``~/.ingot/store``.
    :raises NotFound: with the nearest name.
    :raises EnvironmentMismatch: when a package that the model needs is missing, naming each with the command that mends it.
    :raises EnvironmentFailed: when its environment could not be built.
    :raises Conflict: when the lock names a version that the store does not have, or does not pin ``ref`` with ``lock=True``.
    :raises IntegrityError: when bytes are not what their digest says, or the store's version is not the locked one.

    >>> ingot.load("churn@production", env="isolated").predict(rows)  # doctest: +SKIP
    """
    one_of("check", check, get_args(Check))
    one_of("env", env, get_args(LoadEnvironment))
    one_of("verify", verify, get_args(Verify))
    store = store_or_none(store)
    words = ["pull", reference(ref), "--cached", *(["--verify", verify] if verify != "marks" else []), *lock_words(lock)]
    if env != "isolated":
        document = engine.run(words, store=store)
        if env == "current" or _fits(document):
            return open_model(document, check=check)
    return open_isolated(words, store)


def open_isolated(words: list[str], store: Store) -> Model:
    """Loads what ``ingot pull …`` names into an environment of its own."""
    from .environments.isolated import IsolatedModel

    def prepare() -> Mapping[str, Any]:
        document: Mapping[str, Any] = engine.run([*words, "--environment"], store=store)
        return document

    return IsolatedModel(prepare)


def lock_words(lock: bool | str | os.PathLike[str] | None) -> list[str]:
    """Gives the flags of the engine that say which lock file counts.

    >>> lock_words(True), lock_words("deploy.lock"), lock_words(None)
    (['--locked'], ['--lock', 'deploy.lock'], [])
    """
    if lock is None:
        return []
    if lock is False:
        raise UsageError("lock=False is neither a file nor True", code="usage", hint="leave it out, or remove ingot.lock")
    if lock is True:
        return ["--locked"]
    if not isinstance(lock, str | os.PathLike):
        raise wrong("lock", lock, "a file or True", 'lock="ingot.lock" or lock=True')
    return ["--lock", os.fspath(lock)]


def _fits(document: Mapping[str, Any]) -> bool:
    ref = f"{document['model']}:{document['version']}"
    return not environment_mismatches(ref, document.get("package") or {}, Path(document["path"]))
