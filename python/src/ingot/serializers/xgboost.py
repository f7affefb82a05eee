"""Saves XGBoost models as UBJSON, XGBoost's own format; the scikit-learn wrapper's parameters lie beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors.xgboost import model_categories
from .base import Saved
from .estimators import categories_of, last_metrics, left_out, not_fitted, own_class, storable, write_estimator

_CLASSES = ("xgboost.core.Booster", "xgboost.sklearn.")


class XgboostSerializer:
    """Data only: a Booster, or a class of ``xgboost.sklearn``. The user's own subclass is pickled as scikit-learn's are."""

    name = "xgboost"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A ``Booster``, or an object of a class that ``xgboost.sklearn`` defines."""
        return (own_class(model, "xgboost") or "").startswith(_CLASSES)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.ubj`` and, for the wrapper, ``estimator.json``.

        :raises InvalidPackage: for a wrapper that is not fitted.
        """
        wrapped = hasattr(model, "get_booster")
        if wrapped and not model.__sklearn_is_fitted__():
            raise not_fitted(model)
        booster = model.get_booster() if wrapped else model
        model.save_model(directory / "model.ubj")
        description: dict[str, Any] = {"artifact": "model.ubj", "class": own_class(model, "xgboost")}
        categories = model_categories(booster) or _given_categories(booster, data)
        if categories:
            description["categories"] = categories
        notices = _describe_wrapper(model, directory, description) if wrapped else ()
        takes = "dataframe" if booster.feature_names else "array"
        return Saved(
            flavor="xgboost",
            modules=frozenset({"xgboost", "numpy", *(["sklearn"] if wrapped else [])}),
            takes=takes,
            description=description,
            params=_params(booster, wrapped),
            metrics=_metrics(model, booster),
            notices=notices,
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported: the installed distribution, be it ``xgboost`` or ``xgboost-cpu``, is found by its module."""
        return []


def _given_categories(booster: Any, data: Any) -> dict[str, list[Any]]:
    """Before XGBoost 3.1 a model does not know its categories: then the training data tells them."""
    types = dict(zip(booster.feature_names or [], booster.feature_types or [], strict=False))
    return categories_of(data, [name for name, kind in types.items() if kind == "c"])


def _describe_wrapper(model: Any, directory: Path, description: dict[str, Any]) -> tuple[str, ...]:
    params, left = storable(model.get_params(deep=False))
    document: dict[str, Any] = {"params": params}
    if getattr(model, "evals_result_", None):
        document["evals_result"] = model.evals_result_
    description["estimator"] = write_estimator(directory, document)
    return left_out(left)


def _params(booster: Any, wrapped: bool) -> dict[str, Any]:
    """What training decided: the best round, and of a plain Booster how it was trained."""
    attributes = booster.attributes()
    params: dict[str, Any] = {key: int(attributes[key]) for key in ("best_iteration",) if key in attributes}
    params["num_boosted_rounds"] = booster.num_boosted_rounds()
    if wrapped:
        return params
    learner = json.loads(booster.save_config())["learner"]
    params["objective"] = learner["objective"]["name"]
    told = learner["gradient_booster"].get("tree_train_param") or {}
    return {**params, **{key: _number(told[key]) for key in _TOLD if key in told}}


_TOLD = ("learning_rate", "max_depth", "min_child_weight", "gamma", "subsample", "colsample_bytree", "reg_alpha", "reg_lambda")


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _metrics(model: Any, booster: Any) -> dict[str, float]:
    attributes = booster.attributes()
    best = int(attributes["best_iteration"]) if "best_iteration" in attributes else None
    found = last_metrics(getattr(model, "evals_result_", None), best)
    if "best_score" in attributes:
        found["best_score"] = float(attributes["best_score"])
    return found
