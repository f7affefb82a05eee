"""LightGBM models: the text that LightGBM itself writes.

``flavor.json``: ``artifact`` (the text), ``class`` (``lightgbm.basic.Booster`` or a class of ``lightgbm.sklearn``),
``estimator`` (a JSON file with what the scikit-learn wrapper learned), ``bestIteration``, ``categories`` (by column).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from . import existing
from ._tables import TableModel, kind_of

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives a ``Booster`` or the scikit-learn wrapper that was pushed, with its classes."""
    import lightgbm  # noqa: PLC0415

    booster = lightgbm.Booster(model_file=str(existing(root, description["artifact"])))
    if description.get("bestIteration"):
        booster.best_iteration = description["bestIteration"]
    kind = description.get("class", "lightgbm.basic.Booster")
    if kind.rpartition(".")[2] == "Booster":
        return booster
    document = json.loads(existing(root, description["estimator"]).read_text("utf-8"))
    return _estimator(kind_of(kind, "lightgbm", "LGBMModel"), booster, document)


def _estimator(kind: Any, booster: Any, document: dict[str, Any]) -> Any:
    """Fills a new wrapper with what ``fit`` would have left in it."""
    model = kind(**document["params"])
    for name, value in document["state"].items():
        setattr(model, name, value)
    model._Booster = booster
    model.fitted_ = True
    if "classes" in document:
        _learn_classes(model, document["classes"])
    return model


def _learn_classes(model: Any, told: dict[str, Any]) -> None:
    import numpy as np  # noqa: PLC0415
    from sklearn.preprocessing import LabelEncoder  # noqa: PLC0415

    encoder = LabelEncoder()
    encoder.classes_ = np.array(told["values"], dtype=told["dtype"])
    model._le = encoder
    model._classes = encoder.classes_
    model._n_classes = len(encoder.classes_)
    model._class_map = dict(zip(encoder.classes_, range(len(encoder.classes_))))


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers tables: columns in the model's order, text as the categories of training."""
    booster = native if hasattr(native, "model_to_string") else native.booster_
    categories = description.get("categories") or model_categories(booster)
    names = booster.feature_name()
    # Without names LightGBM calls the columns Column_0, Column_1, …: then only their order counts. It writes names without
    # spaces and other signs that JSON does not like; then the order counts, too.
    named = not all(re.fullmatch(r"Column_\d+", name) for name in names)
    return TableModel(native, names if named else None, len(names), categories)


def model_categories(booster: Any) -> dict[str, list[Any]]:
    """Gives the categories of pandas columns that LightGBM keeps in the model, by column; empty where it cannot be told."""
    known = booster.pandas_categorical or []
    if not known:
        return {}
    names = booster.feature_name()
    told = re.search(r"^\[categorical_feature: ([\d,]+)\]", booster.model_to_string(num_iteration=1), re.MULTILINE)
    places = [int(place) for place in told[1].split(",")] if told else []
    if len(places) != len(known):
        return {}
    return {names[place]: list(values) for place, values in zip(places, known)}
