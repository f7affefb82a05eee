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


def test_a_plain_column_travels_as_one_array_whatever_its_rows() -> None:
    wide = pd.DataFrame(np.arange(3000.0).reshape(1000, 3), columns=list("abc"))
    assert len(encode(wide)) == 4
    assert len(encode([np.float64(1.5)] * 1000)) == 1


def test_columns_of_periods_intervals_and_sparse_values_stay_what_they_are() -> None:
    table = pd.DataFrame(
        {
            "month": pd.PeriodIndex(["2026-01", None, "2026-03"], freq="M"), "bin": pd.cut([1.0, 5.0, float("nan")], 2).astype("interval"),
            "binned": pd.cut([1, 5, 9], 2), "when": pd.arrays.IntervalArray.from_breaks(pd.date_range("2026-01-01", periods=4, tz="UTC"), closed="left"),
            "sparse": pd.arrays.SparseArray([0.0, 0.0, 1.0]),
        },
        index=pd.period_range("2026-01-01", periods=3, freq="D"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(carried(table), table, check_freq=False)
    for value in (pd.Period("2026Q1"), pd.Interval(1, 2.5, closed="both"), np.str_(""), np.datetime64("2026-01-02"), np.void((1, 2.0), dtype=[("a", "<i4"), ("b", "<f8")])):
        back = carried([value])[0]
        assert back == value and type(back) is type(value)


def test_without_pandas_a_column_of_periods_or_intervals_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [encode(pd.DataFrame({"month": pd.PeriodIndex(["2026-01"], freq="M")})), encode(pd.Interval(0, 1))]
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    for tensors, what in zip(sent, ("a column of periods", "an interval"), strict=True):
        with pytest.raises(NotCarried, match=f"{what} needs pandas on both sides"):
            decode(tensors)


def test_more_arrays_than_a_frame_can_tell_of_are_refused_before_they_are_sent() -> None:
    with pytest.raises(NotCarried, match="200000 arrays are more than one call can carry"):
        encode([np.zeros(1)] * 200_000)
