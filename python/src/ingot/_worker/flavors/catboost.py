"""CatBoost models: the ``.cbm`` file that CatBoost itself writes.

``flavor.json``: ``artifact`` (the model), ``class`` (a class of ``catboost.core``), ``estimator`` (a JSON file with the
parameters). A bare ``.cbm`` file is a ``CatBoostClassifier`` when it names classes, else a ``CatBoost``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import existing
from ._tables import in_order, is_table, kind_of, signature

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the model that was pushed, of its own class."""
    file = existing(root, description["artifact"])
    form = {".json": "json", ".onnx": "onnx"}.get(file.suffix, "cbm")
    kind = description.get("class")
    if kind is None:
        return _told_by_file(str(file), form)
    model = kind_of(kind, "catboost", "CatBoost")()
    model.load_model(str(file), format=form)
    if description.get("estimator"):
        # CatBoost's own file holds other spellings of them, which it would not take twice.
        model._init_params = json.loads(existing(root, description["estimator"]).read_text("utf-8"))["params"]
    return model


def _told_by_file(file: str, form: str) -> Any:
    import catboost  # noqa: PLC0415

    model = catboost.CatBoost()
    model.load_model(file, format=form)
    told = json.loads(dict(model.get_metadata()).get("class_params") or "{}")
    loss = model.get_all_params().get("loss_function", "") if form == "cbm" else ""
    if told.get("class_names") or loss in ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll"):
        model = catboost.CatBoostClassifier()
        model.load_model(file, format=form)
    return model


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers tables: whole numbers and text in categorical columns, as CatBoost wants them."""
    asked = _Asked(native, description)
    if hasattr(native, "predict_proba"):
        asked.predict_proba = lambda data: native.predict_proba(asked.table(data))
    return asked


class _Asked:
    """A CatBoost model, asked with tables."""

    def __init__(self, native: Any, description: dict[str, Any]) -> None:
        self._native = native
        names = [str(name) for name in native.feature_names_]
        # Without names CatBoost counts the columns: then only their order counts.
        self._names = None if names == [str(index) for index in range(len(names))] else names
        self._categorical = list(native.get_cat_feature_indices())
        self._texts = list(native.get_text_feature_indices())
        is_mixed = bool(self._categorical or self._texts or native.get_embedding_feature_indices())
        self.ingot_input = description.get("input") or ("dataframe" if self._names or is_mixed else "array")
        classes = native.classes_ if hasattr(native, "predict_proba") else None
        self.classes_ = classes if classes is not None and len(classes) else None
        self.ingot_signature = self._told(names)

    def predict(self, data: Any) -> Any:
        """Labels of a classifier, numbers of everything else."""
        answer = self._native.predict(self.table(data))
        # Several classes come as a column of labels.
        return answer[:, 0] if self.classes_ is not None and getattr(answer, "ndim", 1) == 2 and answer.shape[1] == 1 else answer

    def table(self, data: Any) -> Any:
        """Gives data as the model takes it."""
        data = in_order(data, self._names)
        if not is_table(data) or not (self._categorical or self._texts):
            return data
        result = data.copy(deep=False)
        for place in self._categorical + self._texts:
            name = result.columns[place]
            if str(result[name].dtype) == "category" or result[name].dtype.kind in "iub":
                continue
            clean = _category if place in self._categorical else _sentence
            result[name] = _objects([clean(value) for value in result[name].tolist()], result.index)
        return result

    def _told(self, names: list[str]) -> dict[str, Any]:
        listed = self._names or [f"x{index}" for index in range(len(names))]
        told = signature(listed, {}, self.classes_)
        for place in self._categorical + self._texts:
            told["inputs"][place] = {"name": listed[place], "type": "string", "nullable": True}
        return told


def _category(value: Any) -> Any:
    """Whole numbers come as floats through JSON; a missing one is the text that CatBoost's own guide uses."""
    if value is None or value != value:
        return "nan"
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _sentence(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _objects(values: list[Any], index: Any) -> Any:
    import pandas as pd  # noqa: PLC0415

    return pd.Series(values, index=index, dtype=object)
