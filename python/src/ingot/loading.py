"""Loads a stored version into this process."""

from __future__ import annotations

from . import engine
from .model import Model, open_model
from .version import Store


def load(ref: str, *, check: str = "warn", store: Store = None) -> Model:
    """Brings a version from the store (or the local cache) and loads it.

    A package may run code when it is loaded: load only what you trust. When the store does not answer, the last known
    version is loaded from the cache, and ``model.info.stale_since`` says since when.

    :param ref: ``churn`` (the newest), ``churn:7``, ``churn:1.2.0``, ``churn@production``, ``churn@sha256:…``.
    :param check: ``warn`` names installed packages of another version than the model was made with; ``strict`` refuses
        to load then; ``off`` does not look.
    :param store: where models live; default: ``INGOT_REGISTRY``, else ``~/.ingot/store``.
    :raises NotFound: with the nearest name.
    :raises EnvironmentMismatch: when a package that the model needs is missing.
    """
    return open_model(engine.run(["pull", ref, "--cached"], store=store), check=check)
