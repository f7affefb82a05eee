"""Whether the data that is passed along is what the model was fitted on."""

from __future__ import annotations

import difflib
from typing import Any

from ..errors import InvalidPackage
from ..kinds import is_dataframe
from ..signature import column_names


def disagreement(model: Any, data: Any) -> str | None:
    """Says how the columns of ``X`` differ from those that a fitted estimator remembers; None where nothing is known.

    >>> class Fitted: n_features_in_ = 3
    >>> import numpy
    >>> disagreement(Fitted(), numpy.zeros((5, 2)))
    'the model was fitted with 3 features, X has 2'
    """
    shape = getattr(data, "shape", None)
    if shape is None or len(shape) != 2:
        return None
    fitted, count = _told(model, "feature_names_in_"), _told(model, "n_features_in_")
    if fitted is not None and is_dataframe(data):
        return _names_differ([str(name) for name in fitted], column_names(data))
    if isinstance(count, int) and int(shape[1]) != count:
        return f"the model was fitted with {count} features, X has {int(shape[1])}"
    return None


def _told(model: Any, name: str) -> Any:
    try:
        return getattr(model, name, None)
    except Exception:  # noqa: BLE001 - a property of an unfitted part may raise anything
        return None


def _names_differ(fitted: list[str], given: list[str]) -> str | None:
    missing = [name for name in fitted if name not in given]
    extra = [name for name in given if name not in fitted]
    if not missing and not extra:
        return None if fitted == given else f"the model was fitted with the columns in the order {_listed(fitted)}; X has {_listed(given)}"
    said = [f"X lacks {_listed(missing)}"] if missing else []
    said += [f"X has {_listed(extra)}, which the model does not know"] if extra else []
    near = [(name, close[0]) for name in missing if (close := difflib.get_close_matches(name, extra, 1))]
    said += [f"is {near[0][1]} meant as {near[0][0]}?"] if near else []
    return f"the model was fitted with other columns: {'; '.join(said)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def check_lengths(data: Any, target: Any) -> None:
    """Passes when ``X`` and ``y`` have as many rows.

    :raises InvalidPackage: with both numbers.
    """
    counts = [_rows(data), _rows(target)]
    if None not in counts and counts[0] != counts[1]:
        raise InvalidPackage(
            f"X has {counts[0]} rows, y has {counts[1]}; both describe the training data, so one of them is another's",
            code="invalid-package",
            operation="push",
        )


def _rows(data: Any) -> int | None:
    shape = getattr(data, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) > 0 else None
    return len(data) if isinstance(data, list | tuple) else None
