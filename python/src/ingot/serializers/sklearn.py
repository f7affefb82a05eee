"""Saves scikit-learn estimators and pipelines, and whatever derives from them (XGBoost's and LightGBM's too)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from ..kinds import comes_from
from .base import Saved
from .pickling import write_pickle


class SklearnSerializer:
    """Pickle, protocol 5: what scikit-learn itself recommends where speed and exactness matter."""

    name = "sklearn"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """Any estimator: an object with ``get_params`` whose class derives from one of scikit-learn's."""
        return comes_from(model, "sklearn") and hasattr(model, "get_params") and not isinstance(model, type)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.pkl``; of a search (GridSearchCV) its best estimator."""
        best = best_estimator(model)
        if not is_fitted(best):
            raise InvalidPackage(
                f"this {type(best).__name__} is not fitted yet, so it cannot predict",
                code="invalid-package",
                hint="call model.fit(X, y) before ingot.push(model, …)",
            )
        modules, notices = write_pickle(best, directory / "model.pkl", code=code)
        return Saved(
            flavor="sklearn",
            modules=modules,
            executes_code=True,
            reason="a pickle can run any code when it is loaded",
            takes="dataframe" if takes_dataframe(best) else "array",
            model=best,
            notices=notices,
        )

    def pip_names(self, model: Any) -> list[str]:
        """scikit-learn always, pandas where the model was fitted on DataFrames."""
        return ["scikit-learn", "pandas"] if takes_dataframe(best_estimator(model)) else ["scikit-learn"]


def best_estimator(model: Any) -> Any:
    """Gives what a finished search found best; any other estimator as it is."""
    if hasattr(model, "cv_results_") and hasattr(model, "best_estimator_"):
        return model.best_estimator_
    return model


def takes_dataframe(model: Any) -> bool:
    """Says whether it was fitted on named columns."""
    return getattr(model, "feature_names_in_", None) is not None


def is_fitted(model: Any) -> bool:
    """Says whether the estimator learned something; one that needs no fitting counts as fitted."""
    import sklearn.exceptions
    import sklearn.utils.validation

    try:
        sklearn.utils.validation.check_is_fitted(model)
    except sklearn.exceptions.NotFittedError:
        return False
    except TypeError:
        return True
    return True
