"""Values cross the boundary between processes as they are."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ingot._worker.frames import Tensor
from ingot._worker.values import NotCarried, decode, encode


def carried(value: Any) -> Any:
    tensors = encode(value)
    return decode([Tensor(t.name, t.datatype, t.shape, bytearray(t.data)) for t in tensors])


@pytest.mark.parametrize(
    "value",
    [
        None, True, -3, 2**80, 1.5, float("inf"), "häß\ud800", b"\x00\xff", [1, [2, {"a": None}]], (1, ("b",)), {1, 2}, {"$": 1}, {1: "x"},
        datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc), datetime.date(2026, 1, 2), datetime.timedelta(days=1, microseconds=5),
        decimal.Decimal("1.10"), 1 + 2j, pd.Timestamp("2026-01-02 03:04:05.000000006", tz="Europe/Berlin"), pd.Timedelta("1ns"),
    ],
    ids=repr,
)  # fmt: skip
def test_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    back = carried(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3), np.zeros((0, 4), "i4"), np.array(3), np.array(["ä", "bc"]), np.array([b"a"]),
        np.array(["2026-01-02"], "M8[ns]"), np.array([True, False]), np.arange(6).reshape(2, 3).T, np.array([1, None, "x"], dtype=object),
        np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]), np.float32([1.5]).astype(">f4"),
    ],
    ids=lambda array: str(array.dtype),
)  # fmt: skip
def test_arrays_keep_dtype_shape_and_values(array: Any) -> None:
    back = carried(array)
    assert back.dtype == array.dtype and back.shape == array.shape
    assert (back == array).all()
    assert back.size == 0 or back.flags.writeable


def test_a_scalar_of_numpy_stays_one() -> None:
    assert type(carried(np.float32(1.5))) is np.float32


def frame() -> pd.DataFrame:
    made = pd.DataFrame(
        {
            "f": [1.0, float("nan"), 3.0], "i": [1, 2, 3], "s": ["a", None, "ü"], "b": [True, False, True],
            "when": pd.to_datetime(["2026-01-01", None, "2026-01-03"]), "zoned": pd.to_datetime(["2026-01-01"] * 3).tz_localize("Europe/Berlin"),
            "cat": pd.Categorical(["x", "y", None], categories=["y", "x", "z"], ordered=True), "cat_i": pd.Categorical([1, 2, 1]),
            "Int": pd.array([1, None, 3], dtype="Int64"), "Bool": pd.array([True, None, False], dtype="boolean"),
            "text": pd.array(["a", None, "c"], dtype="string"), "objects": [{"a": 1}, [1, 2], (3,)], "took": pd.to_timedelta([1, 2, 3], "s"),
        },
        index=pd.Index([7, 8, 9], name="row"),
    )  # fmt: skip
    made.columns.name = "features"
    return made


def test_a_frame_keeps_dtypes_categories_and_index() -> None:
    pd.testing.assert_frame_equal(carried(frame()), frame())
    table = frame()[["f", "i"]].set_index(pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]))
    pd.testing.assert_frame_equal(carried(table), table)
    doubled = pd.DataFrame([[1, 2.0]], columns=["a", "a"])
    pd.testing.assert_frame_equal(carried(doubled), doubled)
    pd.testing.assert_frame_equal(carried(frame().iloc[:0]), frame().iloc[:0])


def test_a_series_and_an_index_keep_their_names() -> None:
    pd.testing.assert_series_equal(carried(frame()["cat"]), frame()["cat"])
    pd.testing.assert_index_equal(carried(frame().columns), frame().columns)


def test_sparse_matrices_stay_sparse() -> None:
    for made in (sparse.csr_matrix, sparse.csc_matrix, sparse.coo_matrix, sparse.csr_array):
        matrix = made(np.eye(3))
        back = carried(matrix)
        assert type(back) is type(matrix)
        assert (back.toarray() == matrix.toarray()).all()


def test_what_cannot_be_sent_is_named_with_its_place() -> None:
    with pytest.raises(NotCarried, match=r"\['b'\]\[1\] is a builtins.object"):
        encode({"b": [1, object()]})


def test_without_numpy_and_pandas_arrays_arrive_as_lists_and_frames_as_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = encode([np.arange(6.0).reshape(2, 3), frame()[["i", "cat", "Int"]], np.int64(4)])
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    array, rows, number = decode(sent)
    assert array == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert rows[1] == {"i": 2, "cat": "y", "Int": None}
    assert number == 4
