"""Saves gensim models as gensim itself does: a pickle with large arrays beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..environments.requirements import pickle_globals, top_modules
from .base import Saved
from .estimators import own_class

_PARAMS = ("vector_size", "window", "min_count", "epochs", "sg", "hs", "negative", "alpha", "seed", "num_topics", "passes", "dm")


class GensimSerializer:
    """Everything that has gensim's own ``save``: Word2Vec, FastText, Doc2Vec, KeyedVectors, LdaModel and others."""

    name = "gensim"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """An object of a class of gensim that can save itself."""
        return own_class(model, "gensim") is not None and callable(getattr(model, "save", None))

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``model`` with ``model.gensim`` and the arrays that belong to it."""
        (directory / "model").mkdir()
        model.save(str(directory / "model" / "model.gensim"))
        modules = {module for module, _ in pickle_globals(directory / "model" / "model.gensim")}
        answers = hasattr(model, "wv") or hasattr(model, "get_vector") or getattr(model, "id2word", None) is not None
        return Saved(
            flavor="gensim",
            modules=frozenset({"gensim", *top_modules(modules)}),
            executes_code=True,
            reason="gensim writes pickles, which can run any code when they are loaded",
            takes="texts",
            description={"artifact": "model/model.gensim", "class": own_class(model, "gensim")},
            params=_params(model),
            notices=() if answers else (f"a {type(model).__name__} can be stored and loaded, not asked",),
        )

    def pip_names(self, model: Any) -> list[str]:
        """numpy and scipy, which decide how arrays are read."""
        return ["numpy", "scipy"]


def _params(model: Any) -> dict[str, Any]:
    found = {name: value for name in _PARAMS if isinstance(value := getattr(model, name, None), int | float | str)}
    vectors = getattr(model, "wv", model)
    words = getattr(vectors, "key_to_index", None)
    return {**found, "vocabulary": len(words)} if words is not None else found
