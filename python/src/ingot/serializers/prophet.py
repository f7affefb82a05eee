"""Saves Prophet models as the JSON that Prophet itself writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .base import Saved
from .estimators import not_fitted, own_class

_PARAMS = (
    "growth",
    "n_changepoints",
    "changepoint_range",
    "changepoint_prior_scale",
    "seasonality_mode",
    "seasonality_prior_scale",
    "holidays_prior_scale",
    "interval_width",
    "uncertainty_samples",
    "yearly_seasonality",
    "weekly_seasonality",
    "daily_seasonality",
)


class ProphetSerializer:
    """Data only. The file holds the history a forecast starts from."""

    name = "prophet"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A ``Prophet``."""
        return own_class(model, "prophet") == "prophet.forecaster.Prophet"

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.json``.

        :raises InvalidPackage: for a model that is not fitted.
        """
        if model.history is None:
            raise not_fitted(model)
        from prophet.serialize import model_to_json

        (directory / "model.json").write_text(model_to_json(model), encoding="utf-8")
        params = {name: value for name in _PARAMS if isinstance(value := getattr(model, name, None), bool | int | float | str)}
        return Saved(
            flavor="prophet",
            modules=frozenset({"prophet", "pandas", "numpy"}),
            takes="dataframe",
            description={"artifact": "model.json", "class": "prophet.forecaster.Prophet"},
            params=params,
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported."""
        return []
