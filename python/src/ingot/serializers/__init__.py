"""Turns fitted objects into files: one serializer a framework, and more by entry points of other distributions.

An installed package offers a serializer by an entry point of the group ``ingot.serializers`` (see
:class:`ingot.serializers.base.Serializer`); ``push(…, serializer="its-name")`` always wins over what would be chosen.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import itertools
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidPackage, UsageError
from .base import Saved, Serializer

__all__ = ["Saved", "Serializer", "choose"]

GROUP = "ingot.serializers"


@dataclass(frozen=True)
class _BuiltIn:
    name: str
    #: Module of this package and class in it.
    place: str
    #: Top-level modules of which a class of the object (or one it derives from) must be; none: any object may do.
    roots: tuple[str, ...] = ()

    def open(self) -> Serializer:
        module, _, kind = self.place.partition(":")
        serializer: Serializer = getattr(importlib.import_module(f"{__name__}.{module}"), kind)()
        return serializer


#: In the order in which they are asked: special classes before general ones.
_BUILT_IN: tuple[_BuiltIn, ...] = (
    _BuiltIn("mlflow", "mlflow:MlflowSerializer", ("mlflow",)),
    # Before PyTorch: on that backend Keras models are its modules, too.
    _BuiltIn("keras", "keras:KerasSerializer", ("keras",)),
    _BuiltIn("tensorflow", "tensorflow:TensorflowSerializer", ("tensorflow",)),
    _BuiltIn("peft", "peft:PeftSerializer", ("peft",)),
    _BuiltIn("sentence-transformers", "sentence_transformers:SentenceTransformersSerializer", ("sentence_transformers",)),
    _BuiltIn("transformers", "transformers:TransformersSerializer", ("transformers",)),
    _BuiltIn("diffusers", "diffusers:DiffusersSerializer", ("diffusers",)),
    _BuiltIn("fastai", "fastai:FastaiSerializer", ("fastai",)),
    _BuiltIn("skorch", "skorch:SkorchSerializer", ("skorch",)),
    _BuiltIn("torch", "torch:TorchSerializer", ("torch",)),
    _BuiltIn("models", "several:SeveralSerializer", ("builtins",)),
    _BuiltIn("onnx", "onnx:OnnxSerializer", ("onnx", "builtins")),
    _BuiltIn("xgboost", "xgboost:XgboostSerializer", ("xgboost",)),
    _BuiltIn("lightgbm", "lightgbm:LightgbmSerializer", ("lightgbm",)),
    _BuiltIn("catboost", "catboost:CatboostSerializer", ("catboost",)),
    _BuiltIn("statsmodels", "statsmodels:StatsmodelsSerializer", ("statsmodels",)),
    _BuiltIn("prophet", "prophet:ProphetSerializer", ("prophet",)),
    _BuiltIn("gensim", "gensim:GensimSerializer", ("gensim",)),
    _BuiltIn("annoy", "annoy:AnnoySerializer", ("annoy",)),
    _BuiltIn("spacy", "spacy:SpacySerializer", ("spacy",)),
    _BuiltIn("shap", "shap:ShapSerializer", ("shap",)),
    _BuiltIn("sklearn", "sklearn:SklearnSerializer", ("sklearn",)),
    _BuiltIn("function", "function:FunctionSerializer"),
    # Last of all: any object that has something to ask.
    _BuiltIn("object", "object:ObjectSerializer"),
)

#: Asked for by name only, never chosen.
_BY_NAME: tuple[_BuiltIn, ...] = (
    _BuiltIn("skops", "skops:SkopsSerializer"),
    _BuiltIn("torch-pickle", "torch:TorchPickleSerializer"),
)


def choose(model: Any, wanted: str | Serializer | None = None) -> Serializer:
    """Gives the serializer for an object: the wanted one, else the first that can handle it.

    Built-in ones of frameworks come first, then those of other distributions, then the one for any object with methods.
    Nothing is imported but the serializer itself: what an object is, its classes' module names tell.

    :raises InvalidPackage: for an object that nothing can save; the message says what works.
    :raises UsageError: for the name of a serializer that does not exist.
    """
    if isinstance(wanted, str):
        return _named(wanted)
    if wanted is not None:
        return wanted
    roots = _roots(model)
    *special, general = _BUILT_IN
    for entry in special:
        if not entry.roots or roots.intersection(entry.roots):
            candidate = entry.open()
            if candidate.can_handle(model):
                return candidate
    for other in _others():
        offered: Serializer = other.load()()
        if offered.can_handle(model):
            return offered
    last = general.open()
    if last.can_handle(model):
        return last
    raise InvalidPackage(_unknown(model), code="invalid-package", hint=_advice(model))


def _roots(model: Any, depth: int = 3) -> set[str]:
    """Gives the top-level modules of an object's classes; of a dict or tuple, those of what is in it, too."""
    roots = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    inside = model.values() if isinstance(model, dict) else model if isinstance(model, tuple) else ()
    if depth > 0:
        for item in itertools.islice(inside, 64):
            roots |= _roots(item, depth - 1)
    return roots


def _named(name: str) -> Serializer:
    built_in = {entry.name: entry for entry in (*_BUILT_IN, *_BY_NAME)}
    if name in built_in:
        return built_in[name].open()
    others = {entry.name: entry for entry in _others()}
    if name in others:
        offered: Serializer = others[name].load()()
        return offered
    known = sorted({*built_in, *others})
    nearest = difflib.get_close_matches(name, known, n=1)
    raise UsageError(
        f'there is no serializer "{name}"; known are {", ".join(known)}', code="usage", nearest=nearest[0] if nearest else None
    )


def _others() -> list[importlib.metadata.EntryPoint]:
    """Gives what other distributions offer; the entry points of this one are the built-in table again."""
    built_in = {entry.name for entry in (*_BUILT_IN, *_BY_NAME)}
    entries = importlib.metadata.entry_points(group=GROUP)
    others = {entry.name: entry for entry in entries if entry.name not in built_in and not entry.value.startswith("ingot.")}
    return [others[name] for name in sorted(others)]


def _unknown(model: Any) -> str:
    kind = type(model)
    if isinstance(model, type):
        return f"{model.__name__} is a class that cannot be asked; push an object of it: a fitted {model.__name__}()"
    return (
        f"nothing here knows how to save a {kind.__module__}.{kind.__qualname__}. What works: models of the common frameworks, "
        "functions, objects with predict(), a dict or tuple of these, and the path of any file or folder"
    )


def _advice(model: Any) -> str:
    return "give it a method predict(rows), or save it to a file or folder with its own framework and push that path"
