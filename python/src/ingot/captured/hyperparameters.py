"""An estimator's hyperparameters as JSON can say them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..kinds import is_array, plain

#: Parameter values whose JSON is longer are shortened.
MAX_PARAMETER = 500
#: Of more parameters than this the most deeply nested are left out: every event carries them.
MAX_PARAMETERS = 300


class _Unsayable:
    """Marks a value that JSON cannot say."""


UNSAYABLE = _Unsayable()


def capture_params(model: Any) -> dict[str, Any]:
    """Gives an estimator's hyperparameters, those of nested estimators by their path (``clf__max_depth``).

    A nested estimator is told by its class, a function by its name; other objects are left out and long values
    shortened.
    """
    try:
        params = model.get_params(deep=True)
    except Exception:  # noqa: BLE001 - a stranger's get_params may raise anything
        return {}
    if not isinstance(params, Mapping):
        return {}
    ordered = sorted(params.items(), key=lambda item: str(item[0]).count("__"))[:MAX_PARAMETERS]
    kept = {str(key) for key, _ in ordered}
    return {str(key): said for key, value in params.items() if str(key) in kept and (said := parameter(value)) is not UNSAYABLE}


def parameter(value: Any) -> Any:
    """Gives a value as JSON can say it, else :data:`UNSAYABLE`.

    >>> parameter(float("inf")), parameter(print), parameter(object()) is UNSAYABLE
    ('inf', 'builtins.print', True)
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= MAX_PARAMETER else f"{value[:MAX_PARAMETER]}…"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value).__qualname__
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return parameter(value.item())
    if is_array(value) or isinstance(value, list | tuple | dict):
        try:
            text = json.dumps(plain(value) if is_array(value) else value, allow_nan=False)
        except (TypeError, ValueError):
            return UNSAYABLE
        return json.loads(text) if len(text) <= MAX_PARAMETER else f"{text[:MAX_PARAMETER]}…"
    name = getattr(value, "__qualname__", getattr(value, "__name__", None))
    if callable(value) and isinstance(name, str) and "<" not in name:
        return f"{getattr(value, '__module__', None) or 'numpy'}.{name}"
    return UNSAYABLE


def given_params(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Gives the caller's own parameters as JSON can say them.

    >>> given_params({"depth": 3, "limit": float("inf")})
    {'depth': 3, 'limit': 'inf'}
    """
    return {str(key): value if is_json(value := plain(item)) else str(item) for key, item in (params or {}).items()}


def is_json(value: Any) -> bool:
    """Says whether JSON can carry a value; it knows no infinity."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
