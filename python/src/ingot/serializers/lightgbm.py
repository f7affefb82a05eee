"""Saves LightGBM models as the text that LightGBM itself writes; what the scikit-learn wrapper learned lies beside it as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors.lightgbm import model_categories
from .base import Saved
from .estimators import categories_of, last_metrics, left_out, not_fitted, own_class, storable, write_estimator
from .sklearn import SklearnSerializer

_CLASSES = ("lightgbm.basic.Booster", "lightgbm.sklearn.")
#: Made anew when the model is loaded.
_MADE = ("_Booster", "_le", "_classes", "_class_map", "_n_classes", "fitted_")


class LightgbmSerializer:
    """Data only: a Booster, or a class of ``lightgbm.sklearn``. The user's own subclass is pickled as scikit-learn's are."""

    name = "lightgbm"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A ``Booster``, or an object of a class that ``lightgbm.sklearn`` defines."""
        return (own_class(model, "lightgbm") or "").startswith(_CLASSES)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.txt`` and, for the wrapper, ``estimator.json``.

        A wrapper trained with an objective of the user's own answers by that function, so it is pickled.

        :raises InvalidPackage: for a wrapper that is not fitted.
        """
        wrapped = hasattr(model, "booster_") or hasattr(model, "get_params")
        if wrapped and not model.__sklearn_is_fitted__():
            raise not_fitted(model)
        if wrapped and callable(model.objective):
            return SklearnSerializer().save(model, directory, data=data, code=code)
        booster = model.booster_ if wrapped else model
        # All rounds, not only up to the best one: what comes back can go on being trained.
        booster.save_model(directory / "model.txt", num_iteration=-1)
        description: dict[str, Any] = {"artifact": "model.txt", "class": own_class(model, "lightgbm")}
        if booster.best_iteration > 0:
            description["bestIteration"] = booster.best_iteration
        categories = _categories(booster, data)
        if categories:
            description["categories"] = categories
        notices = _describe_wrapper(model, directory, description) if wrapped else ()
        named = not all(re.fullmatch(r"Column_\d+", name) for name in booster.feature_name())
        return Saved(
            flavor="lightgbm",
            modules=frozenset({"lightgbm", "numpy", *(["sklearn"] if wrapped else [])}),
            takes="dataframe" if named else "array",
            description=description,
            params=_params(booster, wrapped),
            metrics=_metrics(model, booster),
            notices=notices,
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported."""
        return []


def _categories(booster: Any, data: Any) -> dict[str, list[Any]]:
    """The model keeps categories in the order of their columns; which these are, the data knows best."""
    known = booster.pandas_categorical or []
    given = categories_of(data)
    # LightGBM replaces spaces in names; the table's own names come to the model later, too.
    if known and len(given) == len(known):
        return {name: list(values) for name, values in zip(given, known, strict=True)}
    return model_categories(booster)


def _describe_wrapper(model: Any, directory: Path, description: dict[str, Any]) -> tuple[str, ...]:
    params, left = storable(model.get_params(deep=False))
    own = set(model.get_params(deep=False)) | set(_MADE)
    state, _ = storable({key: value for key, value in vars(model).items() if key not in own and key != "_other_params"})
    document: dict[str, Any] = {"params": params, "state": state}
    classes = getattr(model, "_classes", None)
    if classes is not None:
        document["classes"] = {"values": classes.tolist(), "dtype": str(classes.dtype)}
    description["estimator"] = write_estimator(directory, document)
    return left_out(left)


def _params(booster: Any, wrapped: bool) -> dict[str, Any]:
    params: dict[str, Any] = {"num_trees": booster.num_trees()}
    if booster.best_iteration > 0:
        params["best_iteration"] = booster.best_iteration
    return params if wrapped else {**storable(booster.params)[0], **params}


def _metrics(model: Any, booster: Any) -> dict[str, float]:
    results = getattr(model, "_evals_result", None)
    if results:
        return last_metrics(results, booster.best_iteration - 1 if booster.best_iteration > 0 else None)
    return {f"{data}-{name}": float(value) for data, scores in (booster.best_score or {}).items() for name, value in scores.items()}
