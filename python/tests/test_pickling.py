"""What cannot be pickled is named by its path with what to do; what should not travel is told or refused."""

from __future__ import annotations

import functools
import pickle
import sqlite3
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

import ingot
from ingot.serializers import choose, pickling
from ingot.serializers.pickling import write_pickle

X, Y = load_iris(return_X_y=True)


class Holder:
    """A model that holds one thing more than it should."""

    def __init__(self, extra: Any) -> None:
        self.parts = {"first": 1, "extra": [0, extra]}

    def predict(self, rows: list[Any]) -> list[int]:
        return [len(self.parts) for _ in rows]


def refused(model: Any, directory: Path) -> ingot.InvalidPackage:
    with pytest.raises(ingot.InvalidPackage) as caught:
        choose(model).save(model, directory)
    assert caught.value.code == "invalid-package"
    return caught.value


@pytest.mark.parametrize(
    ("make", "what", "advice"),
    [
        (threading.Lock, "a lock (_thread.lock)", "__getstate__"),
        (threading.Condition, "a lock", "__getstate__"),
        (lambda: (n for n in range(3)), "a generator", "list"),
        (lambda: open(__file__, "rb"), "an open file", "__getstate__"),  # noqa: SIM115
        (lambda: sqlite3.connect(":memory:"), "a sqlite3.Connection", "__getstate__"),
    ],
)
def test_a_part_that_cannot_be_pickled_is_named_by_its_path(tmp_path: Path, make: Any, what: str, advice: str) -> None:
    error = refused(Holder(make()), tmp_path)
    assert error.message.startswith("model.parts['extra'][1]") and what in error.message
    assert error.hint is not None and advice in error.hint
    assert str(error.details["path"]).startswith("model.parts['extra'][1]")


def test_the_path_leads_through_the_steps_of_a_pipeline(tmp_path: Path) -> None:
    scale = functools.partial(np.multiply, threading.Lock())
    model = make_pipeline(FunctionTransformer(), LogisticRegression(max_iter=500)).fit(X, Y)
    model.steps[0][1].func = scale
    assert "model.steps[0][1].func.args[0] is a lock" in refused(model, tmp_path).message


def test_without_cloudpickle_a_lambda_is_named_and_with_it_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_pipeline(FunctionTransformer(lambda rows: rows * 2), LogisticRegression(max_iter=500)).fit(X, Y)
    choose(model).save(model, tmp_path)
    assert (pickle.loads((tmp_path / "model.pkl").read_bytes()).predict(X) == model.predict(X)).all()
    monkeypatch.setattr(pickling, "_CLOUDPICKLES", ("no_such_module",))
    error = refused(model, tmp_path)
    assert "model.steps[0][1].func is a lambda" in error.message and "cloudpickle" in str(error.hint)


def test_without_cloudpickle_an_object_of_a_local_class_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Local:
        pass

    monkeypatch.setattr(pickling, "_CLOUDPICKLES", ("no_such_module",))
    error = refused(Holder(Local()), tmp_path)
    assert "model.parts['extra'][1] is an object of the local class" in error.message


def test_an_object_that_is_nested_too_deeply_says_so(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ingot.InvalidPackage, match="nested too deeply"):
        write_pickle(deep, tmp_path / "model.pkl")


def test_a_part_that_raises_on_its_own_is_named_with_what_it_said(tmp_path: Path) -> None:
    class Refuses:
        def __reduce__(self) -> Any:
            raise ValueError("not with me")

    assert "not with me" in refused(Holder(Refuses()), tmp_path).message


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (KNeighborsClassifier(), "model._fit_X holds 150 rows of the training data (4.8 kB), as a KNeighborsClassifier needs"),
        (SVC(), "support vectors of the training data"),
        (GaussianProcessRegressor(alpha=0.1), "model.X_train_ holds 150 rows of the training data (4.8 kB)"),
        (make_pipeline(KNeighborsClassifier()), "model.steps[0][1]._fit_X holds 150 rows"),
    ],
)
def test_a_model_that_holds_training_data_says_so_with_its_size(tmp_path: Path, model: Any, said: str) -> None:
    notices = choose(model.fit(X, Y)).save(model, tmp_path).notices
    assert any(said in notice for notice in notices), notices


def test_a_stray_data_frame_is_told_and_a_model_without_data_is_quiet(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(X, Y)
    assert choose(model).save(model, tmp_path).notices == ()
    model.training_table = pd.DataFrame(X)
    (notice,) = choose(model).save(model, tmp_path).notices
    assert notice.startswith("model.training_table holds a DataFrame of 150 rows (4.9")
    assert "set it to None" in notice


def test_what_a_framework_keeps_is_not_advised_away(tmp_path: Path) -> None:
    statsmodels = pytest.importorskip("statsmodels.api")
    results = statsmodels.tsa.VAR(pd.DataFrame({"a": np.arange(40.0) ** 0.5, "b": np.sin(np.arange(40.0))})).fit(1)
    results.model.kept = {"rows": pd.DataFrame(X)}
    notices = write_pickle(Holder(results), tmp_path / "model.pkl").notices
    assert any("VAR keeps it" in notice for notice in notices) and "None" not in "".join(notices)
    mine = write_pickle(Holder({"rows": pd.DataFrame(X)}), tmp_path / "mine.pkl").notices
    assert any("set it to None" in notice for notice in mine)


def test_parts_alike_are_told_once(tmp_path: Path) -> None:
    from sklearn.ensemble import BaggingClassifier

    model = BaggingClassifier(KNeighborsClassifier(), n_estimators=8).fit(X, Y)
    notices = choose(model).save(model, tmp_path).notices
    assert len(notices) == 1 and "7 more like it" in notices[0]


def test_a_tensor_on_a_gpu_is_refused_with_what_brings_it_back(tmp_path: Path) -> None:
    class Device:
        type = "cuda"

        def __str__(self) -> str:
            return "cuda:0"

    # There is no GPU on the machines that test: a tensor's module and device are all that is looked at.
    tensor_type = type("Tensor", (), {"__module__": "torch", "device": Device()})
    error = refused(Holder(tensor_type()), tmp_path)
    assert "model.parts['extra'][1] lies on cuda:0" in error.message and ".cpu()" in str(error.hint)


def test_what_an_object_is_is_told_without_importing_a_framework() -> None:
    made = ModuleType("torch")
    kind = type("Module", (), {"__module__": "torch.nn.modules.module", "predict": lambda self, rows: rows})
    for model in (LogisticRegression(), len, Holder(1), {"a": Holder(1)}, (LogisticRegression(),), 3.0, object()):
        before = {name for name in sys.modules if not name.startswith("ingot")}
        try:
            choose(model)
        except ingot.InvalidPackage:
            pass
        assert {name for name in sys.modules if not name.startswith("ingot")} - before == set(), model
    assert made.__name__ not in sys.modules and choose(kind()).name == "torch"
    assert "torch" not in sys.modules
