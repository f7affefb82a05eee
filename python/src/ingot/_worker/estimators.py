"""What a fitted scikit-learn estimator says about its inputs and outputs, for packages that declare nothing."""

from __future__ import annotations

from typing import Any

__all__ = ["estimator_signature"]


def estimator_signature(native: Any) -> dict[str, Any] | None:
    """The signature that can be read from a fitted estimator, marked partial; None when it says nothing."""
    inputs = _inputs(native)
    if inputs is None:
        return None
    return {"inputs": inputs, "outputs": _outputs(native), "origin": "captured", "partial": True}


def _inputs(native: Any) -> list[dict[str, Any]] | None:
    names = getattr(native, "feature_names_in_", None)
    if names is not None:
        # The types are known only where every column must be a number; a column transformer may take text.
        return None if _takes_text(native) else [{"name": str(name), "type": "float"} for name in names]
    count = getattr(native, "n_features_in_", None)
    if count is None or _takes_text(native):
        return None
    return [{"name": "input", "type": "tensor", "dtype": "FP64", "shape": [-1, int(count)]}]


def _takes_text(native: Any) -> bool:
    parts = [native, *native.get_params(deep=True).values()] if hasattr(native, "get_params") else [native]
    return any(
        type(part).__name__.endswith(("ColumnTransformer", "Encoder", "Vectorizer", "FunctionTransformer"))
        for part in parts
    )


def _outputs(native: Any) -> list[dict[str, Any]]:
    classes = getattr(native, "classes_", None)
    count = int(getattr(native, "n_outputs_", 1) or 1)
    if count > 1 or not hasattr(native, "predict"):
        return []
    if classes is None:
        return [{"name": "prediction", "type": "integer" if hasattr(native, "cluster_centers_") else "float"}]
    values = [value.item() if hasattr(value, "item") else value for value in classes]
    if all(isinstance(value, bool) for value in values):
        return [{"name": "prediction", "type": "boolean"}]
    if all(isinstance(value, int) for value in values):
        return [{"name": "prediction", "type": "integer"}]
    if all(isinstance(value, float) for value in values):
        return [{"name": "prediction", "type": "float"}]
    return [{"name": "prediction", "type": "categorical", "categories": [str(value) for value in values]}]
