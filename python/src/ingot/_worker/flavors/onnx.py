"""ONNX graphs in a Python process: for the SDK, and where one is among several models of a package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import existing

_DTYPES = {"float": "float32", "double": "float64", "float16": "float16", "string": "object"}


def load(root: Path, description: dict[str, Any]) -> Any:
    """Opens an ``onnxruntime.InferenceSession`` on the CPU."""
    import onnxruntime  # noqa: PLC0415

    file = existing(root, description["artifact"])
    return onnxruntime.InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Asks the graph with tensors by name, or with one where it has one input."""
    return _Session(native)


class _Session:
    ingot_input = "tensors"

    def __init__(self, session: Any) -> None:
        self._session = session

    def predict(self, data: Any) -> Any:
        """Runs the graph; gives its output, or a dict of them."""
        wanted = self._session.get_inputs()
        given = data if isinstance(data, dict) else {wanted[0].name: data}
        feed = {each.name: _array(given[each.name], each.type) for each in wanted}
        names = [each.name for each in self._session.get_outputs()]
        outputs = self._session.run(names, feed)
        return outputs[0] if len(outputs) == 1 else dict(zip(names, outputs))


def _array(data: Any, declared: str) -> Any:
    import numpy as np  # noqa: PLC0415

    name = declared[len("tensor(") : -1] if declared.startswith("tensor(") else ""
    return np.asarray(data, dtype=_DTYPES.get(name, name or None))
