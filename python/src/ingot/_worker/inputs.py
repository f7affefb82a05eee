"""Tensors to what a model's ``predict`` takes: a DataFrame built once from column blocks, an array, or rows."""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from .frames import FORMATS, Tensor

__all__ = ["build_input", "can_import", "datetimes", "has_missing", "import_for", "input_kind", "missing_features", "row_count"]

Feature = dict[str, Any]

#: What says after a date and a time where on earth it is.
_OFFSET = re.compile(r"(?:[Zz]|[+-]\d\d(?::?\d\d)?)$")

_NUMERIC_TYPES = ("float", "integer", "boolean")

#: scikit-learn classes that look at column names or dtypes, not only at the order of columns.
_BY_NAME = ("ColumnTransformer", "FunctionTransformer", "HistGradientBoosting", "TargetEncoder", "DictVectorizer")


def input_kind(
    native: Any, flavor: str, features: Sequence[Feature], description: dict[str, Any] | None = None
) -> str:
    """Says what ``native`` takes: ``dataframe``, ``array``, ``rows``, ``texts`` or, for declared tensors, ``tensors``.

    Its own attribute ``ingot_input`` says it, else ``input`` of the package's ``flavor.json``.
    """
    for flagged in (getattr(native, "ingot_input", None), (description or {}).get("input")):
        if isinstance(flagged, str):
            return flagged
    if any(feature.get("type") == "tensor" for feature in features):
        return "tensors"
    if flavor == "sklearn":
        return _sklearn_kind(native, features)
    return "dataframe" if can_import("pandas") else "rows"


def _sklearn_kind(native: Any, features: Sequence[Feature]) -> str:
    if _reads_documents(native):
        return "texts"
    names = getattr(native, "feature_names_in_", None)
    numeric = bool(features) and all(feature.get("type") in _NUMERIC_TYPES for feature in features)
    if names is None and (numeric or not features):
        return "array"
    if numeric and list(names) == [feature["name"] for feature in features] and _order_is_enough(native):
        _silence_feature_names()
        return "array"
    return "dataframe" if can_import("pandas") else "array"


def _reads_documents(native: Any) -> bool:
    """Whether the first step takes a list of texts (``TfidfVectorizer``), not a table."""
    steps = getattr(native, "steps", None)
    first = steps[0][1] if steps else native
    return type(first).__name__ in ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")


def _order_is_enough(native: Any) -> bool:
    """Whether columns may come without names: true for scikit-learn's own estimators that never ask for them."""
    if not hasattr(native, "get_params"):
        return False
    parts = [native, *native.get_params(deep=True).values()]
    estimators = [part for part in parts if hasattr(part, "get_params") and not isinstance(part, type)]
    return all(
        type(part).__module__.startswith("sklearn.")
        and not type(part).__name__.startswith(_BY_NAME)
        and not hasattr(part, "_sklearn_output_config")
        for part in estimators
    )


def _silence_feature_names() -> None:
    import warnings  # noqa: PLC0415

    warnings.filterwarnings("ignore", message="X does not have valid feature names")


def can_import(name: str) -> bool:
    """Whether a module is there, without importing it."""
    if name in sys.modules:
        return True
    import importlib.util  # noqa: PLC0415

    return importlib.util.find_spec(name) is not None


def import_for(kind: str) -> None:
    """Imports what :func:`build_input` needs for ``kind`` while the model loads, not when the first request comes."""
    name = {"dataframe": "pandas", "array": "numpy", "tensors": "numpy"}.get(kind)
    if name is not None and can_import(name):
        importlib.import_module(name)


def row_count(tensors: Sequence[Tensor]) -> int:
    """The number of rows of a request: the first dimension of its first tensor."""
    return tensors[0].shape[0] if tensors and tensors[0].shape else 1


def build_input(kind: str, tensors: Sequence[Tensor], features: Sequence[Feature]) -> Any:
    """Makes the argument of ``predict``."""
    by_name = {feature["name"]: feature for feature in features}
    if kind == "rows":
        return _rows(tensors, by_name)
    if kind == "texts" and len(tensors) == 1:
        return _typed(tensors[0], by_name.get(tensors[0].name), math.nan)
    if kind == "tensors" or (len(tensors) == 1 and len(tensors[0].shape) > 1):
        arrays = {tensor.name: _array(tensor) for tensor in tensors}
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays
    if kind == "array":
        return _matrix(tensors, by_name)
    return _dataframe(tensors, by_name)


def _rows(tensors: Sequence[Tensor], by_name: dict[str, Feature]) -> list[dict[str, Any]]:
    columns = [_typed(tensor, by_name.get(tensor.name), None) for tensor in tensors]
    names = [tensor.name for tensor in tensors]
    return [dict(zip(names, values)) for values in zip(*columns)]


