"""Python values as frames carry them between two processes, so that nothing is ever unpickled.

``encode(value)`` gives tensors: the first is a JSON description, the others are the raw bytes that it points at by number.
``decode(tensors)`` gives the value back. What JSON says is itself; an object with the key ``$`` is something else::

    [1, 2.5, {"a": null}]
    {"$": "array", "dtype": "<f8", "shape": [3, 2], "at": 1}
    {"$": "scalar", "dtype": "<f8", "hex": "0000000000000440"}
    {"$": "frame", "columns": …, "index": …, "values": [{"$": "array", …}, {"$": "categories", …}]}

Carried are numbers, text, bytes, dates, lists, tuples, sets, dicts; numpy arrays and scalars; pandas frames, series and
indexes with their dtypes; scipy sparse matrices; torch tensors. Where the receiver lacks the library, an array arrives as
nested lists and a frame as rows. The libraries' versions may differ on the two sides.
"""

from __future__ import annotations

import datetime
import decimal
import importlib
import json
import sys
from collections.abc import Mapping
from typing import Any

from .frames import MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, Tensor

__all__ = ["FrameRows", "NotCarried", "decode", "encode"]

_BY_TEXT = {
    "datetime": (datetime.datetime, lambda value: value.isoformat(), datetime.datetime.fromisoformat),
    "date": (datetime.date, lambda value: value.isoformat(), datetime.date.fromisoformat),
    "time": (datetime.time, lambda value: value.isoformat(), datetime.time.fromisoformat),
    "decimal": (decimal.Decimal, str, decimal.Decimal),
    "complex": (complex, repr, complex),
}  # fmt: skip
#: What a frame's header says of one tensor, at most.
_DESCRIBED_BYTES = 96
_SEQUENCES = {"tuple": tuple, "set": set, "frozenset": frozenset}


class NotCarried(TypeError):
    """A value that cannot be sent to another process; the message says which and where it is."""


class FrameRows(list[Any]):
    """Rows that were sent as a DataFrame, for somebody without pandas."""


def encode(value: Any) -> list[Tensor]:
    """Describes a value. Raises NotCarried for one that cannot be sent, naming its place, or when it is too large."""
    writer = _Writer()
    text = json.dumps(writer.describe(value, "the value")).encode("ascii")
    tensors = [Tensor("value", "UINT8", [len(text)], text), *writer.tensors]
    size = sum(len(tensor.data) for tensor in tensors)
    if size > MAX_PAYLOAD_BYTES - 64 * len(tensors):
        raise NotCarried(f"{size} bytes are more than one call can carry; ask with fewer rows")
    if len(tensors) * _DESCRIBED_BYTES > MAX_HEADER_BYTES:
        raise NotCarried(f"{len(tensors) - 1} arrays are more than one call can carry; ask with fewer rows")
    return tensors


def decode(tensors: list[Tensor]) -> Any:
    """Gives the value that :func:`encode` described."""
    _missing.clear()  # it may have been installed since
    return _Reader(tensors).read(json.loads(bytes(tensors[0].data)))


