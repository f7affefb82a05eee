"""XGBoost models: UBJSON or JSON as XGBoost itself writes it.

``flavor.json``: ``artifact`` (the model), ``class`` (``xgboost.core.Booster`` or a class of ``xgboost.sklearn``),
``estimator`` (a JSON file with the parameters of the scikit-learn wrapper), ``categories`` (by column).
Without ``class`` the file tells: what the scikit-learn wrapper saved comes back as one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import existing
from ._tables import TableModel, is_table, kind_of

__all__ = ["load", "predictor"]

_BY_TYPE = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
#: What load_model() writes over the parameters that the user chose.
_OVERWRITTEN = ("objective", "booster", "base_score", "feature_types", "enable_categorical")


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives a ``Booster`` or the scikit-learn wrapper that was pushed."""
    import xgboost  # noqa: PLC0415

    file = str(existing(root, description["artifact"]))
    kind = description.get("class")
    if kind is None:
        return _told_by_file(xgboost, file)
    if kind.rpartition(".")[2] == "Booster":
        return xgboost.Booster(model_file=file)
    return _estimator(root, kind_of(kind, "xgboost", "XGBModel"), file, description.get("estimator"))


def _told_by_file(xgboost: Any, file: str) -> Any:
    booster = xgboost.Booster(model_file=file)
    wrapper = booster.attr("scikit_learn")
    name = _BY_TYPE.get(json.loads(wrapper).get("_estimator_type", "")) if wrapper else None
    if name is None:
        return booster
    model = getattr(xgboost, name)()
    model.load_model(file)
    return model


def _estimator(root: Path, kind: Any, file: str, told: str | None) -> Any:
    document = json.loads(existing(root, told).read_text("utf-8")) if told else {}
    params = document.get("params", {})
    model = kind(**params)
    model.load_model(file)
    for name in _OVERWRITTEN:
        if name in params:
            setattr(model, name, params[name])
    if "evals_result" in document:
        model.evals_result_ = document["evals_result"]
    return model


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers tables: columns in the model's order, text as the categories of training."""
    is_booster = hasattr(native, "save_raw")
    booster = native if is_booster else native.get_booster()
    categories = description.get("categories") or model_categories(booster)
    kind = _Booster if is_booster else TableModel
    return kind(native, booster.feature_names, booster.num_features(), categories)


class _Booster(TableModel):
    """A plain Booster: wants a DMatrix."""

    def predict(self, data: Any) -> Any:
        """What ``Booster.predict`` gives: probabilities of an objective that has them."""
        import xgboost  # noqa: PLC0415

        if isinstance(data, xgboost.DMatrix):
            return self._native.predict(data)
        matrix = xgboost.DMatrix(self.table(data), enable_categorical=bool(self._categories) or _has_category(data))
        return self._native.predict(matrix)


def _has_category(data: Any) -> bool:
    return is_table(data) and any(str(dtype) == "category" for dtype in data.dtypes)


def model_categories(booster: Any) -> dict[str, list[Any]]:
    """Gives the categories that XGBoost 3.1 and later keep in the model, by column; empty where there are none."""
    types, names = booster.feature_types or [], booster.feature_names or []
    if "c" not in types:
        return {}
    model = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    encoded = (model.get("model") or model.get("gbtree", {}).get("model") or {}).get("cats", {}).get("enc", [])
    if len(encoded) != len(names):
        return {}
    return {name: _decoded(column) for name, kind, column in zip(names, types, encoded) if kind == "c"}


def _decoded(column: dict[str, Any]) -> list[Any]:
    """Texts lie end to end as bytes, with the place where each begins; numbers as they are."""
    values = column.get("values", [])
    if "offsets" not in column:
        return list(values)
    offsets, content = column["offsets"], bytes(value % 256 for value in values)
    return [content[start:end].decode() for start, end in zip(offsets, offsets[1:])]
