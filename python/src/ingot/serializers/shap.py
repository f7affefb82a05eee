"""Saves SHAP explainers, which are pickled: most hold functions or the model itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..kinds import comes_from, is_dataframe
from .base import Saved
from .estimators import categories_of
from .pickling import write_pickle


class ShapSerializer:
    """An explainer by itself, or beside its model: ``push({"model": model, "explainer": explainer}, …)``."""

    name = "shap"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """An explainer of ``shap``: TreeExplainer, LinearExplainer, KernelExplainer and others."""
        return comes_from(model, "shap") and not isinstance(model, type) and hasattr(model, "shap_values")

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.pkl``."""
        modules, notices = write_pickle(model, directory / "model.pkl", code=code)
        names = _features(model, data)
        takes = "dataframe" if names is not None else "array"
        description: dict[str, Any] = {"artifact": "model.pkl", "class": f"{type(model).__module__}.{type(model).__qualname__}"}
        if names is not None:
            description["features"] = names
            categories = categories_of(data)
            description.update({"categories": categories} if categories else {})
        return Saved(
            flavor="shap",
            modules=modules | {"shap", "numpy"},
            executes_code=True,
            reason="a pickle can run any code when it is loaded",
            takes=takes,
            description=description,
            params={"explainer": type(model).__name__},
            notices=notices,
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported."""
        return []


def _features(model: Any, data: Any) -> list[str] | None:
    if is_dataframe(data):
        return [str(name) for name in data.columns]
    names = getattr(model, "data_feature_names", None) or getattr(model, "feature_names", None)
    return [str(name) for name in names] if names is not None else None
