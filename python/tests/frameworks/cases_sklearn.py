"""scikit-learn: every family of estimators, and pipelines of every shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matrix import Case


def _iris() -> tuple[Any, Any]:
    from sklearn.datasets import load_iris

    data, target = load_iris(return_X_y=True, as_frame=True)
    return data, target


def _fitted(place: str, *, array: bool = False, **arguments: Any) -> Callable[[], tuple[Any, Any]]:
    """Makes an estimator of iris: ``linear_model.Ridge``."""

    def make() -> tuple[Any, Any]:
        import importlib

        module, _, kind = place.rpartition(".")
        data, target = _iris()
        rows = data.to_numpy() if array else data
        model = getattr(importlib.import_module(f"sklearn.{module}"), kind)(**arguments).fit(rows, target)
        return model, rows[::10]

    return make


def pipeline() -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, target = _iris()
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(data, target), data[::10]


def columns() -> tuple[Any, Any]:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pd.DataFrame({"age": range(40), "income": [index * 10.5 for index in range(40)], "plan": ["gold", "free"] * 20})
    target = ["yes" if index % 3 else "no" for index in range(40)]
    split = make_column_transformer((OneHotEncoder(), ["plan"]), (StandardScaler(), ["age", "income"]))
    return make_pipeline(split, GradientBoostingClassifier(n_estimators=5)).fit(table, target), table[::4]


def search() -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    data, target = _iris()
    return GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.5, 2.0]}, cv=2).fit(data, target), data[::10]


def texts() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = ["cheap pills now", "meeting at noon", "win money now", "lunch at noon"] * 5
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(words, ["spam", "ham"] * 10), words[:4]


def dicts() -> tuple[Any, Any]:
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    rows = [{"city": "Ulm" if index % 2 else "Bonn", "rooms": float(index)} for index in range(12)]
    return make_pipeline(DictVectorizer(), Ridge()).fit(rows, [row["rooms"] * 3 for row in rows]), rows[:4]


def several_outputs() -> tuple[Any, Any]:
    from sklearn.ensemble import RandomForestRegressor

    data, target = _iris()
    both = data.assign(kind=target)[["petal width (cm)", "kind"]].to_numpy()
    return RandomForestRegressor(n_estimators=4, random_state=0).fit(data, both), data[::10]


def voting() -> tuple[Any, Any]:
    from sklearn.ensemble import StackingClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.tree import DecisionTreeClassifier

    data, target = _iris()
    parts = [("tree", DecisionTreeClassifier(max_depth=2)), ("bayes", GaussianNB())]
    stack = StackingClassifier(parts, final_estimator=LogisticRegression(max_iter=200), cv=2)
    return VotingClassifier([("stack", stack), ("bayes", GaussianNB())], voting="soft").fit(data, target), data[::10]


def calibrated() -> tuple[Any, Any]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    data, target = _iris()
    return CalibratedClassifierCV(LinearSVC(), cv=2).fit(data, target), data[::10]


def transformed_target() -> tuple[Any, Any]:
    import numpy as np
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import Ridge

    data, target = _iris()
    return TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(data, target), data[::10]


def own_function() -> tuple[Any, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    data, target = _iris()
    return make_pipeline(FunctionTransformer(lambda rows: rows * 2), LogisticRegression(max_iter=500)).fit(data, target), data[::10]


def scaler() -> tuple[Any, Any]:
    from sklearn.preprocessing import StandardScaler

    data, _ = _iris()
    return StandardScaler().fit(data), data[::10]


def balanced() -> tuple[Any, Any]:
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline
    from sklearn.linear_model import LogisticRegression

    data, target = _iris()
    return make_pipeline(RandomOverSampler(random_state=0), LogisticRegression(max_iter=500)).fit(data, target), data[::10]


SKOPS = {"serializer": "skops"}

CASES = [
    Case("scikit-learn", "Pipeline", pipeline),
    Case("scikit-learn", "ColumnTransformer, categories", columns),
    Case("scikit-learn", "GridSearchCV", search),
    Case("scikit-learn", "texts", texts),
    Case("scikit-learn", "dicts", dicts),
    Case("scikit-learn", "several outputs", several_outputs),
    Case("scikit-learn", "VotingClassifier over StackingClassifier", voting),
    Case("scikit-learn", "CalibratedClassifierCV", calibrated),
    Case("scikit-learn", "TransformedTargetRegressor", transformed_target),
    Case("scikit-learn", "Pipeline with a lambda", own_function),
    Case("scikit-learn", "RandomForestClassifier", _fitted("ensemble.RandomForestClassifier", n_estimators=5)),
    Case("scikit-learn", "HistGradientBoostingRegressor", _fitted("ensemble.HistGradientBoostingRegressor", max_iter=5)),
    Case("scikit-learn", "SVC", _fitted("svm.SVC")),
    Case("scikit-learn", "KNeighborsClassifier", _fitted("neighbors.KNeighborsClassifier")),
    Case("scikit-learn", "MLPClassifier", _fitted("neural_network.MLPClassifier", max_iter=40)),
    Case("scikit-learn", "GaussianProcessRegressor", _fitted("gaussian_process.GaussianProcessRegressor", alpha=0.1)),
    Case("scikit-learn", "KMeans, array", _fitted("cluster.KMeans", array=True, n_clusters=3, n_init=1)),
    Case("scikit-learn", "IsolationForest", _fitted("ensemble.IsolationForest", n_estimators=5)),
    Case("scikit-learn", "DummyRegressor", _fitted("dummy.DummyRegressor")),
    Case("scikit-learn", "StandardScaler", scaler, not_served="has no predict", answer=lambda model, rows: model.transform(rows)),
    Case("imbalanced-learn", "Pipeline with RandomOverSampler", balanced),
    Case("skops", "Pipeline", pipeline, push=SKOPS, modules=("skops",)),
    Case("skops", "texts", texts, push=SKOPS, modules=("skops",)),
    Case(
        "skops",
        "RandomForestClassifier, its trees trusted",
        _fitted("ensemble.RandomForestClassifier", n_estimators=5),
        push=SKOPS,
        modules=("skops",),
        trusted=("sklearn.tree._tree.Tree",),
    ),
]
