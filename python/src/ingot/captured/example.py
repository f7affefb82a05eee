"""A sample input that is nobody's: made from medians and from values that many rows share, never a row of the data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..kinds import is_array, is_dataframe, is_missing, is_series, plain
from ..signature import Feature

#: A text may appear in an example only when at least this many rows share it.
SHARED_BY = 5
#: Of more rows than this every second, third, … is looked at.
MAX_ROWS = 5000
#: Tensors with more elements a row than this get no example.
MAX_ELEMENTS = 4096


def synthetic_row(data: Any, features: Sequence[Feature]) -> dict[str, Any] | None:
    """Makes one row from the columns' medians and modes; None where that cannot be done.

    >>> from ingot.signature import infer_inputs
    >>> rows = [{"age": age, "plan": "pro"} for age in (20, 30, 40, 50, 61)]
    >>> synthetic_row(rows, infer_inputs(rows))
    {'age': 40, 'plan': 'pro'}
    """
    row: dict[str, Any] = {}
    data = {name: _thinned(array) for name, array in data.items()} if isinstance(data, Mapping) else _thinned(data)
    for position, feature in enumerate(features):
        if feature.type == "tensor":
            value = _tensor_value(data.get(feature.name) if isinstance(data, Mapping) else data, feature)
            if value is None:
                return None
            row[feature.name] = value
        else:
            row[feature.name] = _typical(_column(data, feature.name, position), feature)
    return row or None


def rows_of(example: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Reads an example as the user gave it: a dict, a list of dicts or of rows, a DataFrame, an array."""
    if isinstance(example, Mapping):
        return [dict(plain(example))]
    if is_series(example) and set(names) <= {str(key) for key in example.index}:
        return [dict(plain(example.to_dict()))]
    listed = plain(example)
    if not isinstance(listed, list):
        listed = [listed]
    if all(isinstance(row, dict) for row in listed):
        return listed
    if len(names) == 1 and not isinstance(listed[0], list):
        return [{names[0]: value} for value in listed]
    rows = listed if isinstance(listed[0], list) else [listed]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _thinned(data: Any) -> Any:
    rows = data.shape[0] if hasattr(data, "shape") else len(data)
    step = -(-rows // MAX_ROWS)
    if step <= 1:
        return data
    return data.iloc[::step] if hasattr(data, "iloc") else data[::step]


def _column(data: Any, name: str, position: int) -> list[Any]:
    if is_dataframe(data):
        return list(plain(data.iloc[:, position]))
    if is_array(data) or hasattr(data, "nnz"):
        column = data[:, position]
        return list(plain(column.toarray().ravel() if hasattr(column, "toarray") else column))
    if isinstance(data, Sequence) and data and isinstance(data[0], Mapping):
        return [plain(row.get(name)) for row in data]
    return [plain(row[position]) for row in data] if data is not None else []


def _typical(values: list[Any], feature: Feature) -> Any:
    known = [value for value in values if not is_missing(value)]
    if feature.type in {"integer", "float"}:
        return _median(known, feature)
    if feature.type == "datetime":
        return sorted(str(value) for value in known)[len(known) // 2][:10] if known else "2024-01-01"
    common, times = Counter(known).most_common(1)[0] if known else (None, 0)
    if feature.type == "boolean":
        return bool(common)
    if feature.categories:
        return common if common in feature.categories else feature.categories[0]
    return str(common) if times >= SHARED_BY else "text"


def _median(known: list[Any], feature: Feature) -> int | float:
    numbers = sorted(number for number in known if math.isfinite(number))
    middle = numbers[len(numbers) // 2] if numbers else 0
    if feature.type == "integer":
        return int(middle)
    rounded = float(f"{middle:.4g}")
    return min(max(rounded, feature.min if feature.min is not None else rounded), feature.max if feature.max is not None else rounded)


def _tensor_value(data: Any, feature: Feature) -> Any:
    shape = (feature.shape or (-1,))[1:]
    if -1 in shape and is_array(data) and data.ndim == len(shape) + 1:
        shape = tuple(int(size) for size in data.shape[1:])
    if any(length < 0 for length in shape) or math.prod(shape) > MAX_ELEMENTS:
        return None
    filler: Any = {"BYTES": "text", "BOOL": False, "FP32": 0.0, "FP64": 0.0, "FP16": 0.0}.get(feature.dtype or "", 0)
    if feature.dtype not in {"BYTES", "BOOL"} and is_array(data):
        return plain(_array_median(data))
    for length in reversed(shape):
        filler = [filler] * length
    return filler


def _array_median(data: Any) -> Any:
    middle = data[: 1000].copy()
    middle.sort(axis=0)
    return middle[len(middle) // 2]


def plausible_row(features: Sequence[Feature]) -> dict[str, Any] | None:
    """Makes a row from a signature alone, to warm a model up; None where a tensor's shape is open.

    >>> plausible_row([Feature("age", "integer", min=18, max=90), Feature("plan", "categorical", categories=("pro", "free"))])
    {'age': 54, 'plan': 'pro'}
    """
    row: dict[str, Any] = {}
    for feature in features:
        if feature.type == "tensor":
            row[feature.name] = _tensor_value(None, feature)
            if row[feature.name] is None:
                return None
            continue
        bounds = [bound for bound in (feature.min, feature.max) if bound is not None]
        row[feature.name] = _typical(bounds and [sum(bounds) / len(bounds)], feature)
    return row or None
