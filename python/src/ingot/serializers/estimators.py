"""What the serializers of boosted trees share: the scikit-learn wrapper as JSON, categories of columns, last metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from ..kinds import is_dataframe, plain

ESTIMATOR_FILE = "estimator.json"


def own_class(model: Any, module: str) -> str | None:
    """Gives the full name of an object's class where ``module`` itself defines it; None for the user's own subclass.

    >>> import fractions
    >>> own_class(fractions.Fraction(1, 2), "fractions"), own_class(3, "fractions")
    ('fractions.Fraction', None)
    """
    kind = type(model)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__.partition(".")[0] == module else None


def not_fitted(model: Any) -> InvalidPackage:
    """Gives the error for a model that learned nothing yet."""
    return InvalidPackage(
        f"this {type(model).__name__} is not fitted yet, so it cannot predict",
        code="invalid-package",
        hint="train it before ingot.push(model, …)",
    )


def storable(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Sorts values into those that JSON can say (NaN and infinity as Python writes them) and the names of the others.

    >>> storable({"depth": 3, "objective": len})
    ({'depth': 3}, ['objective'])
    """
    kept: dict[str, Any] = {}
    left: list[str] = []
    for name, value in values.items():
        try:
            kept[name] = json.loads(json.dumps(value, default=_numbers))
        except (TypeError, ValueError):
            left.append(name)
    return kept, left


def _numbers(value: Any) -> Any:
    listed = getattr(value, "tolist", None)
    if listed is None:
        raise TypeError(type(value).__name__)
    return listed()


def write_estimator(directory: Path, document: Mapping[str, Any]) -> str:
    """Writes ``estimator.json`` and gives its name; equal content gives equal bytes."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, default=_numbers)
    (directory / ESTIMATOR_FILE).write_text(text + "\n", encoding="utf-8")
    return ESTIMATOR_FILE


def left_out(names: Iterable[str]) -> tuple[str, ...]:
    """Says which parameters are objects that no file can hold; predicting does not need them."""
    listed = ", ".join(sorted(names))
    return (f"not stored, because they are code: {listed}; predictions do not need them",) if listed else ()


def categories_of(data: Any, names: Iterable[str] | None = None) -> dict[str, list[Any]]:
    """Gives the categories of a DataFrame's categorical columns, by column."""
    if not is_dataframe(data):
        return {}
    wanted = set(names) if names is not None else None
    found = {str(column): data[column] for column in data.columns if wanted is None or str(column) in wanted}
    return {name: plain(column.cat.categories) for name, column in found.items() if str(column.dtype) == "category"}


def last_metrics(results: Any, best: int | None = None) -> dict[str, float]:
    """Gives each evaluation metric as it was in the best round, else in the last: ``validation_0-auc``.

    >>> last_metrics({"valid": {"auc": [0.7, 0.9, 0.8]}}, best=1)
    {'valid-auc': 0.9}
    """
    found: dict[str, float] = {}
    for data, metrics in results.items() if isinstance(results, Mapping) else ():
        for name, values in metrics.items():
            rounds = [float(value[0] if isinstance(value, tuple) else value) for value in values]
            place = best if best is not None and 0 <= best < len(rounds) else len(rounds) - 1
            if rounds and math.isfinite(rounds[place]):
                found[f"{data}-{name}"] = rounds[place]
    return found