class _Writer:
    def __init__(self) -> None:
        self.tensors: list[Tensor] = []

    def describe(self, value: Any, where: str) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if kind is list:
            return [self.describe(item, f"{where}[{n}]") for n, item in enumerate(value)]
        if kind is dict and "$" not in value and all(type(key) is str for key in value):
            return {key: self.describe(item, f"{where}[{key!r}]") for key, item in value.items()}
        made = self._framework(value, where) or self._standard(value, where)
        if made is None:
            raise NotCarried(f"{where} is a {kind.__module__}.{kind.__qualname__}, which cannot be sent to another process")
        return made

    def _raw(self, data: Any) -> int:
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        self.tensors.append(Tensor(f"t{len(self.tensors)}", "UINT8", [len(view)], view))
        return len(self.tensors)

    def _standard(self, value: Any, where: str) -> Any:
        for name, (kind, write, _) in _BY_TEXT.items():
            if type(value) is kind:
                return {"$": name, "text": write(value)}
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$": "bytes", "at": self._raw(bytes(value))}
        if isinstance(value, datetime.timedelta):
            return {"$": "timedelta", "of": [value.days, value.seconds, value.microseconds]}
        if isinstance(value, Mapping):
            items = [[self.describe(key, where), self.describe(item, f"{where}[{key!r}]")] for key, item in value.items()]
            return {"$": "dict", "of": items}
        for name, kind in (*_SEQUENCES.items(), ("list", list)):
            if isinstance(value, kind):
                return {"$": name, "of": [self.describe(item, f"{where}[{n}]") for n, item in enumerate(value)]}
        for kind in (bool, int, float, str):
            if isinstance(value, kind):  # a subclass, like an enumeration's member
                return kind(value)
        return None

    def _framework(self, value: Any, where: str) -> Any:
        modules = {base.__module__.partition(".")[0] for base in type(value).__mro__}
        if "pandas" in modules:
            return self._pandas(value, where)
        if "numpy" in modules and hasattr(value, "dtype"):
            return self._numpy(value, where)
        if "scipy" in modules and hasattr(value, "nnz"):
            return self._sparse(value, where)
        if "torch" in modules and hasattr(value, "detach"):
            return self._torch(value, where)
        if hasattr(value, "__array__") and hasattr(value, "dtype"):  # what other libraries call arrays
            return self._numpy(value.__array__(), where)
        return None

    def _numpy(self, value: Any, where: str) -> Any:
        import numpy as np  # noqa: PLC0415

        array = np.asarray(value)
        if array.dtype.hasobject:
            listed = [self.describe(item, f"{where}[{n}]") for n, item in enumerate(array.ravel().tolist())]
            return {"$": "objects", "shape": list(array.shape), "of": listed}
        dtype = array.dtype.descr if array.dtype.names else array.dtype.str
        if isinstance(value, np.generic):  # a list may hold millions: none is a tensor of its own
            return {"$": "scalar", "dtype": dtype, "hex": array.tobytes().hex()}
        data = np.ascontiguousarray(array).reshape(-1).view("u1")
        return {"$": "array", "dtype": dtype, "shape": list(array.shape), "at": self._raw(data.data)}

    def _pandas(self, value: Any, where: str) -> Any:
        name = type(value).__name__
        if name in ("NAType", "NaTType"):
            return {"$": name}
        if hasattr(value, "columns"):
            columns = [self._values(value.iloc[:, n].array, f"{where}[{column!r}]") for n, column in enumerate(value.columns)]
            return {"$": "frame", "columns": self._index(value.columns, where), "index": self._index(value.index, where), "values": columns}
        if hasattr(value, "iloc"):
            return {
                "$": "series", "name": self.describe(value.name, where), "index": self._index(value.index, where),
                "values": self._values(value.array, where),
            }  # fmt: skip
        if hasattr(value, "get_indexer"):
            return {"$": "index", "index": self._index(value, where)}
        if name in ("Timestamp", "Timedelta"):
            zone = str(value.tz) if getattr(value, "tz", None) is not None else None
            return {"$": name, "value": int(value.value), "tz": zone}
        if name == "Period":
            return {"$": "Period", "ordinal": int(value.ordinal), "freq": value.freqstr}
        if name == "Interval":
            ends = [self.describe(end, where) for end in (value.left, value.right)]
            return {"$": "Interval", "of": ends, "closed": value.closed}
        if hasattr(value, "dtype") and hasattr(value, "take"):
            return {"$": "values", "values": self._values(value, where)}
        return None

    def _index(self, index: Any, where: str) -> Any:
        kind = type(index).__name__
        if kind == "RangeIndex":
            return {"range": [index.start, index.stop, index.step], "name": self.describe(index.name, where)}
        if kind == "MultiIndex":
            levels = [self._values(index.get_level_values(n).array, where) for n in range(index.nlevels)]
            return {"levels": levels, "names": self.describe(list(index.names), where)}
        return {"values": self._values(index.array, where), "name": self.describe(index.name, where)}

    def _values(self, values: Any, where: str) -> Any:
        """Describes a pandas array: what a column holds."""
        import numpy as np  # noqa: PLC0415

        dtype = values.dtype
        name = type(dtype).__name__
        # A plain column of numbers says of its dtype only that it wraps one of numpy.
        if isinstance(dtype, np.dtype) or name in ("NumpyEADtype", "PandasDtype"):
            return self._numpy(np.asarray(values), where)
        if name == "CategoricalDtype":
            categories = self._values(values.categories.array, where)
            return {"$": "categories", "codes": self._numpy(np.asarray(values.codes), where), "of": categories, "ordered": bool(values.ordered)}
        if name == "DatetimeTZDtype":
            return {"$": "zoned", "tz": str(dtype.tz), "unit": dtype.unit, "data": self._numpy(values.asi8, where)}
        if name == "PeriodDtype":
            return {"$": "periods", "dtype": str(dtype), "data": self._numpy(values.asi8, where)}
        if name == "IntervalDtype":
            left, right = (self._values(part.array, where) for part in (values.left, values.right))
            return {"$": "intervals", "left": left, "right": right, "closed": values.closed}
        if name == "SparseDtype":
            return {"$": "typed", "dtype": str(dtype), "data": self._numpy(np.asarray(values), where)}
        if hasattr(values, "_mask") and hasattr(values, "_data"):
            data = np.asarray(values._data)  # noqa: SLF001 - masked arrays keep values and mask apart, as they travel
            return {"$": "masked", "dtype": str(dtype), "data": self._numpy(data, where), "mask": self._numpy(np.asarray(values.isna()), where)}
        missing = values.isna()
        listed = [None if gone else self.describe(item, where) for item, gone in zip(values.tolist(), missing)]
        return {"$": "extension", "dtype": str(dtype), "of": listed}

    def _sparse(self, value: Any, where: str) -> Any:
        kind = type(value).__name__
        if value.format == "coo":
            parts = {"data": value.data, "row": value.row, "col": value.col}
        else:
            value = value if value.format in ("csr", "csc") else value.tocsr()
            parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr}
        described = {name: self._numpy(part, where) for name, part in parts.items()}
        return {"$": "sparse", "format": value.format, "of": kind.rpartition("_")[2], "shape": list(value.shape), **described}

    def _torch(self, value: Any, where: str) -> Any:
        plain = value.detach().cpu()
        dtype = str(plain.dtype).removeprefix("torch.")
        array = plain.float().numpy() if dtype == "bfloat16" else plain.numpy()
        return {"$": "torch", "dtype": dtype, "array": self._numpy(array, where)}


