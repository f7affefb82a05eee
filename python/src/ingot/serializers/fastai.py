"""Saves fastai learners as their own ``export`` does: a pickle without data and optimizer, for inference."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors.fastai import input_of
from ..errors import InvalidPackage
from ..kinds import plain
from .base import Saved
from .pickling import find_cloudpickle
from .torch import class_name, moved
from .torch_pickle import imported_modules


class FastaiSerializer:
    """``model.pkl``: what ``load_learner`` reads."""

    name = "fastai"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """A Learner, of whatever kind."""
        return any(base.__module__ == "fastai.learner" and base.__name__ == "Learner" for base in type(model).__mro__)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Exports the learner; its own object keeps data and optimizer.

        :raises InvalidPackage: when something in its data pipeline cannot be pickled.
        """
        target = directory / "model.pkl"
        cloudpickle = find_cloudpickle()
        try:
            model.export(target.resolve(), **({} if cloudpickle is None else {"pickle_module": cloudpickle}))
        except (TypeError, AttributeError, RuntimeError) as error:
            raise InvalidPackage(
                f"the Learner cannot be exported: {type(error).__name__}: {error}",
                code="invalid-package",
                hint="functions of its data pipeline (get_x, get_y, splitters) must be defined in a module or notebook, not inside another function",
            ) from error
        takes = input_of(model)
        return Saved(
            flavor="fastai",
            modules=frozenset({*imported_modules(target), "fastai", "torch"}),
            executes_code=True,
            reason="fastai exports a pickle, which can run any code when it is loaded",
            takes=takes,
            notices=moved([str(model.dls.device)] if model.dls.device is not None else []),
            metrics=_metrics(model),
            description={"artifact": "model.pkl", "class": class_name(model), "input": takes},
        )

    def pip_names(self, model: Any) -> list[str]:
        """fastai and what it runs on."""
        return ["fastai", "fastcore", "torch", "numpy", *(["pandas"] if input_of(model) == "dataframe" else [])]


def _metrics(model: Any) -> dict[str, float]:
    """Gives the last row of the learner's own recorder, without the epoch and the time."""
    recorder = getattr(model, "recorder", None)
    rows = getattr(recorder, "values", None)
    names = [name for name in getattr(recorder, "metric_names", ()) if name not in {"epoch", "time"}]
    last = plain(rows[-1]) if rows else []
    return {str(name): float(value) for name, value in zip(names, last, strict=False) if isinstance(value, int | float)}
