"""Saves CatBoost models as ``.cbm``, CatBoost's own format; parameters lie beside it as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..kinds import is_dataframe
from .base import Saved
from .estimators import last_metrics, left_out, not_fitted, own_class, storable, write_estimator


class CatboostSerializer:
    """Data only: CatBoost, CatBoostClassifier, CatBoostRegressor, CatBoostRanker."""

    name = "catboost"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """An object of a class that ``catboost`` defines."""
        return (own_class(model, "catboost") or "").startswith("catboost.core.CatBoost") and hasattr(model, "is_fitted")

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.cbm`` and ``estimator.json``.

        :raises InvalidPackage: for a model that is not fitted.
        """
        if not model.is_fitted():
            raise not_fitted(model)
        model.save_model(str(directory / "model.cbm"), format="cbm")
        params, left = storable(model.get_params())
        description: dict[str, Any] = {"artifact": "model.cbm", "class": own_class(model, "catboost")}
        if not left:
            # Else those that CatBoost keeps in its own file have to do.
            description["estimator"] = write_estimator(directory, {"params": params})
        best = model.get_best_iteration()
        return Saved(
            flavor="catboost",
            modules=frozenset({"catboost", "numpy"}),
            takes=_takes(model, data),
            description=description,
            params={"tree_count": model.tree_count_, **({} if best is None else {"best_iteration": best})},
            metrics=last_metrics(model.get_evals_result(), best),
            notices=left_out(left),
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported."""
        return []


def _takes(model: Any, data: Any) -> str:
    """A model that learned from an array numbers its columns, unless some of them are no numbers."""
    names = [str(name) for name in model.feature_names_]
    mixed = [*model.get_cat_feature_indices(), *model.get_text_feature_indices(), *model.get_embedding_feature_indices()]
    counted = names == [str(place) for place in range(len(names))]
    return "dataframe" if is_dataframe(data) or mixed or not counted else "array"
