"""Saves models of sentence-transformers: the folder their own ``save_pretrained`` writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..environments.requirements import top_modules
from .base import Saved
from .torch import class_name, moved
from .transformers import parents_of

_KINDS = ("SentenceTransformer", "CrossEncoder", "SparseEncoder")


class SentenceTransformersSerializer:
    """SentenceTransformer, SparseEncoder (texts to embeddings) and CrossEncoder (pairs to scores)."""

    name = "sentence-transformers"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """An object of one of the three classes."""
        return type(model).__name__ in _KINDS and type(model).__module__.partition(".")[0] == "sentence_transformers"

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``model``, without a card: the version has its own."""
        model.save_pretrained(str(directory / "model"), create_model_card=False)
        takes = "texts" if callable(getattr(model, "encode", None)) else "rows"
        parts = {type(part).__module__ for part in model.modules()}
        return Saved(
            flavor="sentence-transformers",
            modules=frozenset({*top_modules(parts), "sentence_transformers", "transformers", "torch"}),
            takes=takes,
            notices=moved([str(model.device.type)]),
            parents=_parents(model),
            description={"artifact": "model", "class": class_name(model), "input": takes},
        )

    def pip_names(self, model: Any) -> list[str]:
        """sentence-transformers and what it runs on."""
        return ["sentence-transformers", "transformers", "tokenizers", "torch", "safetensors", "numpy"]


def _parents(model: Any) -> tuple[str, ...]:
    inner = getattr(model, "transformers_model", None)
    return parents_of(inner) if inner is not None else ()
