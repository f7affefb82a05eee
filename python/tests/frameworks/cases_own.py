"""Functions, objects of one's own classes, ONNX graphs, several models together."""

from __future__ import annotations

import functools
from typing import Any

from matrix import Case

ROWS = [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]


def double(rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] * 2 for row in rows]


def scaled(factor: float, rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] * factor for row in rows]


class Threshold:
    """A model of one's own, as people write it in a notebook."""

    def __init__(self, limit: float = 2.0) -> None:
        self.limit = limit

    def predict(self, rows: list[dict[str, float]]) -> list[str]:
        return ["high" if row["x"] > self.limit else "low" for row in rows]

    def score(self, rows: list[dict[str, float]]) -> list[float]:
        return [row["x"] - self.limit for row in rows]


class Summed:
    """A callable object."""

    def __call__(self, rows: list[dict[str, float]]) -> list[float]:
        return [row["x"] + row["y"] for row in rows]


def _forest() -> tuple[Any, Any]:
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier

    data, target = load_iris(return_X_y=True, as_frame=True)
    return RandomForestClassifier(n_estimators=5, random_state=0).fit(data, target), data


def together() -> tuple[Any, Any]:
    model, data = _forest()
    return {"threshold": 0.4, "model": model, "score": Threshold(1.0)}, data[::10]


def pair() -> tuple[Any, Any]:
    model, data = _forest()
    return (model, double), data[::10]


def graph() -> tuple[Any, Any]:
    import numpy as np
    from skl2onnx import to_onnx

    model, data = _forest()
    rows = data.to_numpy(dtype=np.float32)
    return to_onnx(model, rows[:1], options={"zipmap": False}), rows[::10]


def _run(model: Any, rows: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString()) if hasattr(model, "SerializeToString") else model
    label, probabilities = session.run(None, {session.get_inputs()[0].name: rows})
    return {"label": label, "probabilities": probabilities}


CASES = [
    Case("function", "function", lambda: (double, ROWS), answer=lambda model, rows: model(rows)),
    Case("function", "lambda", lambda: (lambda rows: [row["y"] for row in rows], ROWS), answer=lambda model, rows: model(rows)),
    Case("object", "object with predict", lambda: (Threshold(1.5), ROWS)),
    Case("object", "callable object", lambda: (Summed(), ROWS), answer=lambda model, rows: model(rows)),
    Case("object", "class", lambda: (Threshold, ROWS), answer=lambda model, rows: model().predict(rows)),
    Case("object", "bound method", lambda: (Threshold(2.0).score, ROWS), answer=lambda model, rows: model(rows)),
    Case("object", "functools.partial", lambda: (functools.partial(scaled, 3.0), ROWS), answer=lambda model, rows: model(rows)),
    Case("onnx", "graph of a forest", graph, 1e-6, answer=_run, comes_back="onnxruntime.capi.onnxruntime_inference_collection.InferenceSession", distributions=("onnx", "onnxruntime")),
    Case("several", "dict of models and a number", together),
    Case("several", "tuple", pair),
]
