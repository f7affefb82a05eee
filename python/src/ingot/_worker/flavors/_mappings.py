"""Rows for a ``DictVectorizer``: what a row does not hold is left out of it, as it was in training."""

from __future__ import annotations

from typing import Any

__all__ = ["Mappings", "takes_mappings"]


def takes_mappings(native: Any) -> bool:
    """Says whether an estimator's first step wants dicts, which may lack keys."""
    while getattr(native, "steps", None):
        native = native.steps[0][1]
    return type(native).__name__ == "DictVectorizer" or getattr(native, "input_type", None) == "dict"


class Mappings:
    """An estimator that is asked with dicts.

    A table cannot tell a key that is absent from a missing value: both arrive as null. They are left out, which counts as
    zero; where the step behind takes missing values, NaN is kept for it.
    """

    ingot_input = "rows"

    def __init__(self, native: Any) -> None:
        self._native = native
        self._keeps_nan = _takes_nan(native)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._native, name)
        return (lambda data: found(self._present(data))) if callable(found) else found

    def __dir__(self) -> list[str]:
        return dir(self._native)

    def _present(self, rows: Any) -> Any:
        if not isinstance(rows, (list, tuple)) or not all(isinstance(row, dict) for row in rows):
            return rows
        return [{name: value for name, value in row.items() if not self._is_absent(value)} for row in rows]

    def _is_absent(self, value: Any) -> bool:
        return value is None or (isinstance(value, float) and value != value and not self._keeps_nan)


def _takes_nan(native: Any) -> bool:
    steps = getattr(native, "steps", [])
    if len(steps) < 2:
        return False
    try:
        return bool(steps[1][1].__sklearn_tags__().input_tags.allow_nan)
    except AttributeError:
        return False
