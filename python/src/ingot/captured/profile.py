"""How training data is distributed, told so that no single row can be: what ``ingot diff`` compares for drift.

Kept are shares of missing values, rounded quantiles between 5 and 95 percent, the mean and deviation of what lies between
these (what lies outside counts as the bound), histograms and frequent values. Never kept
are rows, least and greatest values, and any cell (a bin, a value) that fewer than :data:`SMALLEST_CELL` rows share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..kinds import is_array, is_dataframe, is_series, loaded, plain
from ..signature import column_names

#: Bins and values with fewer rows than this are merged or left out.
SMALLEST_CELL = 10
#: Fewer rows without a value than this count as this many.
SMALLEST_GAP = 5
#: With fewer rows than this a quantile is near to somebody's value, and none is kept.
QUANTILE_ROWS = 100
#: Most bins of a histogram.
MAX_BINS = 20
#: Numbers with no more different values than this are counted by value.
MAX_VALUES = 20
#: Texts longer than this are never kept, however many rows share them.
MAX_TEXT = 64
#: Of more columns than this the rest has no distribution.
MAX_FEATURES = 256
#: Cells that are looked at: of long data every second, third, … row.
MAX_CELLS = 2_000_000
MAX_ROWS, MIN_ROWS = 50_000, 5_000
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def profile_data(data: Any, target: Any = None, names: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Describes ``X`` and ``y``: ``{"rows", "columns", "features": […], "target": […]}``; None for what has no rows.

    >>> import numpy
    >>> found = profile_data(numpy.arange(1000.0).reshape(-1, 1), numpy.arange(1000) % 2)
    >>> found["rows"], found["features"][0]["quantiles"], found["target"][0]["values"]
    (1000, [49.95, 249.8, 499.5, 749.2, 949.0], [[0, 500], [1, 500]])
    """
    numpy = loaded("numpy")
    if numpy is None:
        return None
    data = _as_columns(data)
    if data is None or len(data.shape) == 0 or data.shape[0] == 0:
        return None
    rows, columns = int(data.shape[0]), int(data.shape[1]) if len(data.shape) > 1 else 1
    document: dict[str, Any] = {"rows": rows, "columns": columns}
    step = -(-rows // min(MAX_ROWS, max(MIN_ROWS, MAX_CELLS // max(1, columns))))
    if step > 1:
        document["profiledRows"] = -(-rows // step)
    if columns > MAX_FEATURES and len(data.shape) < 3:
        document["omitted"] = columns - MAX_FEATURES
    features = _features(data, step, names, numpy)
    answers = _features(_as_columns(target), step, None, numpy) if target is not None else []
    for kind, found in (("features", features), ("target", answers)):
        if found:
            document[kind] = found
    if answers and len(answers) == 1 and answers[0]["name"] in {"x", "x0"}:
        answers[0]["name"] = "target"
    return document


def _as_columns(data: Any) -> Any:
    """Gives what has a shape; lists of dicts or of rows become a frame of plain columns."""
    if is_dataframe(data) or is_series(data) or is_array(data) or hasattr(data, "tocsc"):
        return data
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data) > 0:
        return _Listed(data)
    return None


class _Listed:
    """A list of dicts, of rows or of values, read by column."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.rows = rows
        first = rows[0]
        self.keys: list[Any]
        if isinstance(first, Mapping):
            self.keys = list(dict.fromkeys(key for row in rows[:1000] if isinstance(row, Mapping) for key in row))
        else:
            self.keys = list(range(len(first))) if isinstance(first, list | tuple) else [None]
        self.shape = (len(rows), len(self.keys))

    def column(self, position: int, step: int, numpy: Any) -> Any:
        key = self.keys[position]
        values = [self._cell(row, key) for row in self.rows[::step]]
        known = [value for value in values if value is not None]
        if known and all(isinstance(value, bool) for value in known) and len(known) == len(values):
            return numpy.asarray(values)
        if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
            return numpy.asarray([math.nan if value is None else float(value) for value in values])
        return numpy.asarray([None if value is None else str(value) for value in values], dtype=object)

    @staticmethod
    def _cell(row: Any, key: Any) -> Any:
        try:
            return plain(row) if key is None else plain(row[key])
        except (KeyError, IndexError, TypeError):
            return None


def _features(data: Any, step: int, names: Sequence[str] | None, numpy: Any) -> list[dict[str, Any]]:
    if data is None or (hasattr(data, "tocsc") and not is_array(data)):
        return []
    if isinstance(data, _Listed):
        labels = [f"x{key}" if isinstance(key, int) else "x" if key is None else str(key) for key in data.keys]
        return [_profile(name, data.column(at, step, numpy), None, numpy) for at, name in enumerate(labels[:MAX_FEATURES])]
    if is_dataframe(data):
        thin = data.iloc[::step]
        return [_series(name, thin.iloc[:, at], numpy) for at, name in enumerate(column_names(data)[:MAX_FEATURES])]
    if is_series(data):
        return [_series(str(data.name) if data.name is not None else "x", data.iloc[::step], numpy)]
    if len(data.shape) == 1:
        return [_profile("x", data[::step], str(data.dtype), numpy)]
    if len(data.shape) > 2:
        return [_tensor(data[:: max(step, -(-data.shape[0] // 256))], numpy)]
    labels = list(names) if names is not None and len(names) == data.shape[1] else [f"x{at}" for at in range(data.shape[1])]
    return [_profile(str(name), data[::step, at], str(data.dtype), numpy) for at, name in enumerate(labels[:MAX_FEATURES])]


def _series(name: str, series: Any, numpy: Any) -> dict[str, Any]:
    dtype = str(series.dtype)
    kind = getattr(series.dtype, "kind", "O")
    if dtype != "category" and kind in "biuf" and not is_array(series.array) and bool(series.isna().any()):
        return _profile(name, series.to_numpy(dtype="float64", na_value=math.nan), dtype, numpy)
    if dtype.startswith("datetime64"):
        return _profile(name, numpy.asarray(series.dt.tz_localize(None) if series.dt.tz is not None else series), dtype, numpy)
    return _profile(name, numpy.asarray(series), dtype, numpy)


def _tensor(data: Any, numpy: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"name": "x", "dtype": str(data.dtype)}
    if data.dtype.kind in "biuf" and data.shape[0] >= SMALLEST_CELL:
        described["mean"], described["std"] = _rounded(float(data.mean()), 5), _rounded(float(data.std()), 5)
    return {key: value for key, value in described.items() if value is not None}


def _profile(name: str, values: Any, dtype: str | None, numpy: Any) -> dict[str, Any]:
    kind = values.dtype.kind
    described: dict[str, Any] = {"name": name, "dtype": dtype or str(values.dtype)}
    gaps = _gaps(values, kind, numpy)
    missing = int(gaps.sum()) if gaps is not None else 0
    described["missing"] = _rounded(min(1.0, max(missing, SMALLEST_GAP) / len(values)), 3) if missing else 0
    known = values[~gaps] if missing and gaps is not None else values
    if kind in "OUS":
        described.update(_texts(known))
    elif kind == "b":
        described.update(_counted({False: int((~known).sum()), True: int(known.sum())}))
    elif kind in "iuf":
        described.update(_numbers(known.astype(numpy.float64), kind != "f", numpy))
    elif kind == "M":
        described.update(_days(known, numpy))
    return {key: value for key, value in described.items() if value is not None}


def _gaps(values: Any, kind: str, numpy: Any) -> Any:
    if kind == "f":
        return numpy.isnan(values)
    if kind == "M":
        return numpy.isnat(values)
    if kind == "O":
        pandas = loaded("pandas")
        return pandas.isna(values) if pandas is not None else numpy.asarray([value is None for value in values.tolist()], dtype=bool)
    return None


def _texts(values: Any) -> dict[str, Any]:
    counts: dict[Any, int] = {}
    for value in values.tolist():
        key = value if isinstance(value, str | bool) else str(value)
        counts[key] = counts.get(key, 0) + 1
    if len(counts) * SMALLEST_GAP > len(values):
        return {"distinct": _distinct(len(counts))}
    return _counted(counts)


def _counted(counts: Mapping[Any, int]) -> dict[str, Any]:
    """Keeps the frequent values; what is rare is only counted, all of it together."""
    found = {value: rows for value, rows in counts.items() if rows > 0}
    frequent = sorted(((rows, str(value), value) for value, rows in found.items() if rows >= SMALLEST_CELL), key=lambda cell: (-cell[0], cell[1]))
    shown = [(value, rows) for rows, text, value in frequent[:MAX_VALUES] if len(text) <= MAX_TEXT]
    other = sum(found.values()) - sum(rows for _, rows in shown)
    described: dict[str, Any] = {"distinct": _distinct(len(found))}
    if shown:
        described["values"] = [[value, rows] for value, rows in shown]
        described["other"] = other
    return described


def _numbers(values: Any, whole: bool, numpy: Any) -> dict[str, Any]:
    finite = values[numpy.isfinite(values)]
    if len(finite) < SMALLEST_CELL:
        return {}
    different, rows = numpy.unique(finite, return_counts=True)
    described: dict[str, Any] = {"distinct": _distinct(len(different))}
    if len(different) <= MAX_VALUES and len(finite) >= 2 * SMALLEST_CELL:
        counts = {int(value) if whole else float(value): int(count) for value, count in zip(different, rows, strict=True)}
        told = _counted(counts)
        # Beside all values but one, a mean tells that one.
        return {**described, **(_moments(finite) if told.get("other") == 0 else {}), **told}
    # What lies far out counts as the 5th or 95th of a hundred: else a mean would tell the one who earns most.
    described.update(_moments(numpy.clip(finite, *numpy.quantile(finite, (_LEVELS[0], _LEVELS[-1])))))
    if len(finite) < QUANTILE_ROWS:
        return described
    described["quantiles"] = [_rounded(float(value), 4) for value in numpy.quantile(finite, _LEVELS)]
    return {**described, **_histogram(finite, numpy)}


def _moments(values: Any) -> dict[str, Any]:
    return {"mean": _rounded(float(values.mean()), 5), "std": _rounded(float(values.std()), 5)}


def _histogram(values: Any, numpy: Any) -> dict[str, Any]:
    """Cuts at rounded quantiles, so that every bin has about as many rows; the outer bins are open."""
    levels = numpy.linspace(0, 1, MAX_BINS + 1)[1:-1]
    edges = sorted({float(f"{edge:.4g}") for edge in numpy.quantile(values, levels)})
    places = numpy.searchsorted(numpy.asarray(edges), values, side="right")
    counts = [int(count) for count in numpy.bincount(places, minlength=len(edges) + 1)]
    at = 0
    while at < len(counts) and len(counts) > 1:
        if counts[at] >= SMALLEST_CELL:
            at += 1
            continue
        into = at - 1 if at > 0 else 1
        counts[into] += counts[at]
        del counts[at], edges[min(at, into)]
        at = max(0, at - 1)
    return {"edges": edges, "counts": counts} if edges else {}


def _days(values: Any, numpy: Any) -> dict[str, Any]:
    """Times are told as days since 1970."""
    days = values.astype("datetime64[D]").astype(numpy.int64).astype(numpy.float64)
    if len(days) < QUANTILE_ROWS:
        return {}
    quantiles = [float(round(value)) for value in numpy.quantile(days, _LEVELS)]
    return {"quantiles": quantiles, **_histogram(numpy.round(days), numpy)}


def _distinct(count: int) -> int:
    return count if count <= 100 else int(float(f"{count:.2g}"))


def _rounded(value: float, digits: int) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
