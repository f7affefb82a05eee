"""Says what an object is without importing the framework it comes from: by the modules of its classes."""

from __future__ import annotations

import sys
from types import GeneratorType, ModuleType
from typing import Any


def comes_from(value: object, module: str) -> bool:
    """Says whether the value's class, or a class it derives from, is defined in a top-level module.

    >>> import fractions
    >>> comes_from(fractions.Fraction(1, 2), "numbers")
    True
    >>> comes_from(3, "pandas")
    False
    """
    return any(base.__module__.partition(".")[0] == module for base in type(value).__mro__)


def is_dataframe(value: object) -> bool:
    """Says whether the value is a pandas DataFrame."""
    return comes_from(value, "pandas") and type(value).__name__ == "DataFrame"


def is_series(value: object) -> bool:
    """Says whether the value is a pandas Series."""
    return comes_from(value, "pandas") and type(value).__name__ == "Series"


def is_array(value: object) -> bool:
    """Says whether the value is a numpy array."""
    return comes_from(value, "numpy") and hasattr(value, "dtype") and hasattr(value, "shape")


def loaded(module: str) -> ModuleType | None:
    """Gives a module that somebody has imported already; never imports one."""
    return sys.modules.get(module)


def is_missing(value: Any) -> bool:
    """Says whether a cell holds no value: None, NaN, NaT or pandas.NA.

    >>> is_missing(float("nan")), is_missing(0), is_missing("")
    (True, False, False)
    """
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return False


def plain(value: Any) -> Any:
    """Turns what a framework returns into what JSON can say; missing values become None.

    >>> plain((1, {"a": float("nan")}))
    [1, {'a': None}]
    """
    if value is None or isinstance(value, str | bool | int):
        item = getattr(value, "item", None)
        return item() if callable(item) else value
    if is_dataframe(value):
        return [{str(key): plain(cell) for key, cell in row.items()} for row in value.to_dict("records")]
    if hasattr(value, "nnz") and hasattr(value, "toarray"):
        return plain(value.toarray())
    if hasattr(value, "tolist") and not isinstance(value, bytes | memoryview):
        listed = value.tolist()
        return plain(listed) if listed is not value else listed
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | GeneratorType):
        return [plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if is_missing(value):
        return None
    if isinstance(value, float):
        return float(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
