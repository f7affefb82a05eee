"""Saves annoy indexes as their own files, with the dimension and metric that these do not tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from .base import Saved

Vector = Sequence[float]


class AnnoySerializer:
    """Data only: loading maps the file into memory."""

    name = "annoy"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """An ``AnnoyIndex``."""
        return type(model).__module__.partition(".")[0] == "annoy" and hasattr(model, "get_nns_by_vector")

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.ann``. An index does not tell its metric: it is found from the distances of its items.

        :raises InvalidPackage: for an index that was not built, or whose metric cannot be found.
        """
        if model.get_n_trees() == 0:
            raise InvalidPackage("this annoy index is not built yet", code="invalid-package", hint="index.build(10)")
        metric = find_metric(model)
        model.save(str(directory / "model.ann"))
        size = {"dimension": model.f, "metric": metric}
        return Saved(
            flavor="annoy",
            modules=frozenset({"annoy", "numpy"}),
            takes="tensors",
            description={"artifact": "model.ann", "class": "annoy.Annoy", **size},
            params={**size, "trees": model.get_n_trees(), "items": model.get_n_items()},
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what is imported."""
        return []


def find_metric(index: Any) -> str:
    """Finds the metric by which an index measured the distances of its items.

    :raises InvalidPackage: when no metric gives these distances, or more than one does (items that are all alike).
    """
    count = index.get_n_items()
    pairs = [(first, second) for first in range(min(count, 8)) for second in range(first + 1, min(count, 8))]
    fitting = [name for name, measure in _METRICS.items() if pairs and all(_agrees(index, measure, *pair) for pair in pairs)]
    if len(fitting) == 1:
        return fitting[0]
    said = f"could be {' or '.join(fitting)}" if fitting else "is none that is known"
    raise InvalidPackage(
        f"the metric of this annoy index {said}, which its items do not tell",
        code="invalid-package",
        hint='index.save("model.ann") and push a folder with it and flavor.json: '
        '{"flavor": "annoy", "artifact": "model.ann", "dimension": …, "metric": "angular"}',
    )


def _agrees(index: Any, measure: Callable[[Vector, Vector], float], first: int, second: int) -> bool:
    expected = measure(index.get_item_vector(first), index.get_item_vector(second))
    return math.isclose(index.get_distance(first, second), expected, rel_tol=1e-3, abs_tol=1e-4)


def _dot(left: Vector, right: Vector) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _angular(left: Vector, right: Vector) -> float:
    lengths = math.sqrt(_dot(left, left) * _dot(right, right))
    return math.sqrt(max(0.0, 2 - 2 * _dot(left, right) / lengths)) if lengths > 0 else math.sqrt(2)


_METRICS: dict[str, Callable[[Vector, Vector], float]] = {
    "angular": _angular,
    "euclidean": lambda left, right: math.dist(left, right),
    "manhattan": lambda left, right: sum(abs(a - b) for a, b in zip(left, right, strict=True)),
    "dot": _dot,
    "hamming": lambda left, right: float(sum(a != b for a, b in zip(left, right, strict=True))),
}
