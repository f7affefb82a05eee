"""Saves scikit-learn estimators and pipelines, and whatever derives from them (XGBoost's and LightGBM's too)."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors._mappings import takes_mappings
from ..errors import InvalidPackage
from ..kinds import comes_from, is_dataframe
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
        check_fitted(best)
        takes = what_it_takes(best, data)
        modules, notices = write_pickle(marked(best, takes), directory / "model.pkl", code=code)
        return Saved(
            flavor="sklearn",
            modules=modules,
            executes_code=True,
            reason="a pickle can run any code when it is loaded",
            takes=takes,
            model=best,
            notices=(*notices, *cannot_answer(best)),
        )

    def pip_names(self, model: Any) -> list[str]:
        """scikit-learn always, pandas where the model was fitted on DataFrames."""
        return ["scikit-learn", "pandas"] if takes_dataframe(best_estimator(model)) else ["scikit-learn"]


def check_fitted(model: Any) -> None:
    """Raises InvalidPackage for an estimator that learned nothing yet."""
    if not is_fitted(model):
        raise InvalidPackage(
            f"this {type(model).__name__} is not fitted yet, so it cannot predict",
            code="invalid-package",
            hint="call model.fit(X, y) before ingot.push(model, …)",
        )


def best_estimator(model: Any) -> Any:
    """Gives what a finished search found best; any other estimator as it is."""
    if hasattr(model, "cv_results_") and hasattr(model, "best_estimator_"):
        return model.best_estimator_
    return model


def what_it_takes(model: Any, data: Any = None) -> str:
    """Says whether rows come to it as a ``dataframe``, as an ``array``, or as ``rows`` (dicts), as a DictVectorizer wants them."""
    if takes_mappings(model):
        return "rows"
    own = not type(_first_step(model)).__module__.startswith("sklearn.")
    return "dataframe" if takes_dataframe(model) or (own and is_dataframe(data)) else "array"


def _first_step(model: Any) -> Any:
    while getattr(model, "steps", None):
        model = model.steps[0][1]
    return model


def marked(model: Any, takes: str) -> Any:
    """Notes in the stored copy what the estimator cannot tell by itself; the user's own object stays as it is."""
    if takes == "array" or (takes == "dataframe" and takes_dataframe(model)):
        return model
    marked = copy.copy(model)
    marked.ingot_input = takes
    return marked


def cannot_answer(model: Any) -> list[str]:
    """Gives a notice where an estimator has no predict: it can be stored, not served."""
    if callable(getattr(model, "predict", None)):
        return []
    others = [name for name in ("transform", "score_samples") if callable(getattr(model, name, None))]
    offers = f"; .{others[0]}() works after ingot.load" if others else ""
    return [f"a {type(model).__name__} has no predict(), so it can be stored and loaded but not served{offers}"]


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
        return _learned_in_its_own_way(model)
    except TypeError:
        return True
    return True


def _learned_in_its_own_way(model: Any) -> bool:
    """Says whether the last step comes from elsewhere and keeps what it learned under other names, or nothing.

    scikit-learn only knows attributes like ``coef_`` as learned.
    """
    while getattr(model, "steps", None):
        model = model.steps[-1][1]
    kind = type(model)
    if kind.__module__.partition(".")[0] == "sklearn" or hasattr(kind, "__sklearn_is_fitted__"):
        return False
    given = set(model.get_params(deep=False)) if hasattr(model, "get_params") else set()
    return bool(set(vars(model)) - given) or not _keeps_something(getattr(kind, "fit", None))


def _keeps_something(fit: Any) -> bool:
    import dis

    code = getattr(fit, "__code__", None)
    return code is None or any(step.opname == "STORE_ATTR" for step in dis.get_instructions(code))
