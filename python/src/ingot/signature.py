"""What goes into a model and what comes out: one *feature* a named input or output, a *signature* all of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._worker.frames import DATATYPES
from .kinds import is_array, is_dataframe, is_missing, is_series, loaded, plain

#: More columns than this in an array without names are described as one tensor.
MAX_ARRAY_FEATURES = 1024
#: Categories beyond this number are not listed; the feature is a string then.
MAX_CATEGORIES = 200
#: A category that fewer rows share is not listed, and neither are the others then, where there are many rows.
SHARED_BY, MANY_ROWS, FEW_CATEGORIES = 5, 50, 5


@dataclass(frozen=True)
class Feature:
    """One named input or output."""

    name: str
    #: ``float``, ``integer``, ``boolean``, ``string``, ``categorical``, ``datetime`` or ``tensor``.
    type: str
    description: str | None = None
    categories: tuple[Any, ...] | None = None
    #: Element type of a tensor.
    dtype: str | None = None
    #: Shape of a tensor, batch dimension first, -1 where it varies.
    shape: tuple[int, ...] | None = None
    #: Whether a missing value is allowed; None: not known.
    nullable: bool | None = None
    min: float | None = None
    max: float | None = None
    format: str | None = None
    #: The zone of a datetime: moments come to the model in it, and times without an offset are in it.
    timezone: str | None = None
    classes: tuple[Any, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Gives the feature as the engine reads it; what is not known is left out."""
        return {key: list(item) if isinstance(item, tuple) else item for key, item in vars(self).items() if item is not None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Feature:
        """Reads a feature; keys this release does not know are ignored."""
        known: dict[str, Any] = {}
        for key in cls.__dataclass_fields__:
            if key in document:
                known[key] = tuple(document[key]) if isinstance(document[key], list) else document[key]
        return cls(**known)


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model, in the order the model takes them."""

    inputs: tuple[Feature, ...] = ()
    outputs: tuple[Feature, ...] = ()
    #: ``metadata``, ``graph`` or ``captured``.
    origin: str = "captured"
    #: Only part of it is known: an estimator without training data.
    partial: bool = False

    def to_json(self) -> dict[str, Any]:
        """Gives the signature as the engine reads it."""
        document: dict[str, Any] = {
            "inputs": [feature.to_json() for feature in self.inputs],
            "outputs": [feature.to_json() for feature in self.outputs],
            "origin": self.origin,
        }
        return {**document, "partial": True} if self.partial else document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Signature:
        """Reads a signature from a document of the engine."""
        return cls(
            inputs=tuple(Feature.from_json(feature) for feature in document.get("inputs") or ()),
            outputs=tuple(Feature.from_json(feature) for feature in document.get("outputs") or ()),
            origin=str(document.get("origin") or "captured"),
            partial=document.get("partial") is True,
        )


def infer_inputs(data: Any, names: Sequence[str] | None = None) -> tuple[Feature, ...]:
    """Describes the columns of training data: a DataFrame, an array, a list of dicts, of rows, or of texts.

    Ranges and categories are kept, rows never are.

    >>> [feature.to_json() for feature in infer_inputs([{"age": 41, "plan": "pro"}, {"age": 33, "plan": None}])]
    [{'name': 'age', 'type': 'integer', 'min': 33, 'max': 41}, {'name': 'plan', 'type': 'string', 'nullable': True}]
    """
    if is_dataframe(data):
        return tuple(_series_feature(name, data.iloc[:, position]) for position, name in enumerate(column_names(data)))
    if is_series(data):
        return _one_dimensional(str(data.name or "text"), data.tolist())
    if is_array(data) or _is_sparse(data):
        return _array_features(data, names)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes) and len(data) > 0:
        return _sequence_features(data, names)
    return ()


def infer_tensors(data: Any, name: str = "x", *, floats: str | None = None) -> tuple[Feature, ...]:
    """Describes an array, or arrays by name, as tensors of any number of rows; nothing for other data.

    ``floats`` stands in place of ``FP64``: a net takes numbers of its own weights' type. Rows of whole numbers are
    sequences (of words), which are of any length.

    >>> import numpy
    >>> infer_tensors({"pixels": numpy.zeros((8, 5, 3), "uint8")})[0].to_json()
    {'name': 'pixels', 'type': 'tensor', 'dtype': 'UINT8', 'shape': [-1, 5, 3]}
    >>> infer_tensors(numpy.zeros((8, 5), "int64"))[0].shape
    (-1, -1)
    """
    arrays = data if isinstance(data, Mapping) else {name: data}
    if not all(is_array(array) and array.ndim > 0 for array in arrays.values()):
        return ()
    found = [(str(key), DATATYPES.get(str(array.dtype), "BYTES"), array.shape) for key, array in arrays.items()]
    return tuple(
        Feature(key, "tensor", dtype=floats if floats and dtype == "FP64" else dtype, shape=_tensor_shape(dtype, shape))
        for key, dtype, shape in found
    )


def _tensor_shape(dtype: str, shape: Sequence[int]) -> tuple[int, ...]:
    if len(shape) == 2 and dtype in {"INT32", "INT64"}:
        return (-1, -1)
    return (-1, *(int(size) for size in shape[1:]))


def column_names(frame: Any) -> list[str]:
    """Gives a DataFrame's columns as the names of features: text, and each only once (``a``, ``a_2``)."""
    names: dict[str, None] = {}
    for column in frame.columns:
        text, count = str(column), 1
        while text in names:
            count += 1
            text = f"{column}_{count}"
        names[text] = None
    return list(names)


def _sequence_features(data: Sequence[Any], names: Sequence[str] | None) -> tuple[Feature, ...]:
    if all(isinstance(row, Mapping) for row in data):
        keys = dict.fromkeys(str(key) for row in data for key in row)
        return tuple(describe_values(key, [row.get(key) for row in data]) for key in keys)
    if all(isinstance(row, Sequence) and not isinstance(row, str | bytes) for row in data):
        width = max(len(row) for row in data)
        labels = _names(names, width)
        columns = [[row[index] if index < len(row) else None for row in data] for index in range(width)]
        return tuple(describe_values(label, column) for label, column in zip(labels, columns, strict=True))
    return _one_dimensional("text" if isinstance(data[0], str) else "x", list(data))


def _one_dimensional(name: str, values: list[Any]) -> tuple[Feature, ...]:
    """Describes a model that takes one value a row as a plain sequence, as text pipelines do."""
    kind = describe_values(name, values)
    dtype = {"integer": "INT64", "float": "FP64", "boolean": "BOOL"}.get(kind.type, "BYTES")
    return (Feature(name, "tensor", dtype=dtype, shape=(-1,)),)


def _array_features(data: Any, names: Sequence[str] | None) -> tuple[Feature, ...]:
    shape = tuple(int(length) for length in data.shape)
    if len(shape) == 1 and data.dtype.kind in "OUS":
        return _one_dimensional("text", data.tolist())
    if len(shape) != 2 or (names is None and shape[1] > MAX_ARRAY_FEATURES):
        dtype = DATATYPES.get(str(data.dtype), "BYTES")
        return (Feature("x", "tensor", dtype=dtype, shape=(-1, *shape[1:])),)
    if _is_sparse(data):
        kind = _type_of_dtype(data.dtype)
        return tuple(Feature(name, kind) for name in _names(names, shape[1]))
    return tuple(_array_column(name, data[:, index]) for index, name in enumerate(_names(names, shape[1])))


def _array_column(name: str, column: Any) -> Feature:
    if column.dtype.kind in "OUS":
        return describe_values(name, column.tolist())
    kind = _type_of_dtype(column.dtype)
    if kind not in {"integer", "float"}:
        return Feature(name, kind)
    return _ranged(name, kind, column, missing=bool(column.dtype.kind == "f" and (column != column).any()))


def _series_feature(name: str, series: Any) -> Feature:
    missing = bool(series.isna().any())
    nullable = True if missing else None
    if str(series.dtype) == "category":
        categories = plain(series.cat.categories)
        if len(categories) <= MAX_CATEGORIES and not _tells_of_persons(series, len(categories)):
            return Feature(name, "categorical", categories=tuple(categories), nullable=nullable)
        return Feature(name, "string", nullable=nullable)
    kind = _type_of_dtype(series.dtype)
    if kind in {"integer", "float"}:
        return _ranged(name, kind, series.dropna(), missing=missing)
    if str(series.dtype) == "object":
        return describe_values(name, series.tolist())
    zone = getattr(series.dtype, "tz", None) if kind == "datetime" else None
    return Feature(name, kind, nullable=nullable, timezone=None if zone is None else str(zone))


def _tells_of_persons(series: Any, categories: int) -> bool:
    """Says whether categories are rather names: a list of them would tell who is in the data.

    One that fewer than five of many rows share is enough. In a handful of rows everything is rare; there categories
    count as a list of choices while rows share them.
    """
    rows = len(series)
    if rows < MANY_ROWS:
        return categories > FEW_CATEGORIES and 2 * categories > rows
    codes = series.cat.codes
    shared = codes[codes >= 0].value_counts()
    return bool((shared < SHARED_BY).any())


def _ranged(name: str, kind: str, column: Any, *, missing: bool) -> Feature:
    known = column[column == column]
    bounds = [known.min(), known.max()] if len(known) > 0 else []
    finite = bool(bounds) and all(math.isfinite(float(bound)) for bound in bounds)
    low, high = (int(bound) if kind == "integer" else float(bound) for bound in bounds) if finite else (None, None)
    return Feature(name, kind, nullable=True if missing else None, min=low, max=high)


def _type_of_dtype(dtype: Any) -> str:
    text = str(dtype).lower()
    if text.startswith(("datetime", "timestamp", "date")):
        return "datetime"
    kind = getattr(dtype, "kind", "O")
    return {"b": "boolean", "i": "integer", "u": "integer", "f": "float", "M": "datetime"}.get(kind, "string")


def describe_values(name: str, values: Sequence[Any]) -> Feature:
    """Describes a column of plain Python values.

    >>> describe_values("score", [0.5, None, 1]).to_json()
    {'name': 'score', 'type': 'float', 'nullable': True, 'min': 0.5, 'max': 1.0}
    """
    known = [value for value in plain(list(values)) if not is_missing(value)]
    nullable = True if len(known) < len(values) else None
    if known and all(isinstance(value, bool) for value in known):
        return Feature(name, "boolean", nullable=nullable)
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        whole = all(isinstance(value, int) for value in known)
        low, high = min(known), max(known)
        bounds = (low, high) if whole else (float(low), float(high))
        finite = all(math.isfinite(bound) for bound in bounds)
        return Feature(
            name,
            "integer" if whole else "float",
            nullable=nullable,
            min=bounds[0] if finite else None,
            max=bounds[1] if finite else None,
        )
    if any(isinstance(value, list) for value in known):
        numpy = loaded("numpy")
        array = numpy.asarray(known) if numpy is not None else None
        if array is not None and str(array.dtype) in DATATYPES:
            return Feature(name, "tensor", dtype=DATATYPES[str(array.dtype)], shape=(-1, *array.shape[1:]))
    return Feature(name, "string", nullable=nullable)


def infer_outputs(answer: Any, model: Any = None, target: Any = None) -> tuple[Feature, ...]:
    """Describes what ``predict`` answered to a few rows; a classifier's classes become categories.

    Nothing is said of answers without a common shape (the entities found in each text): they are served as they come.
    """
    try:
        return _outputs(answer, model, target)
    except ValueError:  # numpy refuses to make an array of rows of different lengths
        return ()


def _outputs(answer: Any, model: Any, target: Any) -> tuple[Feature, ...]:
    names = _target_names(target)
    if is_dataframe(answer):
        return tuple(_unranged(feature) for feature in infer_inputs(answer))
    values = plain(answer)
    if isinstance(values, dict) and values and all(isinstance(column, list) for column in values.values()):
        return tuple(_unranged(describe_values(key, column)) for key, column in values.items())
    if not isinstance(values, list) or not values:
        return ()
    if all(isinstance(value, dict) for value in values):
        return tuple(_unranged(feature) for feature in infer_inputs(values))
    if isinstance(values[0], list):
        return _multi_output(values, model, names)
    return (_output(names[0] if len(names) == 1 else "prediction", values, getattr(model, "classes_", None)),)


def _multi_output(values: list[Any], model: Any, names: Sequence[str]) -> tuple[Feature, ...]:
    width = len(values[0])
    if any(not isinstance(row, list) or len(row) != width or any(isinstance(cell, list) for cell in row) for row in values):
        return (_unranged(describe_values("prediction", values)),)
    labels = list(names) if len(names) == width else [f"prediction_{index}" for index in range(width)]
    classes = getattr(model, "classes_", None)
    each = classes if isinstance(classes, list) and len(classes) == width else [None] * width
    columns = [[row[index] for row in values] for index in range(width)]
    return tuple(_output(label, column, known) for label, column, known in zip(labels, columns, each, strict=True))


def _output(name: str, values: list[Any], classes: Any) -> Feature:
    feature = _unranged(describe_values(name, values))
    if classes is None or isinstance(classes, list):
        return feature
    known = plain(classes)
    # A ranker may tell classes, and have none.
    if known and all(isinstance(item, str) for item in known) and len(known) <= MAX_CATEGORIES:
        return Feature(name, "categorical", categories=tuple(known))
    return feature


def _unranged(feature: Feature) -> Feature:
    """The range of a few predictions says nothing about the next one, nor does a missing value among them."""
    return Feature(feature.name, feature.type, categories=feature.categories, dtype=feature.dtype, shape=feature.shape)


def _target_names(target: Any) -> list[str]:
    if is_dataframe(target):
        return [str(name) for name in target.columns]
    return [str(target.name)] if is_series(target) and target.name is not None else []


def _names(names: Sequence[str] | None, width: int) -> list[str]:
    if names is not None and len(names) == width:
        return [str(name) for name in names]
    return [f"x{index}" for index in range(width)]


def _is_sparse(value: Any) -> bool:
    return hasattr(value, "nnz") and hasattr(value, "shape")
