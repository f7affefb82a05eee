"""A local module that functions and models of the tests refer to."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin

RATE = 3


def scaled(value: float) -> float:
    return value * RATE


def score_by_module(rows: list[dict[str, Any]]) -> list[float]:
    return [scaled(row["x"]) for row in rows]


class Doubler(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, X: Any, y: Any = None) -> Doubler:
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> Any:
        return X * 2


class ByName(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learns nothing about its columns, and names one of them."""

    def fit(self, X: Any, y: Any = None) -> ByName:
        return self

    def transform(self, X: Any) -> Any:
        return X[["a"]].to_numpy()