class _Reader:
    def __init__(self, tensors: list[Tensor]) -> None:
        self._tensors = tensors

    def read(self, told: Any) -> Any:
        if isinstance(told, list):
            return [self.read(item) for item in told]
        if not isinstance(told, dict):
            return told
        if "$" not in told:
            return {key: self.read(item) for key, item in told.items()}
        kind = told["$"]
        if kind in _BY_TEXT:
            return _BY_TEXT[kind][2](told["text"])
        if kind in _SEQUENCES:
            return _SEQUENCES[kind](self.read(item) for item in told["of"])
        return getattr(self, f"_{kind}")(told)

    def _list(self, told: Any) -> Any:
        return self.read(told["of"])

    def _dict(self, told: Any) -> Any:
        return {self.read(key): self.read(item) for key, item in told["of"]}

    def _bytes(self, told: Any) -> Any:
        return bytes(self._tensors[told["at"]].data)

    def _timedelta(self, told: Any) -> Any:
        return datetime.timedelta(*told["of"])

    def _array(self, told: Any) -> Any:
        data = self._tensors[told["at"]].data
        np = _library("numpy")
        if np is None:
            return _nested(data, told["dtype"], told["shape"])
        dtype = _dtype(np, told)
        return np.frombuffer(data, dtype).reshape(told["shape"]) if len(data) else np.empty(told["shape"], dtype)

    def _scalar(self, told: Any) -> Any:
        data = bytes.fromhex(told["hex"])
        np = _library("numpy")
        if np is None:
            return _nested(data, told["dtype"], [])
        return np.frombuffer(data, _dtype(np, told))[0] if data else np.zeros((), _dtype(np, told))[()]

    def _objects(self, told: Any) -> Any:
        items = self.read(told["of"])
        np = _library("numpy")
        if np is None:
            return _shaped(items, told["shape"])
        array = np.empty(len(items), dtype=object)
        for n, item in enumerate(items):
            array[n] = item
        return array.reshape(told["shape"])

    def _frame(self, told: Any) -> Any:
        columns = [self._column(values) for values in told["values"]]
        pd = _library("pandas")
        if pd is None:
            names = self._listed_index(told["columns"])
            lists = [column.tolist() if hasattr(column, "tolist") else column for column in columns]
            return FrameRows(dict(zip(names, row)) for row in zip(*lists))
        frame = pd.DataFrame(dict(enumerate(columns)), index=self._made_index(told["index"]), copy=False)
        frame.columns = self._made_index(told["columns"])
        return frame

    def _series(self, told: Any) -> Any:
        values = self._column(told["values"])
        pd = _library("pandas")
        if pd is None:
            return values.tolist() if hasattr(values, "tolist") else values
        return pd.Series(values, index=self._made_index(told["index"]), name=_hashable(self.read(told["name"])), copy=False)

    def _index(self, told: Any) -> Any:
        return self._listed_index(told["index"]) if _library("pandas") is None else self._made_index(told["index"])

    def _values(self, told: Any) -> Any:
        return self._column(told["values"])

    def _listed_index(self, told: Any) -> list[Any]:
        if "range" in told:
            return list(range(*told["range"]))
        if "levels" in told:
            return list(zip(*(self._column(level) for level in told["levels"])))
        values = self._column(told["values"])
        return list(values.tolist() if hasattr(values, "tolist") else values)

    def _made_index(self, told: Any) -> Any:
        import pandas as pd  # noqa: PLC0415

        if "range" in told:
            return pd.RangeIndex(*told["range"], name=_hashable(self.read(told["name"])))
        if "levels" in told:
            return pd.MultiIndex.from_arrays([self._column(level) for level in told["levels"]], names=self.read(told["names"]))
        values = self._column(told["values"])
        dtype = object if told["values"]["$"] == "objects" else None
        return pd.Index(values, dtype=dtype, name=_hashable(self.read(told["name"])))

    def _column(self, told: Any) -> Any:
        """Gives what a column is made of: a numpy array, or a pandas array where its dtype is one of pandas."""
        kind = told["$"]
        pd = _library("pandas")
        if kind in ("array", "objects") or pd is None:
            return self.read(told) if kind in ("array", "objects") else self._bare_column(told)
        if kind == "categories":
            categories = pd.Index(self._column(told["of"]), dtype=object if told["of"]["$"] == "objects" else None)
            return pd.Categorical.from_codes(self.read(told["codes"]), categories=categories, ordered=told["ordered"])
        if kind == "zoned":
            return pd.to_datetime(self.read(told["data"]), unit=told["unit"], utc=True).tz_convert(told["tz"]).as_unit(told["unit"]).array
        if kind == "masked":
            return pd.array(_masked(self.read(told["data"]), self.read(told["mask"])), dtype=told["dtype"])
        if kind == "periods":
            return pd.arrays.PeriodArray(self.read(told["data"]), dtype=told["dtype"])
        if kind == "intervals":
            left, right = (pd.Index(self._column(told[side])) for side in ("left", "right"))
            return pd.arrays.IntervalArray.from_arrays(left, right, closed=told["closed"])
        if kind == "typed":
            return pd.array(self.read(told["data"]), dtype=told["dtype"])
        return _extension(pd, self.read(told["of"]), told["dtype"])

    def _bare_column(self, told: Any) -> list[Any]:
        """A column for somebody without pandas."""
        if told["$"] == "categories":
            of = self._column(told["of"])
            return [None if code < 0 else of[code] for code in self.read(told["codes"])]
        if told["$"] == "masked":
            data = self.read(told["data"])
            listed = data.tolist() if hasattr(data, "tolist") else data
            return [None if gone else value for value, gone in zip(listed, self.read(told["mask"]))]
        if told["$"] == "zoned":
            scale = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[told["unit"]]
            return [datetime.datetime.fromtimestamp(int(value) / scale, datetime.timezone.utc) for value in self.read(told["data"])]
        if told["$"] == "typed":
            data = self.read(told["data"])
            return list(data.tolist() if hasattr(data, "tolist") else data)
        if told["$"] in ("periods", "intervals"):
            _need_pandas(f"a column of {told['$']}")
        return list(self.read(told["of"]))

    def _Period(self, told: Any) -> Any:  # noqa: N802
        return _need_pandas("a period").Period(ordinal=told["ordinal"], freq=told["freq"])

    def _Interval(self, told: Any) -> Any:  # noqa: N802
        left, right = self.read(told["of"])
        return _need_pandas("an interval").Interval(left, right, closed=told["closed"])

    def _NAType(self, _told: Any) -> Any:  # noqa: N802 - named as the kind is
        pd = _library("pandas")
        return None if pd is None else pd.NA

    def _NaTType(self, _told: Any) -> Any:  # noqa: N802
        pd = _library("pandas")
        return None if pd is None else pd.NaT

    def _Timestamp(self, told: Any) -> Any:  # noqa: N802
        pd = _library("pandas")
        if pd is not None:
            return pd.Timestamp(told["value"], tz="UTC").tz_convert(told["tz"])
        return datetime.datetime.fromtimestamp(told["value"] / 1e9, datetime.timezone.utc)

    def _Timedelta(self, told: Any) -> Any:  # noqa: N802
        pd = _library("pandas")
        return datetime.timedelta(microseconds=told["value"] / 1000) if pd is None else pd.Timedelta(told["value"])

    def _sparse(self, told: Any) -> Any:
        sparse = _library("scipy.sparse")
        if sparse is None:
            raise NotCarried("the model gave a sparse matrix, and scipy is not installed here")
        made = getattr(sparse, f"{told['format']}_{told['of']}", None) or getattr(sparse, f"{told['format']}_matrix")
        if told["format"] == "coo":
            return made((self.read(told["data"]), (self.read(told["row"]), self.read(told["col"]))), shape=tuple(told["shape"]))
        return made((self.read(told["data"]), self.read(told["indices"]), self.read(told["indptr"])), shape=tuple(told["shape"]))

    def _torch(self, told: Any) -> Any:
        array = self.read(told["array"])
        torch = _library("torch")
        return array if torch is None else torch.as_tensor(array).to(getattr(torch, told["dtype"]))


