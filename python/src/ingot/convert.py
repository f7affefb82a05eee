"""Turns what people pass to ``predict`` into what the model takes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from ._worker.inputs import datetimes
from .errors import EnvironmentMismatch, SignatureMismatch
from .kinds import is_array, is_dataframe, is_missing
from .signature import Feature, column_names


def as_rows(rows: Any, features: Sequence[Feature] = ()) -> list[dict[str, Any]] | None:
    """Gives JSON-like rows as a list of dicts, None for anything a framework made (DataFrame, array, list of lists).

    >>> as_rows({"age": 41})
    [{'age': 41}]
    >>> as_rows({"age": [41, 33]})
    [{'age': 41}, {'age': 33}]
    """
    if isinstance(rows, Mapping):
        if _is_tensors(rows, features):
            return None
        if _is_columns(rows, features):
            return [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        return [dict(rows)]
    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes) and all(isinstance(row, Mapping) for row in rows):
        return [dict(row) for row in rows]
    return None


def _is_tensors(rows: Mapping[str, Any], features: Sequence[Feature]) -> bool:
    """Says whether a dict holds arrays (of numpy, torch) of many rows by the name of a tensor: what a framework made."""
    ranks = {feature.name: len(feature.shape or (-1,)) for feature in features if feature.type == "tensor"}
    if not rows or any(feature.type != "tensor" for feature in features):
        return False
    return all(hasattr(value, "dtype") and len(getattr(value, "shape", ())) >= ranks.get(name, 1) for name, value in rows.items())


def is_one_row(rows: Any, features: Sequence[Feature] = ()) -> bool:
    """Says whether a dict of one row was passed, which asks for a single prediction."""
    return isinstance(rows, Mapping) and not _is_columns(rows, features)


def _is_columns(rows: Mapping[str, Any], features: Sequence[Feature]) -> bool:
    """Says whether a dict holds columns. A list or array is one row's value where the feature is a vector, or more."""
    if not rows or not all(isinstance(value, list | tuple) or is_array(value) for value in rows.values()):
        return False
    ranks = {feature.name: len(feature.shape or (-1,)) for feature in features if feature.type == "tensor"}
    return all(_depth(value) >= ranks.get(name, 1) for name, value in rows.items())


def _depth(value: Any) -> int:
    if is_array(value):
        return int(value.ndim)
    return 1 + (_depth(value[0]) if value else 0) if isinstance(value, list | tuple) else 0


def build(kind: str, rows: list[dict[str, Any]], features: Sequence[Feature]) -> Any:
    """Builds a ``dataframe``, an ``array``, ``tensors`` or ``rows`` from rows, with the columns in the model's order.

    :raises SignatureMismatch: naming missing and extra features.
    """
    if features:
        check(rows, features, optional=kind == "rows")
    names = [feature.name for feature in features]
    if kind == "rows":
        return [{name: row[name] for name in names if name in row} for row in rows] if names else rows
    names = names or list(dict.fromkeys(key for row in rows for key in row))
    if kind == "tensors":
        return _tensors(rows, features)
    if kind == "array":
        return _matrix(rows, names)
    return _dataframe(rows, names, {feature.name: feature for feature in features})


def check(rows: list[dict[str, Any]], features: Sequence[Feature], *, optional: bool = False) -> None:
    """Raises when a row lacks a feature or has one that the model does not know.

    :param optional: a feature that may be missing may be left out of a row.
    """
    names = [feature.name for feature in features]
    known, needed = set(names), [feature.name for feature in features if not (optional and feature.nullable)]
    for position, row in enumerate(rows):
        missing = [name for name in needed if name not in row]
        extra = [key for key in row if key not in known]
        if not missing and not extra:
            continue
        parts = [f"missing {_listed(missing)}"] if missing else []
        parts += [f"unknown {_listed(extra)}"] if extra else []
        nearest = difflib.get_close_matches(str(extra[0]), missing or names, n=1) if extra else []
        raise SignatureMismatch(
            f"row {position} does not fit the model: {'; '.join(parts)}",
            code="signature-mismatch",
            nearest=nearest[0] if nearest else None,
            hint=f"a row has {_listed(names)}",
            details={"missing": missing, "extra": extra},
        )


