"""Saves results of statsmodels as their own pickles: statsmodels knows no other form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from ..kinds import comes_from
from .base import Saved
from .holdings import human
from .pickling import write_pickle

#: What a fit tells about itself, where it has it.
_METRICS = ("aic", "bic", "hqic", "llf", "rsquared", "rsquared_adj", "prsquared", "deviance", "mse", "mae")


class StatsmodelsSerializer:
    """Pickle of a results object: what ``fit()`` gave, with the data that a forecast starts from."""

    name = "statsmodels"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """Results of a model (what ``fit()`` gave), and models themselves, to say that they are not fitted."""
        return comes_from(model, "statsmodels") and not isinstance(model, type) and (_is_result(model) or hasattr(model, "fit"))

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.pkl``.

        :raises InvalidPackage: for a model whose results were not given.
        """
        if not _is_result(model):
            raise InvalidPackage(
                f"this {type(model).__name__} is a model without results",
                code="invalid-package",
                hint="results = model.fit(); ingot.push(results, …)",
            )
        series = hasattr(model, "forecast")
        modules, notices = write_pickle(model, directory / "model.pkl", code=code, holds=_held(model, series))
        formula = _formula(model)
        return Saved(
            flavor="statsmodels",
            modules=modules | {"statsmodels", "pandas", *(formula[1:])},
            executes_code=True,
            reason="a pickle can run any code when it is loaded",
            takes="rows" if series else "dataframe",
            notices=notices,
            description={
                "artifact": "model.pkl",
                "class": f"{type(model).__module__}.{type(model).__qualname__}",
                "kind": "series" if series else "regression",
            },
            params=_params(model, formula),
            metrics=_metrics(model),
        )

    def pip_names(self, model: Any) -> list[str]:
        """pandas and scipy, which statsmodels computes with."""
        return ["pandas", "scipy"]


def _held(model: Any, series: bool) -> str:
    """Says of the data inside what can be done about it: most need it to answer, a regression on columns does without."""
    arrays = [array for name in ("endog", "exog") if (array := getattr(model.model, name, None)) is not None and hasattr(array, "nbytes")]
    rows = len(arrays[0]) if arrays else int(getattr(model, "nobs", 0) or 0)
    held = f"the results hold the {rows:,} rows they were fitted on ({human(sum(int(array.nbytes) for array in arrays))})"
    if series:
        return f"{held}, which a forecast starts from"
    if _formula(model) or not hasattr(model, "remove_data"):
        return f"{held}, as statsmodels keeps them; they are stored with it"
    return f"{held}, as statsmodels keeps them; results.remove_data() before the push leaves them out, and they still predict"


def _is_result(model: Any) -> bool:
    return hasattr(model, "params") and hasattr(model, "model")


def _formula(model: Any) -> tuple[str, ...]:
    """The formula, and the module that reads it (patsy or formulaic)."""
    text = getattr(model.model, "formula", None)
    if not isinstance(text, str):
        return ()
    data = model.model.data
    told = getattr(data, "model_spec", None) or getattr(data, "design_info", None)
    return (text, type(told).__module__.partition(".")[0]) if told is not None else (text,)


def _params(model: Any, formula: tuple[str, ...]) -> dict[str, Any]:
    """How the model was made: its kind, formula, order, trend, link and the like."""
    made = model.model
    found: dict[str, Any] = {"model": type(made).__name__, **({"formula": formula[0]} if formula else {})}
    for name in ("order", "seasonal_order", "trend", "seasonal_periods", "k_ar"):
        value = getattr(made, name, None)
        if isinstance(value, int | float | str):
            found[name] = value
        elif isinstance(value, tuple | list):
            found[name] = list(value)
    family = getattr(made, "family", None)
    if family is not None:
        found["family"] = type(family).__name__
        found["link"] = type(family.link).__name__
    return found


def _metrics(model: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in _METRICS:
        try:
            value = float(getattr(model, name))
        except (AttributeError, TypeError, ValueError, NotImplementedError):
            continue
        if math.isfinite(value):
            found[name] = value
    return found