_missing: set[str] = set()


def _library(name: str) -> Any:
    """Imports a library where it is installed; one that is not is looked for once, not for every value."""
    if name in sys.modules:
        return sys.modules[name]
    if name in _missing:
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        _missing.add(name)
        return None


def _need_pandas(what: str) -> Any:
    pd = _library("pandas")
    if pd is None:
        raise NotCarried(f"{what} needs pandas on both sides, and only the one that sent it has it")
    return pd


def _dtype(np: Any, told: Any) -> Any:
    return np.dtype([tuple(field) for field in told["dtype"]] if isinstance(told["dtype"], list) else told["dtype"])


def _extension(pd: Any, values: list[Any], dtype: str) -> Any:
    # `str` is what pandas calls text since version 3; before, a column of text held objects.
    if dtype == "str" and int(pd.__version__.partition(".")[0]) < 3:
        return pd.Series(values, dtype=object).array
    try:
        return pd.array(values, dtype=dtype)
    except (TypeError, ImportError):
        return pd.Series(values, dtype=object).array


def _masked(data: Any, mask: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    if not mask.any():
        return data
    values = data.astype(object)
    values[np.asarray(mask)] = None
    return values


def _hashable(name: Any) -> Any:
    return tuple(name) if isinstance(name, list) else name


_FORMATS = {
    "|b1": "?", "|u1": "B", "|i1": "b", "<u2": "H", "<i2": "h", "<u4": "I", "<i4": "i", "<u8": "Q", "<i8": "q",
    "<f2": "e", "<f4": "f", "<f8": "d",
}  # fmt: skip


def _nested(data: Any, dtype: Any, shape: list[int]) -> Any:
    """An array for somebody without numpy: nested lists, or one number."""
    import struct  # noqa: PLC0415

    code = _FORMATS.get(dtype) if isinstance(dtype, str) else None
    if code is None:
        raise NotCarried(f"the model gave an array of {dtype}, and numpy is not installed here")
    return _shaped([value for (value,) in struct.iter_unpack(f"<{code}", bytes(data))], shape)


def _shaped(flat: list[Any], shape: list[int]) -> Any:
    if not shape:
        return flat[0]
    for size in reversed(shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), size)] if size else [[] for _ in range(shape[0])]
    return flat
