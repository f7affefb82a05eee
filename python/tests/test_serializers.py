from __future__ import annotations

import collections
import importlib
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers_for_tests import Doubler, score_by_module
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import ingot
from ingot._worker.loading import load_native
from ingot.captured.document import capture_environment, capture_params, search_results
from ingot.environments.requirements import mismatches, pickle_globals, pins, split_modules
from ingot.serializers import Saved, choose
from ingot.serializers.pickling import by_value
from ingot.serializers.sklearn import is_fitted
from ingot.serializers.source import extract_source

THRESHOLD = 0.5
NAMES = {"low": 0, "high": [1, 2]}


def helper(value: float) -> float:
    return math.sqrt(value)


def score(rows: list[dict[str, Any]]) -> list[bool]:
    """Says whether the root is over the threshold."""
    return [helper(row["x"]) > THRESHOLD and NAMES["low"] == 0 for row in rows]


def test_a_fitted_estimator_is_pickled_with_what_it_imports(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True))
    saved = choose(model).save(model, tmp_path)
    assert (saved.flavor, saved.executes_code) == ("sklearn", True)
    assert saved.modules == {"numpy", "sklearn"}
    assert pickle.loads((tmp_path / "model.pkl").read_bytes()).classes_.tolist() == [0, 1, 2]


def test_requirements_are_what_the_model_imports_and_never_ingot() -> None:
    saved = Saved("sklearn", frozenset({"sklearn", "numpy", "ingot"}), takes="array")
    lines = capture_environment(saved, ["scikit-learn"], "infer")["requirements"]
    assert [line.partition("==")[0] for line in lines] == ["numpy", "scikit-learn", "scipy"]
    assert all("==" in line for line in lines)
    framed = capture_environment(Saved("sklearn", frozenset({"sklearn"}), takes="dataframe"), [], "infer")["requirements"]
    assert "pandas" in [line.partition("==")[0] for line in framed]


def test_requirements_may_be_listed_or_left_out() -> None:
    saved = Saved("sklearn", frozenset({"sklearn"}))
    assert capture_environment(saved, [], ["a==1"])["requirements"] == ["a==1"]
    assert capture_environment(saved, [], "none")["requirements"] == []
    with pytest.raises(ingot.UsageError, match="no-such-file"):
        capture_environment(saved, [], "no-such-file.txt")


def test_reading_the_globals_of_a_pickle_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(b"cbuiltins\nprint\n(S'ran'\ntR.")
    assert pickle_globals(path) == {("builtins", "print")}


class _Averaging:
    """What a notebook's class is like: it uses modules that the pickle has already named as texts, more than one."""

    kept = "collections"

    def predict(self, rows: list[Any]) -> Any:
        return collections.Counter(float(np.mean(row)) for row in rows), json.dumps({})


def test_modules_of_a_class_that_is_stored_by_value_are_found_and_nothing_else(tmp_path: Path) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    path = tmp_path / "model.pkl"
    with by_value(cloudpickle, {__name__}):
        path.write_bytes(cloudpickle.dumps(_Averaging()))
    assert {module for module, name in pickle_globals(path) if not name} == {"collections", "json", "numpy"}


def test_an_unfitted_estimator_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ingot.InvalidPackage, match="not fitted") as caught:
        choose(LogisticRegression()).save(LogisticRegression(), tmp_path)
    assert caught.value.hint is not None and "fit(" in caught.value.hint


def test_of_a_search_the_best_estimator_is_saved_and_its_scores_kept(tmp_path: Path) -> None:
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, cv=3).fit(*load_iris(return_X_y=True))
    saved = choose(search).save(search, tmp_path)
    assert type(saved.model) is LogisticRegression
    scores, best = search_results(search)
    assert scores["cv_score"] == pytest.approx(search.best_score_)
    assert "cv_score_std" in scores and best == search.best_params_


def test_code_of_a_local_module_travels_inside_the_pickle(tmp_path: Path) -> None:
    model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(*load_iris(return_X_y=True))
    saved = choose(model).save(model, tmp_path)
    assert "helpers_for_tests" not in saved.modules
    assert any("helpers_for_tests" in notice for notice in saved.notices)
    elsewhere = f"import pickle; print(type(pickle.load(open({str(tmp_path / 'model.pkl')!r}, 'rb')).steps[0][1]).__name__)"
    done = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout.strip() == "Doubler"


def test_code_passed_beside_the_model_is_imported_as_it_is(tmp_path: Path) -> None:
    model = make_pipeline(Doubler(), LogisticRegression(max_iter=500)).fit(*load_iris(return_X_y=True))
    saved = choose(model).save(model, tmp_path, code=[Path(__file__).with_name("helpers_for_tests.py")])
    assert "helpers_for_tests" in saved.modules and saved.notices == ()


def test_lambdas_inside_an_estimator_are_stored_by_value(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(lambda data: data + 1), LogisticRegression(max_iter=500))
    model.fit(*load_iris(return_X_y=True))
    choose(model).save(model, tmp_path)
    assert pickle.loads((tmp_path / "model.pkl").read_bytes()).predict(np.zeros((1, 4))).shape == (1,)


def test_a_function_becomes_readable_source_with_all_it_refers_to(tmp_path: Path) -> None:
    saved = choose(score).save(score, tmp_path)
    text = (tmp_path / "function.py").read_text()
    assert "import math" in text and "THRESHOLD = 0.5" in text and "def helper" in text
    assert json.loads((tmp_path / "function.json").read_text()) == {"function": "score", "input": "rows", "source": "function.py"}
    assert saved.modules == frozenset()
    assert load_native(tmp_path, "function")([{"x": 4}, {"x": 0}]) == [True, False]


