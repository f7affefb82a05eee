"""Saves TensorFlow modules as SavedModels: graphs and weights. No Python code, but a graph is a program of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._worker.flavors.tensorflow import served_key
from ..errors import InvalidPackage
from .base import Saved

FOLDER = "saved_model"


class TensorflowSerializer:
    """A ``tf.Module`` with a ``tf.function``, or what ``tf.saved_model.load`` gave."""

    name = "tensorflow"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """An object that TensorFlow tracks; Keras models are Keras's."""
        names = {f"{kind.__module__}.{kind.__name__}" for kind in type(model).__mro__}
        tracked = {"tensorflow.python.module.module.Module", "tensorflow.python.trackable.autotrackable.AutoTrackable"}
        return bool(names & tracked) and not any(name.startswith(("keras.", "tf_keras.")) for name in names)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``saved_model/``. What is served is its signature, ``serve``, ``predict`` or the call itself.

        :raises InvalidPackage: when nothing in it is a ``tf.function`` with known inputs.
        """
        import tensorflow as tf

        signatures = dict(getattr(model, "signatures", None) or {}) or _signatures(tf, model, data)
        tf.saved_model.save(model, str(directory / FOLDER), signatures=signatures)
        key = served_key(signatures)
        count = len(signatures[key].structured_input_signature[1]) if key is not None else 0
        return Saved(
            flavor="tensorflow",
            modules=frozenset({"tensorflow", "numpy"}),
            executes_code=True,
            reason="operations of a TensorFlow graph can read and write files",
            takes="array" if count == 1 else "tensors",
            description={"artifact": FOLDER, **({"signature": key} if key not in (None, "serving_default") else {})},
        )

    def pip_names(self, model: Any) -> list[str]:
        """TensorFlow, by the name it is installed under, comes from the modules."""
        return []


def _signatures(tf: Any, model: Any, data: Any) -> dict[str, Any]:
    """Finds what to serve: a function whose inputs are known, else one whose inputs the data tells."""
    for name in ("serve", "predict", "__call__"):
        function = getattr(model, name, None)
        if function is None:
            continue
        if hasattr(function, "get_concrete_function") and function.input_signature is not None:
            return {"serving_default": _named(tf, function, function.input_signature)}
    for name in ("serve", "predict", "__call__"):
        function = getattr(model, name, None)
        specs = _specs(tf, data)
        if function is not None and specs is not None:
            wrapped = function if hasattr(function, "get_concrete_function") else tf.function(function)
            return {"serving_default": _named(tf, wrapped, specs)}
    raise InvalidPackage(
        f"nothing says what the {type(model).__name__} takes",
        code="invalid-package",
        hint="decorate its __call__ with @tf.function(input_signature=[tf.TensorSpec([None, 4])]), or pass X=",
    )


def _named(tf: Any, function: Any, specs: Any) -> Any:
    """A signature gives tensors by name; what a function gives otherwise is named for it."""
    if isinstance(specs, Mapping):
        concrete = function.get_concrete_function(dict(specs))
        names = list(specs)
        flat = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()]
    else:
        concrete = function.get_concrete_function(*specs)
        flat = [tf.TensorSpec(s.shape, s.dtype, name=s.name or ("input" if len(specs) == 1 else f"input_{n}")) for n, s in enumerate(specs)]
        names = [spec.name for spec in flat]
    if isinstance(concrete.structured_outputs, Mapping) and not isinstance(specs, Mapping):
        return concrete

    @tf.function(input_signature=flat)  # type: ignore[untyped-decorator, unused-ignore]
    def served(*tensors: Any) -> Any:
        answer = function(dict(zip(names, tensors, strict=True))) if isinstance(specs, Mapping) else function(*tensors)
        if isinstance(answer, Mapping):
            return answer
        if isinstance(answer, list | tuple):
            return {f"output_{n}": value for n, value in enumerate(answer)}
        return {"output": answer}

    return served.get_concrete_function()


def _specs(tf: Any, data: Any) -> Any:
    """What the data looks like, with any number of rows; None without data."""
    import numpy as np

    if data is None:
        return None
    if isinstance(data, Mapping):
        return {str(name): _specs(tf, value)[0] for name, value in data.items()}
    array = np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
    dtype = tf.string if array.dtype.kind in "OUS" else tf.float32 if array.dtype == np.float64 else tf.as_dtype(array.dtype)
    return [tf.TensorSpec([None, *array.shape[1:]], dtype)]
