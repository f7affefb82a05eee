"""Texts out of whatever they come in: a list, a column, a table of one column, rows."""

from __future__ import annotations

from typing import Any

__all__ = ["texts_of"]


def texts_of(data: Any) -> list[Any]:
    """Gives one text (or list of words) a row.

    >>> texts_of(["a b", "c"]), texts_of([{"text": "a b"}]), texts_of("a b")
    (['a b', 'c'], ['a b'], ['a b'])
    """
    if isinstance(data, str):
        return [data]
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return list(data.iloc[:, 0].tolist())
    if isinstance(data, dict):
        return texts_of(next(iter(data.values())))
    if hasattr(data, "tolist"):
        data = data.tolist()
    return [_of_row(row) for row in data]


def _of_row(row: Any) -> Any:
    if isinstance(row, dict):
        return next(iter(row.values()), "")
    if isinstance(row, list) and len(row) == 1:
        return row[0]
    return "" if row is None or row != row else row
