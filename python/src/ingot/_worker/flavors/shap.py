"""SHAP explainers: a pickle, as SHAP itself knows no other form for most of them.

``flavor.json``: ``artifact`` (the pickle, or a ``.joblib`` file). Asked with rows like the model it explains; ``predict`` and ``explain`` give ``values``
(one number a feature, or a feature and class) and ``base_values``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import existing
from ._tables import in_order, with_categories

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the explainer. Executes what the pickle says."""
    artifact = existing(root, description["artifact"])
    if artifact.suffix == ".joblib":
        import joblib  # noqa: PLC0415

        return joblib.load(artifact)
    import pickle  # noqa: PLC0415

    with artifact.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - an explainer holds functions


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers rows."""
    return _Asked(native, description)


class _Asked:
    def __init__(self, native: Any, description: dict[str, Any]) -> None:
        self._native = native
        self._names = description.get("features")
        self._categories = description.get("categories", {})
        self.ingot_input = description.get("input", "dataframe")

    def predict(self, data: Any) -> dict[str, Any]:
        """Gives ``values`` and ``base_values``, one entry a row each."""
        import numpy as np  # noqa: PLC0415

        found = self._native(with_categories(in_order(data, self._names), self._categories))
        rows = len(found.values)
        base = np.asarray(found.base_values)
        # Some explainers give one base value for all rows.
        if base.ndim == 0 or base.shape[0] != rows:
            base = np.broadcast_to(base, (rows, *base.shape)).copy()
        return {"values": np.asarray(found.values), "base_values": base}

    explain = predict
