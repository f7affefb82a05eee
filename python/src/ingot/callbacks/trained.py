"""What callbacks share that push from inside a framework's training loop."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from ..errors import IngotError
from ..pushing import push
from ..version import Version


def fitting(kind: Any) -> Any:
    """Gives the estimator (an instance of ``kind``) whose ``fit`` is running, None where nobody's is.

    Frameworks call back with the bare booster only; the estimator is found among the callers.
    """
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name == "fit" and isinstance(owner, kind):
            return owner
        frame = frame.f_back  # type: ignore[assignment]
    return None


def push_trained(
    model: Any, name: str, metrics: Mapping[str, float], tags: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[Version | None, Exception | None]:
    """Pushes a model from inside a training loop; a push that fails is a warning, for the training is worth more."""
    given = dict(options)
    merged = {**metrics, **(given.pop("metrics", None) or {})}
    labelled = {**tags, **(given.pop("tags", None) or {})}
    try:
        return push(model, name, metrics=merged, tags=labelled, **given), None
    except IngotError as error:
        warnings.warn(f"{name} was trained, and not pushed: {error}", stacklevel=3)
        return None, error
