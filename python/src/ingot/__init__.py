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
from .pushing import push
from .registry import HistoryEntry, alias, aliases, history, models, promote, rollback, show, versions
from .signature import Feature, Signature
from .version import File, Version

__all__ = [
    "Conflict",
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
    "history",
    "load",
    "models",
    "promote",
    "push",
    "rollback",
    "show",
    "versions",
]