def test_source_is_the_same_each_time() -> None:
    first, second = extract_source(score), extract_source(score)
    assert first is not None and second is not None and first.text == second.text


def test_source_that_was_edited_since_it_was_imported_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "edited_later.py"
    file.write_text("def rate(rows):\n    return [1 for row in rows]\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("edited_later")
    assert extract_source(module.rate) is not None
    file.write_text("def rate(rows):\n    return [1 + 1 for row in rows]\n")
    assert extract_source(module.rate) is None


def test_modules_that_a_pickled_function_imports_by_name_are_requirements(tmp_path: Path) -> None:
    limit = object()

    def uses_pandas(rows: list[dict[str, Any]]) -> list[Any]:
        return pd.DataFrame(rows)["x"].tolist() if limit else []

    assert "pandas" in choose(uses_pandas).save(uses_pandas, tmp_path).modules


def test_functions_that_source_cannot_tell_are_pickled_by_value(tmp_path: Path) -> None:
    table = np.array([1.0, 2.0])

    def closure(rows: list[dict[str, Any]]) -> list[float]:
        return [float(table[row["x"]]) for row in rows]

    saved = choose(closure).save(closure, tmp_path)
    assert not (tmp_path / "function.py").exists()
    assert "numpy" in saved.modules
    assert load_native(tmp_path, "function")([{"x": 1}]) == [2.0]


def test_a_function_of_a_local_module_keeps_its_constants(tmp_path: Path) -> None:
    choose(score_by_module).save(score_by_module, tmp_path)
    elsewhere = (
        "import sys; from ingot._worker.loading import load_native\n"
        f"print(load_native({str(tmp_path)!r}, 'function')([{{'x': 2}}]))"
    )
    done = subprocess.run([sys.executable, "-c", elsewhere], capture_output=True, text=True, cwd="/", check=True)
    assert done.stdout.strip() == "[6]"


def test_what_a_function_takes_is_told_by_the_data(tmp_path: Path) -> None:
    choose(score).save(score, tmp_path, data=np.zeros((2, 2)))
    assert json.loads((tmp_path / "function.json").read_text())["input"] == "array"


def test_a_function_of_several_arguments_is_refused_with_an_example(tmp_path: Path) -> None:
    def two(age: int, plan: str) -> int:
        return age

    with pytest.raises(ingot.InvalidPackage, match="two\\(age") as caught:
        choose(two).save(two, tmp_path)
    assert caught.value.hint is not None and "def score(rows)" in caught.value.hint


def test_an_object_nobody_can_save_is_refused_naming_what_works() -> None:
    class Own:
        weights = 3

    with pytest.raises(ingot.InvalidPackage, match="frameworks.*functions.*predict.*path"):
        choose(Own())
    with pytest.raises(ingot.InvalidPackage, match="is a class"):
        choose(LogisticRegression)


def test_an_unknown_serializer_is_refused_with_the_nearest() -> None:
    with pytest.raises(ingot.UsageError) as caught:
        choose(score, "sklern")
    assert caught.value.nearest == "sklearn"


def test_parameters_are_what_json_can_say() -> None:
    params = capture_params(make_pipeline(Doubler(), LogisticRegression(C=2.0, max_iter=7)))
    assert (params["logisticregression__C"], params["logisticregression__max_iter"]) == (2.0, 7)
    assert (params["logisticregression"], params["doubler"]) == ("LogisticRegression", "Doubler")
    json.dumps(params, allow_nan=False)


def test_mismatches_name_both_versions() -> None:
    other, missing = mismatches([f"numpy=={np.__version__}", "scikit-learn==0.1", "not-there==2"])
    assert other[0].startswith("scikit-learn 0.1 wanted, ") and other[0].endswith(" found")
    assert missing == ["not-there 2 wanted, not installed"]


def test_modules_are_sorted_into_installed_and_local() -> None:
    known, local = split_modules({"sklearn", "helpers_for_tests"})
    assert known == {"sklearn": "scikit-learn"} and local == {"helpers_for_tests"}
    assert pins(["scikit-learn"])[0].startswith("numpy==")


class Remembers(BaseEstimator):  # type: ignore[misc]
    """Keeps what it learned under a name that scikit-learn does not know as learned."""

    def fit(self, data: Any, target: Any = None) -> Remembers:
        self.mean = float(np.mean(target))
        return self

    def predict(self, data: Any) -> list[float]:
        return [self.mean] * len(data)


class Rule(BaseEstimator):  # type: ignore[misc]
    """Learns nothing at all."""

    def __init__(self, answer: float = 1.0) -> None:
        self.answer = answer

    def fit(self, data: Any, target: Any = None) -> Rule:
        return self

    def predict(self, data: Any) -> list[float]:
        return [self.answer] * len(data)


def test_estimators_of_ones_own_count_as_fitted_without_names_that_end_in_an_underscore() -> None:
    data, target = np.ones((4, 2)), [1, 2, 3, 4]
    assert is_fitted(Remembers().fit(data, target))
    assert is_fitted(make_pipeline(StandardScaler(), Remembers()).fit(data, target))
    assert is_fitted(Rule())
    assert not is_fitted(Remembers())
    assert not is_fitted(make_pipeline(StandardScaler(), LogisticRegression()))
