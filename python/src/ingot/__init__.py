"""From a trained model to a production API, on storage the team already has.

Three lines go the whole way::

    import ingot
    ingot.push(model, "churn", X=X_train, metrics={"auc": 0.97}, alias="production")
    ingot.load("churn@production").predict(rows)

*Model* is a name; a *version* is an immutable numbered publication of one package; a *label* is the author's own version
text; an *alias* is a movable name for a version (``production``); a *store* is where all of it lives: a directory or a
bucket named by ``INGOT_REGISTRY``. References are ``churn`` (the newest), ``churn:7``, ``churn:1.2.0``,
``churn@production`` and ``churn@sha256:…``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .errors import (
    Conflict,
    EngineError,
    EnvironmentFailed,
    EnvironmentMismatch,
    EnvironmentWarning,
    Forbidden,
    IngotError,
    IntegrityError,
    Interrupted,
    InvalidPackage,
    NotFound,
    PolicyRefused,
    PredictionError,
    SignatureMismatch,
    Unavailable,
    UsageError,
)
from .loading import load
from .model import Model, ModelInfo
from .pinning import LockedVersion, lock
from .pushing import push
from .registry import HistoryEntry, alias, aliases, history, models, promote, rollback, show, versions
from .signature import Feature, Signature
from .version import File, Version

if TYPE_CHECKING:
    from . import callbacks
    from .aio import aload, apush
    from .autologging import autolog
    from .difference import Difference, diff

__all__ = [
    "Conflict",
    "Difference",
    "EngineError",
    "EnvironmentFailed",
    "EnvironmentMismatch",
    "EnvironmentWarning",
    "Feature",
    "File",
    "Forbidden",
    "HistoryEntry",
    "IngotError",
    "IntegrityError",
    "Interrupted",
    "InvalidPackage",
    "LockedVersion",
    "Model",
    "ModelInfo",
    "NotFound",
    "PolicyRefused",
    "PredictionError",
    "Signature",
    "SignatureMismatch",
    "Unavailable",
    "UsageError",
    "Version",
    "alias",
    "aliases",
    "aload",
    "apush",
    "autolog",
    "callbacks",
    "diff",
    "history",
    "load",
    "lock",
    "models",
    "promote",
    "push",
    "rollback",
    "show",
    "versions",
]

#: What is imported when it is first used: it needs an event loop, or hooks into frameworks.
_LATER = {"aload": "aio", "apush": "aio", "autolog": "autologging", "callbacks": "callbacks", "Difference": "difference", "diff": "difference"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'ingot' has no attribute {name!r}")
    import importlib

    module = importlib.import_module(f".{_LATER[name]}", __name__)
    found = module if name == _LATER[name] else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
