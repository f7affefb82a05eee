"""Keras 3 models: the ``.keras`` archive that Keras itself writes.

``flavor.json``: ``artifact`` (the archive), ``class``, ``backend`` (``tensorflow``, ``jax`` or ``torch``: the one the model
was trained with), ``custom`` (``{registered name: {"module": …, "name": …}}``, classes and functions that are not Keras's
own; their modules lie in the package), ``safe_mode`` (false only where a Lambda layer holds Python code).
A bare ``.keras`` or Keras ``.h5`` file needs none of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..frames import DATATYPES
from . import existing

__all__ = ["BATCH", "V2_NAMES", "load", "predictor"]

#: How many rows ``Model.predict`` takes at a time: fewer are one batch either way.
BATCH = 32

#: Names of dtypes in the Open Inference Protocol.
V2_NAMES = {**DATATYPES, "bfloat16": "FP32", "string": "BYTES"}


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the ``keras.Model``. Runs code only where the package has classes of its own, or a Lambda layer."""
    backend = description.get("backend")
    if "keras" not in sys.modules and isinstance(backend, str):
        os.environ.setdefault("KERAS_BACKEND", backend)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras  # noqa: PLC0415

    file = existing(root, description.get("artifact", "model.keras"))
    if file.is_dir():
        file = next(iter(sorted(file.glob("*.keras"))), file)
    custom = _custom(root, description.get("custom") or {})
    return keras.saving.load_model(
        os.fspath(file), custom_objects=custom, safe_mode=description.get("safe_mode") is not False
    )


def _custom(root: Path, named: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    if not named:
        return {}
    from ..loading import allow_imports_from  # noqa: PLC0415

    allow_imports_from(root)
    found = {}
    for registered, place in named.items():
        value: Any = importlib.import_module(place["module"])
        for part in place["name"].split("."):
            value = getattr(value, part)
        found[registered] = value
    return found


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers arrays, or a dict of arrays by the names of the inputs."""
    return _Asked(native, description)


class _Asked:
    def __init__(self, model: Any, description: Mapping[str, Any]) -> None:
        self._model = model
        self._inputs = _named(model, "inputs", "_inputs_struct", "input")
        self._outputs = _named(model, "outputs", "_outputs_struct", "output")
        given = description.get("input")
        #: ``array`` for one input, else ``tensors``.
        self.ingot_input = given if isinstance(given, str) else "array" if len(self._inputs) <= 1 else "tensors"
        if self._inputs:
            #: The model's own input and output specs.
            self.ingot_signature = {
                "inputs": [_feature(*item) for item in self._inputs.items()],
                "outputs": [_feature(*item) for item in self._outputs.items()],
                "origin": "graph",
            }

    def predict(self, data: Any) -> Any:
        """Gives what ``Model.predict`` gives: an array, or a dict of arrays by the outputs' names."""
        prepared = self._prepared(data)
        rows = _rows(prepared)
        if rows is not None and 0 < rows <= BATCH:
            answer = self._model.predict_on_batch(prepared)
        else:
            answer = self._model.predict(prepared, batch_size=BATCH, verbose=0)
        if isinstance(answer, list | tuple):
            names = list(self._outputs) if len(self._outputs) == len(answer) else [f"output_{n}" for n in range(len(answer))]
            return dict(zip(names, answer))
        return answer

    def _prepared(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            arrays = {str(name): _array(value) for name, value in data.items()}
            if len(self._inputs) == 1 and len(arrays) == 1:
                return next(iter(arrays.values()))
            if len(self._inputs) == 1:
                import numpy as np  # noqa: PLC0415

                return np.column_stack(list(arrays.values()))
            return arrays
        if isinstance(data, tuple):
            return [_array(value) for value in data]
        return _array(data)


def _named(model: Any, listed: str, structured: str, unnamed: str) -> dict[str, Any]:
    """Inputs or outputs by name; a model that was not built with an Input has none."""
    structure = getattr(model, structured, None)
    if isinstance(structure, Mapping):
        return {str(name): tensor for name, tensor in structure.items()}
    try:
        tensors = list(getattr(model, listed, None) or [])
    except (AttributeError, ValueError):  # a subclassed model knows neither
        return {}
    if len(tensors) == 1:
        return {unnamed: tensors[0]}
    names = list(getattr(model, f"{unnamed}_names", None) or [getattr(tensor, "name", "") for tensor in tensors])
    return dict(zip(names, tensors))


def _feature(name: str, tensor: Any) -> dict[str, Any]:
    shape = [-1 if size is None else int(size) for size in tensor.shape]
    dtype = getattr(tensor.dtype, "name", None) or str(tensor.dtype)
    return {"name": name, "type": "tensor", "dtype": V2_NAMES.get(dtype, "FP32"), "shape": shape}


def _rows(data: Any) -> int | None:
    first = next(iter(data.values()), None) if isinstance(data, Mapping) else data[0] if isinstance(data, list) else data
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) > 0 else None


def _array(value: Any) -> Any:
    """An array as Keras takes it; texts become a tensor, which is all that layers for text take."""
    import numpy as np  # noqa: PLC0415

    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    if array.dtype.kind not in "OUS":
        return array
    flat = array.ravel().tolist()
    if any(isinstance(item, str | bytes) for item in flat):
        import tensorflow as tf  # noqa: PLC0415

        return tf.constant(array.tolist(), dtype=tf.string)
    return array.astype(np.float64)
