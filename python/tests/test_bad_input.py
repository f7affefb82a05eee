"""What goes wrong around a push, outside of pickling: a clear error or the right result, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import ingot
from ingot.commands import engine

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]

X, y = load_iris(return_X_y=True, as_frame=True)


def model(iterations: int = 300) -> Any:
    return LogisticRegression(max_iter=iterations).fit(X, y)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"X": X.iloc[:, :2]}, "X lacks petal length"),
        ({"X": X, "y": y[:3]}, "X has 150 rows, y has 3"),
        ({"X": "hello"}, "X='hello' is a str"),
        ({"X": X, "example": {"nope": 1}}, "the example does not fit the model"),
        ({"X": X, "example": [1, 2]}, "the example does not fit the model"),
        ({"X": X, "alias": "3"}, "cannot be an alias"),
        ({"X": X, "alias": "latest"}, "cannot be an alias"),
        ({"X": X, "code": "no_such_file.py"}, "no_such_file.py"),
        ({"X": X, "env": "no-such-requirements.txt"}, "no-such-requirements.txt"),
    ],
)
def test_what_contradicts_the_model_is_named_and_nothing_is_stored(store: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ingot.IngotError, match=said):
        ingot.push(model(), "iris", **options)
    with pytest.raises(ingot.NotFound):
        ingot.versions("iris")


def test_rows_that_are_none_are_refused_before_the_framework_sees_them(store: Path) -> None:
    ingot.push(model(), "iris", X=X)
    loaded = ingot.load("iris")
    for rows in (None, 3, "x", np.zeros((2, 3)), X.iloc[:2, :2], {}, [{"a": 1}]):
        with pytest.raises(ingot.SignatureMismatch) as caught:
            loaded.predict(rows)
        assert caught.value.hint
    assert loaded.predict([]) == []


@pytest.mark.parametrize(("ref", "nearest"), [("irsi", "iris"), ("iris:9", "iris:1"), ("iris@prodction", "iris@production"), ("Iris", "iris")])
def test_a_bad_reference_comes_with_the_nearest_match(store: Path, ref: str, nearest: str) -> None:
    ingot.push(model(), "iris", X=X, alias="production")
    for call in (ingot.load, ingot.show):
        with pytest.raises(ingot.NotFound) as caught:
            call(ref)
        assert caught.value.nearest == nearest


def test_a_model_in_place_of_a_name_and_a_mistyped_path_are_told_apart(store: Path, tmp_path: Path) -> None:
    with pytest.raises(ingot.UsageError, match="name=LogisticRegression"):
        ingot.push("iris", model())  # type: ignore[call-overload]
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(ingot.NotFound) as caught:
        ingot.push(tmp_path / "modle.bin")
    assert caught.value.nearest == str(tmp_path / "model.bin")


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting needs root on Linux")
def test_a_full_disk_and_a_store_that_is_read_only_lose_nothing(tmp_path: Path) -> None:
    where = tmp_path / "small"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(where)], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system lets nobody mount")
    try:
        store = where / "store"
        ingot.push(model(), "iris", X=X, store=store)
        big = tmp_path / "big.bin"
        big.write_bytes(os.urandom(8 * 2**20))
        with pytest.raises(ingot.Unavailable) as caught:
            ingot.push(big, "iris", store=store)
        assert caught.value.code == "disk-full"
        subprocess.run(["mount", "-o", "remount,ro,size=3m", str(where)], check=True)
        with pytest.raises(ingot.IngotError) as caught:
            ingot.push(model(301), "iris", X=X, store=store)
        assert "read-only" in str(caught.value) or caught.value.code in {"forbidden", "unavailable"}
        assert ingot.load("iris:1", store=store).predict(X).shape == (150,)
        subprocess.run(["mount", "-o", "remount,rw,size=40m", str(where)], check=True)
        assert ingot.push(big, "iris", store=store).number == 2
        engine.run(["check", "--read-data"], store=store)
    finally:
        subprocess.run(["umount", str(where)], check=False)
