"""Tables for models that learned from named columns and categories; shared by the flavors of boosted trees."""

from __future__ import annotations

import importlib
from typing import Any

from . import InvalidPackage

__all__ = ["column_names", "TableModel", "in_order", "is_table", "kind_of", "signature", "with_categories"]


def kind_of(path: str, module: str, base: str) -> Any:
    """Gives a class by its full name, from the framework ``module`` and derived from ``base``: ``xgboost.sklearn.XGBClassifier``.

    Raises InvalidPackage for anything else, also for what the framework's modules happen to import.
    """
    home, _, name = path.rpartition(".")
    if home.partition(".")[0] == module:
        try:
            kind = getattr(importlib.import_module(home), name, None)
        except ImportError:
            kind = None
        if isinstance(kind, type) and any(each.__name__ == base and _is_from(each, module) for each in kind.__mro__):
            return kind
    raise InvalidPackage(f"flavor.json names the class {path}, which is no model of {module}")


def _is_from(kind: type, module: str) -> bool:
    return kind.__module__.partition(".")[0].strip("_") == module


def is_table(data: Any) -> bool:
    """Says whether data is a DataFrame."""
    return hasattr(data, "iloc") and hasattr(data, "columns")


def column_names(data: Any) -> list[str]:
    """Gives a DataFrame's columns as text."""
    return [str(name) for name in data.columns]


def in_order(data: Any, names: list[str] | None) -> Any:
    """Gives a DataFrame's columns as the model learned them; anything else, and a frame that lacks one, as it is."""
    if not names or not is_table(data):
        return data
    present = column_names(data)
    if present == names or any(name not in present for name in names):
        return data
    return data.iloc[:, [present.index(name) for name in names]]


def with_categories(data: Any, categories: dict[str, list[Any]]) -> Any:
    """Gives the named columns of a DataFrame the categories of training, where they are not categorical yet.

    A value that is no category becomes missing. ``1.0`` and ``"1"`` are found as the category ``1``.
    """
    wanted = [name for name in categories if is_table(data) and name in data.columns]
    if not any(str(data[name].dtype) != "category" for name in wanted):
        return data
    import pandas as pd  # noqa: PLC0415

    result = data.copy(deep=False)
    for name in wanted:
        if str(result[name].dtype) != "category":
            known = categories[name]
            by_text = {_text(value): value for value in known}
            values = [by_text.get(_text(value)) for value in result[name].tolist()]
            result[name] = pd.Categorical(values, categories=known)
    return result


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def signature(
    names: list[str], categories: dict[str, list[Any]], classes: Any = None, *, output: str = "float"
) -> dict[str, Any]:
    """Gives the signature a fitted model tells by itself: named numbers, its categories, its classes; marked partial."""
    inputs = [
        {"name": name, "type": "categorical", "categories": categories[name], "nullable": True}
        if name in categories
        else {"name": name, "type": "float", "nullable": True}
        for name in names
    ]
    outputs = [_prediction(classes, output)]
    return {"inputs": inputs, "outputs": outputs, "origin": "captured", "partial": True}


def _prediction(classes: Any, output: str) -> dict[str, Any]:
    if classes is None:
        return {"name": "prediction", "type": output}
    listed = classes.tolist() if hasattr(classes, "tolist") else list(classes)
    for kind, name in ((bool, "boolean"), (int, "integer"), ((int, float), "float")):
        if all(isinstance(value, kind) for value in listed):
            return {"name": "prediction", "type": name}
    return {"name": "prediction", "type": "categorical", "categories": [str(value) for value in listed]}


class TableModel:
    """A model that is asked with tables: columns in its own order, text as the categories of training.

    ``names`` are those of its columns, None where only their order counts; ``count`` is how many there are.
    """

    def __init__(self, native: Any, names: list[str] | None, count: int, categories: dict[str, list[Any]]) -> None:
        self._native = native
        self._names = names
        self._categories = categories
        self.ingot_input = "dataframe" if names else "array"
        self.classes_ = getattr(native, "classes_", None) if hasattr(native, "predict_proba") else None
        self.ingot_signature = signature(names or [f"x{index}" for index in range(count)], categories, self.classes_)
        if hasattr(native, "predict_proba"):
            self.predict_proba = lambda data: native.predict_proba(self.table(data))

    def predict(self, data: Any) -> Any:
        """Labels of a classifier, numbers of everything else."""
        return self._native.predict(self.table(data))

    def table(self, data: Any) -> Any:
        """Gives data as the model takes it."""
        if is_table(data) and not self._names:
            return data.to_numpy()
        return with_categories(in_order(data, self._names), self._categories)
