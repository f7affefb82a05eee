"""Every estimator that scikit-learn has comes back as it was, with the same answers. One in six by default."""

from __future__ import annotations

import inspect
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

from ingot._worker.loading import load_native
from ingot.serializers import choose
from ingot.serializers.sklearn import best_estimator

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]

#: What a constructor needs, by the name of its argument.
ARGUMENTS: dict[str, Any] = {
    "estimator": LogisticRegression(max_iter=500),
    "base_estimator": LogisticRegression(max_iter=500),
    "estimators": [("one", Ridge()), ("two", Ridge(alpha=2.0))],
    "transformers": [("scale", StandardScaler(), [0, 1])],
    "transformer_list": [("scale", StandardScaler())],
    "steps": [("scale", StandardScaler()), ("model", LogisticRegression(max_iter=500))],
    "param_grid": {"C": [0.5, 1.0]},
    "param_distributions": {"C": [0.5, 1.0]},
    "dictionary": np.eye(4),
}
CLASSIFIERS = [("one", LogisticRegression(max_iter=500)), ("two", LogisticRegression(C=0.5, max_iter=500))]
#: What some can be fitted on, the first that works: rows, positive rows with two targets or two classes, one column, texts, dicts.
DATA: list[tuple[Any, ...]] = [
    (np.abs(X), Y),
    (X, Y == 0),
    (X, np.column_stack([Y, Y])),
    (np.abs(X[:, 0]), Y.astype(float) + 1),
    (np.abs(X), Y + 1.0),
    (["one two", "two three", "three"] * 5, [0, 1, 2] * 5),
    ([{"a": float(value)} for value in Y], Y),
    (X @ X.T,),
    (Y,),
    ([["a"], ["b", "a"]] * 5,),
    (np.arange(300.0).reshape(3, 10, 10),),
]
#: Made from fitted estimators, or not at all by themselves.
NOT_ALONE = {"FrozenEstimator"}

#: Unpickled arrays lie elsewhere in memory, and linear algebra may add them up in another order.
TOLERANCE = 1e-9

_EVERY = 1 if os.environ.get("INGOT_MATRIX") == "all" else 6
ESTIMATORS = [entry for entry in all_estimators() if entry[0] not in NOT_ALONE][::_EVERY]


def fitted(name: str, kind: Any) -> tuple[Any, Any]:
    needed = [item.name for item in inspect.signature(kind).parameters.values() if item.default is item.empty]
    arguments = {each: ARGUMENTS[each] for each in needed if each in ARGUMENTS}
    if name.endswith("Classifier") and "estimators" in arguments:
        arguments["estimators"] = CLASSIFIERS
    if name.startswith(("Regressor", "RANSAC", "TransformedTarget")) and "estimator" in arguments:
        arguments["estimator"] = Ridge()
    if name.endswith("RandomProjection"):
        arguments["n_components"] = 2
    if name == "SelfTrainingClassifier":
        arguments["estimator"] = LogisticRegression(max_iter=500)
    failures = []
    for data in DATA:
        try:
            model = kind(**arguments).fit(*data)
            answers(best_estimator(model), data[0])
            return model, data[0]
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            failures.append(f"{type(error).__name__}: {error}")
    raise AssertionError(f"{name} could be fitted on nothing here: {failures}")


@pytest.mark.parametrize(("name", "kind"), ESTIMATORS, ids=[name for name, _ in ESTIMATORS])
def test_an_estimator_comes_back_as_it_was(name: str, kind: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, data = fitted(name, kind)
        serializer = choose(model)
        assert serializer.name == "sklearn"
        serializer.save(model, tmp_path)
        back = load_native(tmp_path, "sklearn", None, "model.pkl")
        assert type(back) is type(best_estimator(model))
        for found, wanted in zip(answers(back, data), answers(best_estimator(model), data), strict=True):
            if wanted.dtype.kind == "f":
                np.testing.assert_allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE)
            else:
                np.testing.assert_array_equal(found, wanted)


def answers(model: Any, data: Any) -> list[Any]:
    """Gives what it predicts and transforms, as dense arrays."""
    calls = [getattr(model, name) for name in ("predict", "transform") if callable(getattr(model, name, None))]
    return [value.toarray() if hasattr(value, "toarray") else np.asarray(value) for value in (call(data) for call in calls)]