def _listed(names: Sequence[object]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown


def _matrix(rows: list[dict[str, Any]], names: Sequence[str]) -> Any:
    import numpy

    cells = [[row.get(name) for name in names] for row in rows]
    numeric = all(cell is None or isinstance(cell, int | float) for row in cells for cell in row)
    if not numeric:
        return numpy.array(cells, dtype=object)
    return numpy.array([[float("nan") if cell is None else cell for cell in row] for row in cells]).reshape(len(rows), len(names))


def _tensors(rows: list[dict[str, Any]], features: Sequence[Feature]) -> Any:
    import numpy

    dtypes = {"BYTES": object, "BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64"}
    arrays = {}
    for feature in features:
        kind: Any = dtypes.get(feature.dtype or "", (feature.dtype or "float64").lower())
        arrays[feature.name] = numpy.array([row[feature.name] for row in rows], dtype=kind)
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def _dataframe(rows: list[dict[str, Any]], names: Sequence[str], features: Mapping[str, Feature]) -> Any:
    pandas = _pandas()
    columns = {name: _series(pandas, [row.get(name) for row in rows], features.get(name)) for name in names}
    return pandas.DataFrame(columns, columns=list(names))


def _series(pandas: Any, values: list[Any], feature: Feature | None) -> Any:
    kind = feature.type if feature is not None else None
    if kind == "float":
        return pandas.Series([float("nan") if value is None else value for value in values], dtype="float64")
    if kind == "datetime":
        return pandas.Series(datetimes(values, feature.timezone if feature is not None else None))
    if kind == "integer" and not any(is_missing(value) for value in values):
        return pandas.Series(values, dtype="int64") if all(isinstance(value, int) for value in values) else pandas.Series(values)
    if kind in {"string", "categorical"}:
        return pandas.Series([float("nan") if value is None else value for value in values], dtype="object")
    return pandas.Series(values)


def as_made(data: Any, kind: str, features: Sequence[Feature]) -> Any:
    """Gives data that is not rows by name as the model takes it.

    A DataFrame's columns come in the model's order; lists become an array, and lists and arrays a DataFrame where the
    model wants names.

    :raises SignatureMismatch: for rows of another width than the model's.
    """
    if is_dataframe(data):
        return _in_order(data, features)
    _check_made(data, kind, features)
    if kind == "tensors":
        return data
    listed = _as_lists(data, kind, features)
    if listed is not None:
        names = [feature.name for feature in features]
        return build(kind, [dict(zip(names, row, strict=True)) for row in listed], features)
    if kind == "dataframe" and is_array(data) and data.ndim == 2 and _are_columns(features):
        return _pandas().DataFrame(data, columns=[feature.name for feature in features])
    # Texts and rows go as they are: a process that only reads texts has no pandas to make a table with.
    if not isinstance(data, list | tuple) or kind in {"rows", "texts"}:
        return data
    if kind == "array":
        import numpy

        return numpy.asarray(data)
    return _pandas().DataFrame(data, columns=[feature.name for feature in features] or None)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as problem:
        raise EnvironmentMismatch(
            "the model takes a DataFrame, and there is no pandas in its environment",
            code="environment-mismatch",
            hint='pip install pandas   (for env="isolated": push it again with X= a DataFrame, or with pandas in env=[…])',
        ) from problem
    return pandas

def _are_columns(features: Sequence[Feature]) -> bool:
    return bool(features) and all(feature.type != "tensor" for feature in features)


def _as_lists(data: Any, kind: str, features: Sequence[Feature]) -> Sequence[Sequence[Any]] | None:
    """Gives rows that are lists of values in the order of the features; None for everything else."""
    if kind == "dataframe" and is_array(data) and data.ndim == 2 and data.dtype.kind == "O":
        data = data.tolist()
    if not isinstance(data, list | tuple) or not data or not _are_columns(features):
        return None
    if not all(isinstance(row, list | tuple) for row in data):
        return None
    wrong = next((place for place, row in enumerate(data) if len(row) != len(features)), None)
    if wrong is None:
        return data
    raise SignatureMismatch(
        f"row {wrong} has {len(data[wrong])} values; the model takes {len(features)}",
        code="signature-mismatch",
        hint=f"a row has {_listed([feature.name for feature in features])}",
    )


def _check_made(data: Any, kind: str, features: Sequence[Feature]) -> None:
    """Refuses what no framework takes as rows, and a matrix of another width than the model's.

    :raises SignatureMismatch: in place of what the framework would say from far inside.
    """
    names = [feature.name for feature in features]
    hint = f"a row has {_listed(names)}" if names else "model.predict([{…}, …]), a DataFrame or an array"
    if data is None or isinstance(data, bool | int | float | complex) or (isinstance(data, str | bytes) and kind in {"array", "dataframe"}):
        raise SignatureMismatch(f"{data!r} is no row: predict takes rows", code="signature-mismatch", hint=hint)
    shape = getattr(data, "shape", None)
    flat = kind in {"array", "dataframe"} and names and all(feature.type != "tensor" for feature in features)
    if flat and isinstance(shape, tuple) and len(shape) == 2 and shape[1] != len(names):
        raise SignatureMismatch(f"the array has {shape[1]} columns; the model takes {len(names)}", code="signature-mismatch", hint=hint)


def _in_order(frame: Any, features: Sequence[Feature]) -> Any:
    names = [feature.name for feature in features]
    columns = column_names(frame)
    if not names or columns == names or (len(features) == 1 and features[0].type == "tensor"):
        return frame
    missing = [name for name in names if name not in columns]
    if not missing:
        return frame.iloc[:, [columns.index(name) for name in names]]
    raise SignatureMismatch(
        f"the DataFrame lacks {_listed(missing)}", code="signature-mismatch", hint=f"its columns are {_listed(columns)}"
    )


_ONNX_DTYPES = {"float": "float32", "double": "float64", "int64": "int64", "int32": "int32", "bool": "bool", "string": "object"}


def onnx_array(data: Any, declared: str) -> Any:
    """Gives data as an array of the element type that an ONNX graph declares (``tensor(float)``)."""
    import numpy

    return numpy.asarray(data, dtype=_ONNX_DTYPES.get(declared.removeprefix("tensor(").removesuffix(")"), None))


def onnx_inputs(session: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Gives rows as the arrays that an ONNX graph declares: one a named input, or all columns as its only one."""
    wanted = session.get_inputs()
    if len(wanted) == 1 and rows and wanted[0].name not in rows[0]:
        return {wanted[0].name: onnx_array([list(row.values()) for row in rows], wanted[0].type)}
    arrays = {}
    for declared in wanted:
        array = onnx_array([row[declared.name] for row in rows], declared.type)
        arrays[declared.name] = array.reshape(len(rows), 1) if array.ndim == 1 and len(declared.shape) == 2 else array
    return arrays
