"""Switching on what pushes every fit: what counts as one, and that nobody's training notices."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ingot
from ingot.autologging import Autolog, name_of

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]

X, y = load_iris(return_X_y=True, as_frame=True)


class Mine(LogisticRegression):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> Any:
        return super().fit(X, y)


@pytest.fixture
def logged(store: Path) -> Iterator[Autolog]:
    on = ingot.autolog("flowers", quiet=True)
    assert on is not None
    yield on
    ingot.autolog(False)


def test_a_fit_is_pushed_with_its_parameters_and_its_score(logged: Autolog) -> None:
    RandomForestClassifier(n_estimators=3, random_state=0).fit(X, y)
    version = ingot.show("flowers")
    assert version.params["n_estimators"] == 3 and version.metrics["training_accuracy"] > 0.9
    assert version.tags == {"autolog": "sklearn"} and version.signature.inputs[0].name == X.columns[0]
    assert [each.ref for each in logged.versions] == ["flowers:1"]


def test_searches_ensembles_and_pipelines_are_one_model_each_also_in_threads_and_processes(logged: Autolog) -> None:
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2, n_jobs=2)
    search.fit(X, y)
    assert len(logged.versions) == 1 and "cv_score" in logged.versions[0].metrics
    with joblib.parallel_backend("threading", n_jobs=2):
        GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.2, 2]}, cv=2).fit(X, y)
        BaggingClassifier(LogisticRegression(), n_estimators=2).fit(X, y)
    assert len(logged.versions) == 3


def test_folds_and_bare_transformers_are_no_models(logged: Autolog) -> None:
    cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), X, y, cv=2)
    StandardScaler().fit_transform(X)
    assert logged.versions == []
    KMeans(3, n_init=1).fit_predict(X)
    assert len(logged.versions) == 1


def test_a_class_of_ones_own_is_pushed_whole_and_its_pickle_knows_nothing_of_us(logged: Autolog, tmp_path: Path) -> None:
    Mine(max_iter=300).fit(X, y)
    assert len(logged.versions) == 1
    assert b"ingot" not in b"".join(path.read_bytes() for path in logged.versions[0].download(tmp_path / "out").glob("*.pkl"))


def test_what_a_fit_gives_raises_and_looks_like_is_as_before(logged: Autolog) -> None:
    model = LogisticRegression(max_iter=300)
    assert model.fit(X, y) is model
    assert list(inspect.signature(LogisticRegression.fit).parameters) == ["self", "X", "y", "sample_weight"]
    assert inspect.isfunction(RandomForestClassifier.fit)
    assert pickle.loads(pickle.dumps(model)).predict(X)[0] == model.predict(X)[0]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LogisticRegression().fit(X, [1, 2, 3])
    assert len(logged.versions) == 1


def test_a_push_that_fails_is_a_warning_and_the_model_is_fitted(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_ENGINE", sys.executable)
    ingot.autolog("flowers")
    try:
        with pytest.warns(UserWarning, match="autolog could not push"):
            model = LogisticRegression(max_iter=300).fit(X, y)
    finally:
        ingot.autolog(False)
    assert model.predict(X).shape == (150,)


def test_switched_off_every_fit_is_what_it_was(store: Path) -> None:
    forest = next(kind for kind in RandomForestClassifier.__mro__ if "fit" in vars(kind))
    before = {kind: vars(kind)["fit"] for kind in (LogisticRegression, forest, Mine)}
    with ingot.autolog("flowers") or pytest.fail("nothing was switched on"):
        assert vars(LogisticRegression)["fit"] is not before[LogisticRegression]
    assert {kind: vars(kind)["fit"] for kind in before} == before
    assert ingot.autolog(False) is None
    LogisticRegression(max_iter=300).fit(X, y)
    assert not store.exists()


def test_frameworks_are_hooked_into_when_they_are_imported_and_never_imported(store: Path) -> None:
    code = (
        "import sys, ingot\nlog = ingot.autolog()\nassert 'sklearn' not in sys.modules\n"
        "from sklearn.linear_model import Ridge\nRidge().fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])\nprint(log.versions[0].ref)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "ridge:1", done.stderr
    assert "autolog: ridge:1" in done.stderr


def test_a_model_without_a_name_is_called_by_its_class() -> None:
    assert name_of(RandomForestClassifier()) == "random-forest-classifier"
    assert name_of(make_pipeline(StandardScaler(), LogisticRegression())) == "logistic-regression"
    assert name_of(GridSearchCV(LogisticRegression(), {})) == "logistic-regression"


@pytest.mark.parametrize("wrong", [{"name": 3}, {"frameworks": ["sklaern"]}, {"frameworks": 3}, {"tags": [1]}, {"alias": 3}, {"store": 3}, {"data": "no"}])
def test_a_wrong_option_is_an_error_with_a_hint_and_switches_nothing_on(wrong: dict[str, Any]) -> None:
    before = vars(LogisticRegression)["fit"]
    with pytest.raises(ingot.UsageError) as caught:
        ingot.autolog(**wrong)
    assert caught.value.hint and vars(LogisticRegression)["fit"] is before


def test_boosters_are_pushed_once_with_what_they_counted(logged: Autolog) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is in the matrix's own environments")
    data, target = np.asarray(X), np.asarray(y) % 2
    xgboost.XGBClassifier(n_estimators=3).fit(data, target, eval_set=[(data, target)], verbose=False)
    assert "validation_0-logloss" in logged.versions[0].metrics and logged.versions[0].tags["autolog"] == "xgboost"
    told: dict[str, Any] = {}
    matrix = xgboost.DMatrix(data, target)
    xgboost.train({"objective": "binary:logistic"}, matrix, 3, evals=[(matrix, "train")], evals_result=told, verbose_eval=False)
    assert len(logged.versions) == 2 and logged.versions[1].metrics["train-logloss"] == pytest.approx(told["train"]["logloss"][-1])


def test_lightgbm_is_pushed_once_either_way(logged: Autolog) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is in the matrix's own environments")
    target = np.asarray(y) % 2
    lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, target, eval_set=[(X, target)])
    assert len(logged.versions) == 1 and any("logloss" in name for name in logged.versions[0].metrics)
    lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(np.asarray(X), target), 3)
    assert len(logged.versions) == 2


def test_catboost_is_pushed_once(logged: Autolog) -> None:
    catboost = pytest.importorskip("catboost", reason="catboost is in the matrix's own environments")
    catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False).fit(np.asarray(X), np.asarray(y) % 2)
    assert len(logged.versions) == 1 and "learn-Logloss" in logged.versions[0].metrics
