"""Models that MLflow saved, asked through ``mlflow.pyfunc``.

``flavor.json``: ``artifact`` (the folder with ``MLmodel``; ``.`` for the package itself), ``input`` (``dataframe`` or
``tensors``). MLflow checks what comes against its own signature, so columns and arrays get exactly the types it names.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import WrongInput, existing

__all__ = ["load", "predictor"]

_COLUMN_TYPES = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64", "boolean": "bool"}
_FEATURE_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "long": "integer",
    "float": "float",
    "double": "float",
    "datetime": "datetime",
}


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the ``mlflow.pyfunc.PyFuncModel``. Executes code of the package: pickles, and modules that it brings."""
    import mlflow.pyfunc  # noqa: PLC0415

    folder = existing(root, description.get("artifact", "."))
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return mlflow.pyfunc.load_model(os.fspath(folder if folder.is_dir() else folder.parent))
    finally:
        sys.dont_write_bytecode = written


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers a table, or arrays where the signature names tensors."""
    return _Asked(native, description)


class _Asked:
    def __init__(self, model: Any, description: Mapping[str, Any]) -> None:
        self._model = model
        metadata = getattr(model, "metadata", None)
        signature = getattr(metadata, "signature", None)
        self._inputs = _specs(getattr(signature, "inputs", None))
        tensors = any("tensor-spec" in spec for spec in self._inputs)
        given = description.get("input")
        #: ``dataframe``, or ``tensors`` where MLflow's signature names tensors.
        self.ingot_input = "tensors" if tensors else given if isinstance(given, str) and not self._inputs else "dataframe"
        if self._inputs:
            outputs = _specs(getattr(signature, "outputs", None))
            #: What MLflow's signature says.
            self.ingot_signature = {
                "inputs": _features(self._inputs, "input"),
                "outputs": _features(outputs, "prediction"),
                "origin": "metadata",
            }

    def predict(self, data: Any) -> Any:
        """Gives what ``PyFuncModel.predict`` gives; of a forecast, which answers one row with many values, their list."""
        given = self._arrays(data) if self.ingot_input == "tensors" else self._table(data)
        try:
            answer = self._model.predict(given)
        except Exception as problem:
            # MLflow raises its own for what does not fit its signature, or what its own wrapper asks for.
            if not type(problem).__module__.startswith("mlflow."):
                raise
            raise WrongInput(str(problem)) from problem
        return answer if self._inputs else _of_one_row(given, answer)

    def _arrays(self, data: Any) -> Any:
        types = {spec.get("name"): spec["tensor-spec"]["dtype"] for spec in self._inputs if "tensor-spec" in spec}
        if not isinstance(data, Mapping):
            return _as_type(data, next(iter(types.values()), None))
        if set(types) <= {None}:
            return _as_type(next(iter(data.values())), types.get(None))
        return {name: _as_type(value, types.get(name)) for name, value in data.items()}

    def _table(self, data: Any) -> Any:
        if not hasattr(data, "columns"):
            return data
        if self._inputs and not any(spec.get("name") for spec in self._inputs):
            return _counted(data, self._inputs)
        named = {spec["name"]: spec for spec in self._inputs if "name" in spec}
        changed = {name: _column(data[name], spec) for name, spec in named.items() if name in data.columns}
        return data.assign(**changed) if changed else data


def _of_one_row(given: Any, answer: Any) -> Any:
    """Many answers to a single row, as that row's one answer."""
    if not hasattr(given, "columns") or len(given) != 1 or isinstance(answer, (str, bytes, Mapping)):
        return answer
    if not hasattr(answer, "__len__") or len(answer) == 1:
        return answer
    if hasattr(answer, "columns"):
        return [{str(name): list(answer[name]) for name in answer.columns}]
    return [list(getattr(answer, "values", answer))]


def _counted(data: Any, specs: list[dict[str, Any]]) -> Any:
    """Columns without names are counted, as MLflow counts those of a list; the names they got here mean nothing to it."""
    columns = [_column(data[name], spec) for name, spec in zip(_names(specs, "input"), specs)]
    return type(data)(dict(enumerate(columns)), index=data.index)


def _specs(schema: Any) -> list[dict[str, Any]]:
    return json.loads(schema.to_json()) if schema is not None else []


def _as_type(value: Any, dtype: str | None) -> Any:
    import numpy as np  # noqa: PLC0415

    array = np.asarray(value)
    return array if dtype is None or dtype == "object" else array.astype(dtype)


def _column(column: Any, spec: Mapping[str, Any]) -> Any:
    """One column in the type that MLflow names; what is missing stays missing."""
    kind = str(spec.get("type"))
    wanted = _COLUMN_TYPES.get(kind)
    if wanted is not None:
        missing = bool(column.isna().any()) and not wanted.startswith("float")
        return column if missing or str(column.dtype) == wanted else column.astype(wanted)
    if kind == "string":
        return column
    if kind == "datetime":
        import pandas as pd  # noqa: PLC0415

        return pd.to_datetime(column)
    if kind == "binary":
        return column.map(lambda value: base64.b64decode(value) if isinstance(value, str) else value)
    return column.map(lambda value: json.loads(value) if isinstance(value, str) else value)


def _features(specs: list[dict[str, Any]], unnamed: str) -> list[dict[str, Any]]:
    return [_feature(name, spec) for name, spec in zip(_names(specs, unnamed), specs)]


def _names(specs: list[dict[str, Any]], unnamed: str) -> list[str]:
    return [spec.get("name") or (unnamed if len(specs) == 1 else f"{unnamed}_{n}") for n, spec in enumerate(specs)]


def _feature(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    nullable = {"nullable": True} if spec.get("required") is False else {}
    if "tensor-spec" not in spec:
        return {"name": name, "type": _FEATURE_TYPES.get(str(spec.get("type")), "string"), **nullable}
    from .keras import V2_NAMES  # noqa: PLC0415

    shape = list(spec["tensor-spec"]["shape"])
    dtype = V2_NAMES.get(spec["tensor-spec"]["dtype"], "BYTES")
    return {"name": name, "type": "tensor", "dtype": dtype, "shape": shape, **nullable}
