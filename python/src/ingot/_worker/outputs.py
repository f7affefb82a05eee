"""What ``predict`` returned to named output tensors: arrays, lists, frames, dicts, scalars, sparse, torch."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .frames import FORMATS, Tensor, pack_text

__all__ = ["WrongOutput", "to_tensors"]

Feature = dict[str, Any]

_DECLARED = {"float": "FP64", "integer": "INT64", "boolean": "BOOL", "string": "BYTES", "categorical": "BYTES"}
_BY_KIND = {"i": "INT", "u": "UINT", "f": "FP"}
_NUMPY = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2",
    "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


class WrongOutput(Exception):
    """The model returned something that cannot be the answer to the request."""


def to_tensors(result: Any, rows: int | None, features: Sequence[Feature], method: str) -> list[Tensor]:
    """Names and encodes a result. ``rows`` is checked unless None; ``features`` are the declared outputs."""
    found = _each_output(result, rows) if method.startswith("predict_") else None
    columns = _named(found or _columns(_plain(result), rows, features), features, method)
    for name, values, _ in columns:
        if rows is not None and len(values) != rows:
            raise WrongOutput(f"{method} returned {len(values)} results for {rows} rows (output {name!r})")
    return [_encode(name, values, feature) for name, values, feature in columns]


def _each_output(result: Any, rows: int | None) -> list[tuple[str | None, Any]] | None:
    """Takes probabilities of several outputs apart: scikit-learn gives a list with one array an output, not one a row."""
    if not isinstance(result, list) or len(result) < 2 or rows is None:
        return None
    if all(getattr(part, "ndim", 0) == 2 and part.shape[0] == rows for part in result):
        return [(None, part) for part in result]
    return None


def _plain(result: Any) -> Any:
    """Brings framework types to numpy or Python ones."""
    if hasattr(result, "detach"):
        result = result.detach().cpu()
    if hasattr(result, "toarray") and hasattr(result, "nnz"):
        return result.toarray()
    if hasattr(result, "iloc"):
        return result
    if not hasattr(result, "dtype") and hasattr(result, "__array__") and not isinstance(result, (list, tuple, dict)):
        import numpy as np  # noqa: PLC0415

        return np.asarray(result)
    if hasattr(result, "numpy") and callable(result.numpy):
        return result.numpy()
    if isinstance(result, Iterable) and not hasattr(result, "__len__"):
        return list(result)
    return result


def _columns(result: Any, rows: int | None, features: Sequence[Feature]) -> list[tuple[str | None, Any]]:
    """Splits a result into columns; a column without a name of its own has None."""
    if result is None:
        raise WrongOutput("predict returned None")
    if hasattr(result, "iloc") and hasattr(result, "columns"):
        return [(str(name), result.iloc[:, index].to_numpy()) for index, name in enumerate(result.columns)]
    if hasattr(result, "to_numpy"):
        return [(None, result.to_numpy())]
    if isinstance(result, Mapping):
        return [(str(name), _at_least_1d(_plain(values), rows)) for name, values in result.items()]
    if isinstance(result, (list, tuple)) and result and isinstance(result[0], Mapping):
        names = list(dict.fromkeys(str(name) for row in result for name in row))
        return [(name, [row.get(name) for row in result]) for name in names]
    if isinstance(result, tuple) and len(result) == len(features) > 1:
        return [(None, _at_least_1d(_plain(values), rows)) for values in result]
    return _split(_at_least_1d(result, rows), features)


def _at_least_1d(values: Any, rows: int | None) -> Any:
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if hasattr(values, "ndim"):
        return values.reshape(1) if values.ndim == 0 and rows in (1, None) else _checked(values)
    if isinstance(values, tuple):
        return list(values)
    if isinstance(values, list):
        return values
    if rows in (1, None):
        return [values]
    raise WrongOutput(f"predict returned a single {type(values).__name__} for {rows} rows")


def _checked(array: Any) -> Any:
    if array.ndim == 0:
        raise WrongOutput("predict returned a single value for several rows")
    return array


def _split(values: Any, features: Sequence[Feature]) -> list[tuple[str | None, Any]]:
    """Takes a two-dimensional result apart when each declared output is one of its columns."""
    shape = _shape(values)
    scalar = [feature for feature in features if feature.get("type") != "tensor"]
    if len(shape) != 2 or len(scalar) != len(features) or not _is_even(values, shape[1]):
        return [(None, values)]
    if shape[1] == len(features) or (shape[1] == 1 and not features):
        return [(None, _take(values, index)) for index in range(shape[1])]
    return [(None, values)]


def _take(values: Any, index: int) -> Any:
    return values[:, index] if hasattr(values, "ndim") else [row[index] for row in values]


def _is_even(values: Any, width: int) -> bool:
    """Whether every row of a list has ``width`` entries, so that taking columns loses nothing."""
    return hasattr(values, "ndim") or all(isinstance(row, (list, tuple)) and len(row) == width for row in values)


def _named(
    columns: list[tuple[str | None, Any]], features: Sequence[Feature], method: str
) -> list[tuple[str, Any, Feature | None]]:
    by_name = {name: values for name, values in columns if name is not None}
    declared = [feature["name"] for feature in features]
    if features and all(name in by_name for name in declared):
        return [(feature["name"], by_name[feature["name"]], feature) for feature in features]
    if len(columns) == len(features):
        return [(feature["name"], values, feature) for feature, (_, values) in zip(features, columns)]
    if features and method == "predict":
        found = f"columns {', '.join(by_name)}" if by_name else _described(columns[0][1])
        raise WrongOutput(f"predict returned {found}; the package declares {', '.join(declared)}")
    if len(columns) == 1 and columns[0][0] is None:
        return [("output" if method == "predict" else method, columns[0][1], None)]
    return [(name or f"output_{index}", values, None) for index, (name, values) in enumerate(columns)]


def _described(values: Any) -> str:
    return f"an array of shape {'x'.join(str(size) for size in _shape(values))}"


def _shape(values: Any) -> tuple[int, ...]:
    if hasattr(values, "shape"):
        return tuple(values.shape)
    shape = [len(values)]
    level = values
    while level and isinstance(level[0], (list, tuple)):
        level = level[0]
        shape.append(len(level))
    return tuple(shape)


def _encode(name: str, values: Any, feature: Feature | None) -> Tensor:
    wanted = _wanted(feature)
    if hasattr(values, "dtype") and hasattr(values, "reshape"):
        return _encode_array(name, values, wanted)
    if any(hasattr(value, "dtype") and getattr(value, "ndim", 0) > 0 for value in values):
        import numpy as np  # noqa: PLC0415

        return _encode_array(name, np.stack([np.asarray(value) for value in values]), wanted)
    if _tells_more_than_numbers(values):
        return _encode_list(name, (len(values),), list(values), "BYTES")
    shape = _shape(values)
    flat = _flatten(values, len(shape))
    size = 1
    for length in shape:
        size *= length
    if len(flat) != size:
        raise WrongOutput(f"output {name!r} has rows of different lengths")
    return _encode_list(name, shape, flat, wanted)


def _tells_more_than_numbers(values: Any) -> bool:
    """Whether rows are lists of objects, or of as many texts as there happen to be: each becomes one text of JSON."""
    lists = [value for value in values if isinstance(value, list)]
    cells = [cell for value in lists for cell in value]
    if len(lists) < len(values) or not lists:
        return False
    # A text without entities is told as one with some: as JSON.
    if not cells or any(isinstance(cell, Mapping) for cell in cells):
        return True
    return len({len(value) for value in lists}) > 1 and all(isinstance(cell, str) for cell in cells)


def _wanted(feature: Feature | None) -> str | None:
    if feature is None:
        return None
    return feature.get("dtype") if feature.get("type") == "tensor" else _DECLARED.get(feature.get("type", ""))


def _flatten(values: Any, depth: int) -> list[Any]:
    for _ in range(depth - 1):
        if not all(isinstance(inner, (list, tuple)) for inner in values):
            return []
        values = [item for inner in values for item in inner]
    return [value.item() if hasattr(value, "dtype") else value for value in values]


def _encode_array(name: str, array: Any, wanted: str | None) -> Tensor:
    import numpy as np  # noqa: PLC0415

    array = np.asarray(array)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        if array.dtype.kind == "M":
            array = np.datetime_as_string(array)
        elif array.dtype.kind in "gf":
            return _encode_array(name, array.astype("<f8"), wanted)
        return _encode_list(name, array.shape, array.ravel().tolist(), wanted)
    natural = "BOOL" if array.dtype.kind == "b" else f"{_BY_KIND[array.dtype.kind]}{8 * array.dtype.itemsize}"
    datatype = _settled(natural, wanted, lambda: bool((array == np.floor(array)).all()))
    if datatype == "BYTES":
        return _encode_list(name, array.shape, array.ravel().tolist(), wanted)
    data = np.ascontiguousarray(array, dtype=_NUMPY[datatype])
    return Tensor(name, datatype, array.shape, data.reshape(-1).view("u1").data)


def _settled(natural: str, wanted: str | None, is_whole: Any) -> str:
    """The datatype to send: the declared one unless that would lose something."""
    if wanted is None or wanted == natural:
        return natural
    if natural.startswith("FP") and not wanted.startswith(("FP", "BYTES")) and not is_whole():
        return "FP64"
    return wanted


def _encode_list(name: str, shape: Sequence[int], flat: list[Any], wanted: str | None) -> Tensor:
    natural = _natural(flat)
    if natural == "BYTES" or wanted == "BYTES":
        texts = [_text(value) for value in flat]
        return Tensor(name, "BYTES", shape, pack_text(texts))
    numbers = [float("nan") if value is None else value for value in flat]
    datatype = _settled(natural, wanted, lambda: all(float(value).is_integer() for value in numbers))
    code, _ = FORMATS[datatype]
    if not datatype.startswith("FP"):
        numbers = [int(value) for value in numbers]
    return Tensor(name, datatype, shape, struct.pack(f"<{len(numbers)}{code}", *numbers))


def _natural(flat: list[Any]) -> str:
    kinds = {type(value) for value in flat}
    if kinds == {bool}:
        return "BOOL"
    if kinds and all(issubclass(kind, int) for kind in kinds):
        return "INT64" if all(-(1 << 63) <= value < 1 << 63 for value in flat) else "FP64"
    known = kinds - {type(None)}
    if known and all(issubclass(kind, (int, float)) for kind in known):
        return "FP64"
    return "BYTES"


def _number_or_text(value: Any) -> Any:
    """Numbers of numpy and torch inside of a row stay numbers (the score of an entity)."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    return plain if isinstance(plain, (bool, int, float, str, list)) else str(value)


def _text(value: Any) -> Any:
    if value is None or isinstance(value, (str, bytes)):
        return value
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        import json  # noqa: PLC0415

        return json.dumps(value, default=_number_or_text)
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
