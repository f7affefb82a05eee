"""ONNX graphs in a Python process: for the SDK, where one is among several models of a package, and for servers without
onnxruntime-node."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import InvalidPackage, existing

_DTYPES = {"float": "float32", "double": "float64", "float16": "float16", "string": "object"}
#: Element types of graphs that are called otherwise in the protocol.
_DATATYPES = {"float": "FP32", "double": "FP64", "float16": "FP16", "string": "BYTES"}
_ALIKE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def load(root: Path, description: dict[str, Any]) -> Any:
    """Opens an ``onnxruntime.InferenceSession`` on the CPU."""
    import onnxruntime  # noqa: PLC0415

    file = existing(root, description["artifact"])
    try:
        return onnxruntime.InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])
    except Exception as problem:
        raise InvalidPackage(f"{description['artifact']} cannot be loaded as an ONNX graph: {problem}") from problem


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Asks the graph with tensors by name, or with one where it has one input."""
    return _Session(native)


class _Session:
    ingot_input = "tensors"

    def __init__(self, session: Any) -> None:
        self._session = session

    @property
    def ingot_signature(self) -> dict[str, Any]:
        """Inputs and outputs that are tensors, as the graph says; -1 is a variable dimension."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        unusable = [each.name for each in inputs if not each.type.startswith("tensor(")]
        if unusable:
            raise InvalidPackage(f"the graph takes something other than tensors: {', '.join(unusable)}")
        return {
            "inputs": [_feature(each) for each in inputs],
            "outputs": [_feature(each) for each in outputs if each.type.startswith("tensor(")],
        }

    def predict(self, data: Any) -> Any:
        """Runs the graph; gives its output, or a dict of them."""
        wanted = self._session.get_inputs()
        given = data if isinstance(data, dict) else {wanted[0].name: data}
        feed = {each.name: _array(given[each.name], each.type) for each in wanted}
        names = [each.name for each in self._session.get_outputs()]
        outputs = self._session.run(names, feed)
        return outputs[0] if len(outputs) == 1 else dict(zip(names, outputs))


def _feature(value: Any) -> dict[str, Any]:
    name = value.type[len("tensor(") : -1]
    if name not in _DATATYPES and name not in _ALIKE:
        raise InvalidPackage(f"{value.name!r} has element type {name}, which is not supported")
    shape = [size if isinstance(size, int) and size >= 0 else -1 for size in value.shape]
    return {"name": value.name, "type": "tensor", "dtype": _DATATYPES.get(name, name.upper()), "shape": shape}


def _array(data: Any, declared: str) -> Any:
    import numpy as np  # noqa: PLC0415

    name = declared[len("tensor(") : -1] if declared.startswith("tensor(") else ""
    return np.asarray(data, dtype=_DTYPES.get(name, name or None))
