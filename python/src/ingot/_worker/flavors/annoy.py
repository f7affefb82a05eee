"""Annoy indexes: the file that ``index.save`` writes, which says neither its dimension nor its metric.

``flavor.json``: ``artifact`` (the index), ``dimension``, ``metric`` (``angular``, ``euclidean``, ``manhattan``, ``hamming`` or
``dot``), ``neighbors`` (how many an answer has; 10). Asked with vectors; answers ``neighbors`` (numbers of items) and
``distances``, nearest first; where fewer are found, -1 and NaN follow.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from . import InvalidPackage, existing

__all__ = ["load", "predictor"]

_NEAREST = 10


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the ``AnnoyIndex``, mapped into memory."""
    from annoy import AnnoyIndex  # noqa: PLC0415

    missing = [key for key in ("dimension", "metric") if key not in description]
    if missing:
        raise InvalidPackage(
            f"an annoy index does not say its {' and '.join(missing)}; put flavor.json beside it: "
            f'{{"flavor": "annoy", "artifact": "{description["artifact"]}", "dimension": 100, "metric": "angular"}}'
        )
    index = AnnoyIndex(int(description["dimension"]), description["metric"])
    index.load(str(existing(root, description["artifact"])))
    return index


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers vectors."""
    return _Asked(native, int(description.get("neighbors", _NEAREST)))


class _Asked:
    ingot_input = "tensors"

    def __init__(self, native: Any, count: int) -> None:
        self._native = native
        self._count = min(count, native.get_n_items())
        shape = [-1, self._count]
        self.ingot_signature = {
            "inputs": [{"name": "vector", "type": "tensor", "dtype": "FP32", "shape": [-1, native.f]}],
            "outputs": [
                {"name": "neighbors", "type": "tensor", "dtype": "INT64", "shape": shape},
                {"name": "distances", "type": "tensor", "dtype": "FP32", "shape": shape},
            ],
            "origin": "captured",
        }

    def predict(self, data: Any) -> dict[str, list[list[Any]]]:
        """The nearest items of each vector, and how far they are."""
        found = [self._native.get_nns_by_vector(row, self._count, include_distances=True) for row in _vectors(data)]
        return {
            "neighbors": [[*items, *[-1] * (self._count - len(items))] for items, _ in found],
            "distances": [[*far, *[math.nan] * (self._count - len(far))] for _, far in found],
        }


def _vectors(data: Any) -> list[list[float]]:
    """Rows of numbers: from one array, a table with a column a number, or rows that hold either."""
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    if isinstance(data, dict):
        columns = [_listed(column) for column in data.values()]
        data = columns[0] if len(columns) == 1 else [list(row) for row in zip(*columns)]
    rows = [_of_row(row) for row in _listed(data)]
    return [rows] if rows and not isinstance(rows[0], (list, tuple)) else rows


def _of_row(row: Any) -> Any:
    if isinstance(row, dict):
        values = list(row.values())
        return _listed(values[0]) if len(values) == 1 else values
    return _listed(row)


def _listed(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else values
