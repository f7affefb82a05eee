"""What a search over hyperparameters left in the object it found: scores of its cross-validation and what it chose."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..kinds import is_array
from .hyperparameters import UNSAYABLE, parameter

#: What estimators that search by themselves (``LassoCV``, ``LogisticRegressionCV``, ``RFECV``) call their choice.
_CHOSEN = ("alpha_", "C_", "l1_ratio_", "n_features_")


def search_results(model: Any) -> tuple[dict[str, float], dict[str, Any]]:
    """Gives cross-validation scores and what was chosen; empty for anything that searched nothing.

    Knows searches that keep ``cv_results_`` (``GridSearchCV``, ``RandomizedSearchCV``, ``HalvingGridSearchCV``, third
    parties' with the same attributes) and estimators whose name ends in ``CV``, also as the last step of a pipeline or
    inside a ``TransformedTargetRegressor``.

    >>> class Search:
    ...     cv_results_, best_index_ = {"mean_test_score": [0.7, 0.9], "std_test_score": [0.1, 0.02]}, 1
    ...     best_params_ = {"depth": 3}
    >>> search_results(Search())
    ({'cv_score': 0.9, 'cv_score_std': 0.02}, {'depth': 3})
    """
    for searched in _inside(model):
        results = getattr(searched, "cv_results_", None)
        if isinstance(results, Mapping) and isinstance(getattr(searched, "best_params_", None), Mapping):
            return _searched(searched, results)
        if type(searched).__name__.endswith("CV"):
            return _by_itself(searched, results)
    return {}, {}


def _inside(model: Any) -> Iterator[Any]:
    for _ in range(8):
        yield model
        steps = getattr(model, "steps", None)
        inner = steps[-1][-1] if isinstance(steps, list) and steps else getattr(model, "regressor_", None)
        if inner is None:
            return
        model = inner


def _searched(model: Any, results: Mapping[Any, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    index = getattr(model, "best_index_", None)
    scores: dict[str, float] = {}
    for key, column in results.items() if index is not None else ():
        if str(key).startswith(("mean_test_", "std_test_")):
            kind, _, name = str(key).partition("_test_")
            _add(scores, f"cv_{name}" if kind == "mean" else f"cv_{name}_std", column[index])
    best = {str(key): parameter(value) for key, value in model.best_params_.items()}
    return scores, {key: value for key, value in best.items() if value is not UNSAYABLE}


def _by_itself(model: Any, results: object) -> tuple[dict[str, float], dict[str, Any]]:
    scores: dict[str, float] = {}
    try:
        if is_array(getattr(model, "mse_path_", None)):
            _add(scores, "cv_mse", model.mse_path_.mean(axis=-1).min())
        elif isinstance(results, Mapping) and "mean_test_score" in results:
            _add(scores, "cv_score", max(results["mean_test_score"]))
        elif getattr(model, "best_score_", None) is not None:
            _add(scores, "cv_score", model.best_score_)
        elif getattr(model, "scores_", None) is not None:
            _add(scores, "cv_score", _best_mean(model.scores_))
    except (TypeError, ValueError, AttributeError, IndexError):
        scores = {}
    chosen = {name: parameter(getattr(model, name, None)) for name in _CHOSEN if hasattr(model, name)}
    return scores, {key: value for key, value in chosen.items() if value is not UNSAYABLE and value is not None}


def _best_mean(scores: Any) -> float:
    """Of scores by class, fold and setting: the best mean over folds, averaged over the classes."""
    each = list(scores.values()) if isinstance(scores, Mapping) else [scores]
    best = [float(table.mean(axis=0).max()) for table in each if getattr(table, "ndim", 0) >= 2]
    return sum(best) / len(best)


def _add(scores: dict[str, float], name: str, value: Any) -> None:
    number = float(value)
    if math.isfinite(number):
        scores[name] = number
