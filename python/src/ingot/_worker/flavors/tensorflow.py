"""TensorFlow SavedModels: the folder with ``saved_model.pb``.

``flavor.json``: ``artifact`` (the folder; ``.`` for the package itself), ``signature`` (the function that is asked; default:
``serving_default``, else the only one). A bare folder needs neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, existing
from .keras import V2_NAMES

__all__ = ["load", "predictor", "served_key"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives what ``tf.saved_model.load`` gives. Runs the graph's own operations, no Python code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf  # noqa: PLC0415

    folder = existing(root, description.get("artifact", "."))
    return tf.saved_model.load(os.fspath(folder if folder.is_dir() else folder.parent))


def served_key(signatures: Mapping[str, Any], wanted: Any = None) -> str | None:
    """Names the function that answers: the wanted one, else ``serving_default``, else the only one."""
    if isinstance(wanted, str):
        return wanted if wanted in signatures else None
    own = [key for key in signatures if not key.startswith("__")]
    if "serving_default" in own:
        return "serving_default"
    return own[0] if len(own) == 1 else None


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers arrays, or a dict of arrays by the names of the signature's inputs.

    Raises InvalidPackage for a SavedModel without a signature, and for one with several of which none is the default.
    """
    signatures = dict(getattr(native, "signatures", None) or {})
    key = served_key(signatures, description.get("signature"))
    if key is None:
        known = ", ".join(signatures) or "none"
        raise InvalidPackage(f"the SavedModel has no signature to ask; it has {known}, and flavor.json may name one")
    return _Asked(signatures[key])


class _Asked:
    def __init__(self, function: Any) -> None:
        self._function = function
        self._specs = {name: spec for name, spec in function.structured_input_signature[1].items()}
        #: ``array`` for one input, else ``tensors``.
        self.ingot_input = "array" if len(self._specs) == 1 else "tensors"
        outputs = function.structured_outputs
        self._outputs = outputs if isinstance(outputs, Mapping) else {}
        #: The signature's own input and output specs.
        self.ingot_signature = {
            "inputs": [_feature(*item) for item in self._specs.items()],
            "outputs": [_feature(*item) for item in self._outputs.items()],
            "origin": "graph",
        }

    def predict(self, data: Any) -> Any:
        """Gives an array for one output, else a dict of arrays by the outputs' names."""
        answer = self._function(**{name: _tensor(value, self._specs[name]) for name, value in self._named(data).items()})
        arrays = {name: _numpy(value) for name, value in answer.items()}
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays

    def _named(self, data: Any) -> dict[str, Any]:
        names = list(self._specs)
        if isinstance(data, Mapping):
            if set(data) == set(names):
                return dict(data)
            if len(names) == 1:
                import numpy as np  # noqa: PLC0415

                columns = [np.asarray(column) for column in data.values()]
                return {names[0]: columns[0] if len(columns) == 1 else np.column_stack(columns)}
            raise ValueError(f"the model takes {', '.join(names)}, not {', '.join(map(str, data))}")
        if isinstance(data, tuple) and len(data) == len(names):
            return dict(zip(names, data))
        if len(names) != 1:
            raise ValueError(f"the model takes a dict of {', '.join(names)}")
        return {names[0]: data}


def _tensor(value: Any, spec: Any) -> Any:
    import numpy as np  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    if isinstance(value, tf.Tensor):
        return tf.cast(value, spec.dtype)
    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    if spec.dtype == tf.string:
        return tf.constant(array.tolist(), dtype=tf.string)
    tensor = tf.constant(array.astype(spec.dtype.as_numpy_dtype))
    # A column comes as one value a row.
    wide = spec.shape.rank is not None and tensor.shape.rank == 1 and spec.shape.rank == 2 and spec.shape[1] == 1  # noqa: PLR2004
    return tf.expand_dims(tensor, 1) if wide else tensor


def _numpy(value: Any) -> Any:
    array = value.numpy()
    if getattr(array, "dtype", None) is not None and array.dtype == object:
        import numpy as np  # noqa: PLC0415

        texts = [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in array.ravel()]
        return np.array(texts, dtype=object).reshape(array.shape)
    return array


def _feature(name: str, spec: Any) -> dict[str, Any]:
    feature: dict[str, Any] = {"name": name, "type": "tensor"}
    dtype = V2_NAMES.get(spec.dtype.name)
    if dtype is not None:
        feature["dtype"] = dtype
    if spec.shape.rank is not None:
        feature["shape"] = [-1 if size is None else int(size) for size in spec.shape]
    return feature