def _matrix(tensors: Sequence[Tensor], by_name: dict[str, Feature]) -> Any:
    import numpy as np  # noqa: PLC0415

    if len({tensor.datatype for tensor in tensors}) == 1 and tensors[0].datatype in FORMATS:
        return _block(tensors).T
    if all(tensor.datatype in FORMATS for tensor in tensors):
        return np.column_stack([_array(tensor) for tensor in tensors])
    result = np.empty((row_count(tensors), len(tensors)), dtype=object)
    for index, tensor in enumerate(tensors):
        result[:, index] = _typed(tensor, by_name.get(tensor.name), math.nan)
    return result


def _dataframe(tensors: Sequence[Tensor], by_name: dict[str, Feature]) -> Any:
    import pandas as pd  # noqa: PLC0415

    names = [tensor.name for tensor in tensors]
    runs = [list(run) for _, run in groupby(tensors, key=lambda tensor: tensor.datatype)]
    if len(runs) == 1 and tensors[0].datatype in FORMATS:
        return pd.DataFrame(_block(tensors).T, columns=names, copy=False)
    return pd.DataFrame({tensor.name: _column(tensor, by_name.get(tensor.name)) for tensor in tensors}, copy=False)


def _block(tensors: Sequence[Tensor]) -> Any:
    """Columns of one datatype as the rows of one array, without a copy where they lie side by side."""
    import numpy as np  # noqa: PLC0415

    rows = row_count(tensors)
    first = _array(tensors[0])
    if (rows * first.itemsize) % 8 == 0 and first.size:
        whole = tensors[0].data.obj if isinstance(tensors[0].data, memoryview) else None
        start = first.__array_interface__["data"][0] - np.frombuffer(whole, "u1").__array_interface__["data"][0]
        block = np.frombuffer(whole, first.dtype, count=rows * len(tensors), offset=start)
        return block.reshape(len(tensors), rows)
    return np.stack([_array(tensor) for tensor in tensors])


def _array(tensor: Tensor) -> Any:
    import numpy as np  # noqa: PLC0415

    if tensor.datatype == "BYTES":
        return np.array(tensor.values(), dtype=object).reshape(tensor.shape)
    code, _ = FORMATS[tensor.datatype]
    dtype = "?" if tensor.datatype == "BOOL" else f"<{code}"
    return np.frombuffer(tensor.data, dtype).reshape(tensor.shape)


def _column(tensor: Tensor, feature: Feature | None) -> Any:
    if tensor.datatype in FORMATS:
        return _array(tensor)
    values = _typed(tensor, feature, math.nan)
    if feature is not None and feature.get("type") == "datetime":
        return datetimes(values, feature.get("timezone"))
    return values


def datetimes(values: Sequence[Any], zone: str | None = None) -> Any:
    """Gives ISO 8601 texts and datetimes as pandas has them, in the zone the model learned from; None and NaN as NaT.

    Without a zone, times with an offset keep it, and become UTC where the offsets differ.
    """
    import pandas as pd  # noqa: PLC0415

    known = [None if value is None or value != value else value for value in values]
    offsets = {_offset(value) for value in known if value is not None}
    is_utc = len(offsets) > 1 or (zone is not None and "" not in offsets)
    is_text = all(value is None or isinstance(value, str) for value in known)
    result = pd.to_datetime(known, utc=is_utc, **({"format": "ISO8601"} if is_text else {}))
    if zone is None:
        return result
    # A time that the clocks skipped is the next one there is, and of one that came twice the first.
    return (
        result.tz_localize(zone, ambiguous=[True] * len(known), nonexistent="shift_forward")
        if result.tz is None
        else result.tz_convert(zone)
    )


def _offset(value: Any) -> str:
    if isinstance(value, str):
        found = _OFFSET.search(value, len("2024-01-31"))
        return found[0] if found else ""
    return str(getattr(value, "tzinfo", None) or "")


def _typed(tensor: Tensor, feature: Feature | None, missing: Any) -> list[Any]:
    """Elements as Python values: categories as they were declared (``1``, not ``"1"``), None as ``missing``."""
    values = tensor.values()
    if tensor.datatype != "BYTES":
        return values
    convert = _category_reader(feature)
    return [missing if value is None else convert(value) for value in values]


def _category_reader(feature: Feature | None) -> Callable[[Any], Any]:
    categories = (feature or {}).get("categories") or []
    if all(isinstance(category, str) for category in categories):
        return lambda value: value
    by_text: dict[Any, Any] = {}
    for category in categories:
        text = str(category).lower() if isinstance(category, bool) else str(category)
        by_text[text] = category
        if isinstance(category, float) and category.is_integer():
            by_text[str(int(category))] = category
    return lambda value: by_text.get(value, value)


def has_missing(tensor: Tensor) -> bool:
    """Whether a tensor holds a missing value: NaN, or null in text."""
    if tensor.datatype == "BYTES":
        return None in tensor.values()
    if not tensor.datatype.startswith("FP"):
        return False
    return any(value != value for value in tensor.values())


def missing_features(tensors: Sequence[Tensor]) -> list[str]:
    """Names of the tensors that hold a missing value."""
    return [tensor.name for tensor in tensors if has_missing(tensor)]
