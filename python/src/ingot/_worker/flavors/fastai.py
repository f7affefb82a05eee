"""fastai: what ``Learner.export`` writes, a pickle; rows of a table to labels or numbers, arrays to what the net gives."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from . import existing
from ._tensors import Asked

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the Learner, on the CPU. Executes what the pickle holds."""
    artifact = existing(root, description["artifact"])
    from fastai.learner import load_learner  # noqa: PLC0415

    from ..loading import allow_imports_from  # noqa: PLC0415

    allow_imports_from(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner = load_learner(artifact)
    learner.model.eval()
    return learner


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers a table (``dataframe``), texts, or what the net itself takes (``tensors``)."""
    kind = description.get("input") or input_of(native)
    return Asked(native.model, {**description, "input": "tensors"}) if kind == "tensors" else _Asked(native, kind)


def input_of(learner: Any) -> str:
    """Says by the learner's data what it is asked with."""
    name = type(learner.dls.train).__name__ if len(learner.dls.loaders) else ""
    return "dataframe" if name.startswith("Tab") else "texts" if name in ("SortedDL", "LMDataLoader") else "tensors"


class _Asked:
    def __init__(self, learner: Any, kind: str) -> None:
        self.ingot_input = kind
        self._learner = learner
        vocab = getattr(learner.dls, "vocab", None)
        self._vocab = None if vocab is None else list(vocab[-1] if kind == "texts" else vocab)
        if self._vocab:
            self.predict_proba = self._numbers

    def _numbers(self, data: Any) -> Any:
        learner = self._learner
        items = data if self.ingot_input == "dataframe" else list(data)
        with learner.no_bar(), learner.no_logging():
            found, _ = learner.get_preds(dl=learner.dls.test_dl(items))
        return found.cpu().numpy()

    def predict(self, data: Any) -> Any:
        """Gives labels of a classifier, numbers of any other."""
        import numpy as np  # noqa: PLC0415

        numbers = self._numbers(data)
        if self._vocab:
            return np.asarray(self._vocab)[numbers.argmax(axis=-1)]
        return numbers[:, 0] if numbers.ndim == 2 and numbers.shape[1] == 1 else numbers
