"""A digest of training data: the same rows in any order give the same digest; no row can be read back from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kinds import is_array, is_dataframe, is_series, loaded, plain
from ..signature import column_names

#: Of data with more cells than this only some rows are read, chosen by what they hold.
MAX_CELLS = 10_000_000
#: Rows that are looked at in one go: memory stays at a few times eight bytes for each of them.
CHUNK_ROWS = 131_072
#: Columns that decide which rows of large data are read.
KEY_COLUMNS = 4
_FIRST, _SECOND, _ODD = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Fingerprint:
    """What is known of data without its values."""

    #: ``sha256:…`` over shape, names, types and the rows in whatever order.
    digest: str
    rows: int
    columns: int


def fingerprint(data: Any, target: Any = None) -> Fingerprint | None:
    """Gives digest and shape of ``X`` and ``y`` together; None for what has no rows and columns.

    Takes a DataFrame, a Series, an array (dense or sparse), or a list of dicts or of rows. Types count: the same numbers as
    float32 are other data. Of data with more than :data:`MAX_CELLS` cells those rows are read whose first columns fall
    on a sample, so that the digest still does not depend on the order.

    >>> rows = [{"age": 41, "plan": "pro"}, {"age": 33, "plan": None}]
    >>> fingerprint(rows) == fingerprint(rows[::-1])
    True
    """
    width = _width(data)
    if width is None:
        return None
    rows, columns = width
    sums = _array_sums(data, target, rows, columns) if hasattr(data, "shape") else _listed_sums(data, target)
    names = [*_described(data), *(("y", each) for each in _described(target))]
    said = json.dumps({"rows": rows, "columns": names, "sums": sums}, sort_keys=True, default=str)
    return Fingerprint(f"sha256:{hashlib.sha256(said.encode()).hexdigest()}", rows, columns)


def _width(data: Any) -> tuple[int, int] | None:
    if hasattr(data, "shape"):
        shape = tuple(data.shape)
        if not shape or not (is_dataframe(data) or is_series(data) or is_array(data) or hasattr(data, "tocsr")):
            return None
        return int(shape[0]), _product(shape[1:])
    if not isinstance(data, Sequence) or isinstance(data, str | bytes) or len(data) == 0:
        return None
    first = data[0]
    return len(data), len(first) if isinstance(first, Mapping | list | tuple) else 1


def _product(lengths: Sequence[Any]) -> int:
    product = 1
    for length in lengths:
        product *= int(length)
    return product


def _described(data: Any) -> list[tuple[str, str]]:
    if data is None:
        return []
    if is_dataframe(data):
        return [(name, str(dtype)) for name, dtype in zip(column_names(data), data.dtypes, strict=True)]
    if hasattr(data, "dtype"):
        return [(str(getattr(data, "name", None) or ""), f"{data.dtype}{list(getattr(data, 'shape', ())[1:])}")]
    return [("", type(data).__name__)]


def _listed_sums(data: Sequence[Any], target: Any) -> list[int]:
    """Adds up digests of rows; of long lists every row is still read, as they are in memory as Python objects anyway."""
    answers = plain(target) if target is not None else None
    first = second = 0
    for position, row in enumerate(data):
        answer = answers[position] if isinstance(answers, list) and position < len(answers) else None
        said = json.dumps([plain(row), answer], sort_keys=True, default=str).encode()
        hashed = hashlib.blake2b(said, digest_size=16).digest()
        first = (first + int.from_bytes(hashed[:8], "little")) & 0xFFFFFFFFFFFFFFFF
        second = (second + int.from_bytes(hashed[8:], "little")) & 0xFFFFFFFFFFFFFFFF
    return [first, second]


def _array_sums(data: Any, target: Any, rows: int, columns: int) -> list[int]:
    numpy = loaded("numpy")
    assert numpy is not None, "whoever made an array has loaded numpy"
    step = -(-rows * columns // MAX_CELLS)
    first, second = numpy.uint64(0), numpy.uint64(0)
    answers = target if _is_as_long(target, rows) else None
    with numpy.errstate(over="ignore"):
        for part, answer in _parts(data, answers, rows, step, numpy):
            hashed = _row_hashes(part, numpy, 0)
            if answer is not None:
                hashed = _mix(hashed + _row_hashes(answer, numpy, 1), numpy)
            first = first + _mix(hashed, numpy).sum(dtype=numpy.uint64)
            second = second + _mix(hashed ^ numpy.uint64(_ODD), numpy).sum(dtype=numpy.uint64)
    return [int(first), int(second)]


def _is_as_long(target: Any, rows: int) -> bool:
    return hasattr(target, "shape") and len(target.shape) > 0 and target.shape[0] == rows


def _parts(data: Any, target: Any, rows: int, step: int, numpy: Any) -> Iterator[tuple[Any, Any]]:
    data = data.tocsr() if hasattr(data, "tocsr") else data
    for start in range(0, rows, CHUNK_ROWS):
        part, answer = _slice(data, start), _slice(target, start) if target is not None else None
        if step > 1:
            kept = numpy.flatnonzero(_row_hashes(_few_columns(part), numpy, 2) % numpy.uint64(step) == 0)
            part = part.iloc[kept] if hasattr(part, "iloc") else part[kept]
            answer = None if answer is None else answer.iloc[kept] if hasattr(answer, "iloc") else answer[kept]
        yield part, answer


def _slice(data: Any, start: int) -> Any:
    stop = start + CHUNK_ROWS
    return data.iloc[start:stop] if hasattr(data, "iloc") else data[start:stop]


def _few_columns(part: Any) -> Any:
    if len(part.shape) < 2 or part.shape[1] <= KEY_COLUMNS:
        return part
    chosen = [position * part.shape[1] // KEY_COLUMNS for position in range(KEY_COLUMNS)]
    return part.iloc[:, chosen] if hasattr(part, "iloc") else part[:, chosen]


def _row_hashes(part: Any, numpy: Any, salt: int) -> Any:
    """Gives one number a row. Columns of a frame count by name, in whatever order; those of an array by position."""
    if hasattr(part, "indptr"):
        return _sparse_hashes(part, numpy, salt)
    total = numpy.zeros(part.shape[0], dtype=numpy.uint64)
    if is_dataframe(part):
        for position, name in enumerate(column_names(part)):
            total += _mix(_bits(part.iloc[:, position], numpy) ^ _salted(f"{salt}:{name}", numpy), numpy)
        return total
    if is_series(part):
        return _mix(_bits(part, numpy) ^ _salted(f"{salt}:", numpy), numpy)
    flat = part.reshape(part.shape[0], -1)
    for position in range(flat.shape[1]):
        total += _mix(_bits(flat[:, position], numpy) ^ _salted(f"{salt}:{position}", numpy), numpy)
    return total


def _sparse_hashes(part: Any, numpy: Any, salt: int) -> Any:
    places = _mix(part.indices.astype(numpy.uint64) + _salted(str(salt), numpy), numpy)
    cells = _mix(_bits(part.data, numpy) ^ places, numpy)
    cells[part.data == 0] = 0
    ends = numpy.concatenate([numpy.zeros(1, dtype=numpy.uint64), numpy.cumsum(cells, dtype=numpy.uint64)])
    return ends[part.indptr[1:]] - ends[part.indptr[:-1]]


def _salted(text: str, numpy: Any) -> Any:
    return numpy.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mix(values: Any, numpy: Any) -> Any:
    """Spreads every bit over all (the finalizer of SplitMix64)."""
    values = (values ^ (values >> numpy.uint64(30))) * numpy.uint64(_FIRST)
    values = (values ^ (values >> numpy.uint64(27))) * numpy.uint64(_SECOND)
    return values ^ (values >> numpy.uint64(31))


def _bits(column: Any, numpy: Any) -> Any:
    """Gives a number a cell, the same for the same value; every missing value gives the same."""
    if str(column.dtype) == "category":
        known = _bits(numpy.asarray(column.cat.categories, dtype=object), numpy)
        codes = numpy.asarray(column.cat.codes)
        return numpy.where(codes < 0, numpy.uint64(_ODD), known[codes] if len(known) else numpy.uint64(0))
    values = numpy.asarray(column)
    kind = values.dtype.kind
    if kind == "f":
        floats = values.astype(numpy.float64) + 0.0
        return numpy.where(numpy.isnan(floats), numpy.uint64(_ODD), floats.view(numpy.uint64))
    if kind in "biu":
        return values.astype(numpy.int64 if kind == "i" else numpy.uint64).view(numpy.uint64)
    if kind in "mM":
        return values.astype(f"{'timedelta64' if kind == 'm' else 'datetime64'}[ns]").view(numpy.uint64)
    return _object_bits(values, numpy)


def _object_bits(values: Any, numpy: Any) -> Any:
    known: dict[Any, int] = {}
    hashed = numpy.empty(len(values), dtype=numpy.uint64)
    for position, value in enumerate(values.tolist()):
        text = value if isinstance(value, str) else repr(plain(value))
        number = known.get(text)
        if number is None:
            number = int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
            if len(known) < CHUNK_ROWS:
                known[text] = number
        hashed[position] = number
    return hashed
