"""Turns fitted objects into files. Built in: ONNX, scikit-learn, plain functions; more by entry points.

An installed package offers a serializer by an entry point of the group ``ingot.serializers`` (see
:class:`ingot.serializers.base.Serializer`); ``push(…, serializer="its-name")`` always wins over what would be chosen.
"""

from __future__ import annotations

import difflib
import importlib.metadata
from typing import Any

from ..errors import InvalidPackage, UsageError
from .base import Saved, Serializer
from .function import FunctionSerializer
from .onnx import OnnxSerializer
from .sklearn import SklearnSerializer

__all__ = ["Saved", "Serializer", "choose"]

GROUP = "ingot.serializers"
_BUILT_IN: dict[str, type[Any]] = {"onnx": OnnxSerializer, "sklearn": SklearnSerializer, "function": FunctionSerializer}


def choose(model: Any, wanted: str | Serializer | None = None) -> Serializer:
    """Gives the serializer for an object: the wanted one, else the first that can handle it, built-in ones first.

    :raises InvalidPackage: for an object that nothing can save; the message says what works.
    """
    if isinstance(wanted, str):
        return _named(wanted)
    if wanted is not None:
        return wanted
    for kind in _BUILT_IN.values():
        candidate: Serializer = kind()
        if candidate.can_handle(model):
            return candidate
    for entry in _others():
        offered: Serializer = entry.load()()
        if offered.can_handle(model):
            return offered
    raise InvalidPackage(_unknown(model), code="invalid-package", hint=_advice(model))


def _named(name: str) -> Serializer:
    if name in _BUILT_IN:
        built_in: Serializer = _BUILT_IN[name]()
        return built_in
    others = {entry.name: entry for entry in _others()}
    if name in others:
        offered: Serializer = others[name].load()()
        return offered
    known = sorted({*_BUILT_IN, *others})
    nearest = difflib.get_close_matches(name, known, n=1)
    raise UsageError(
        f'there is no serializer "{name}"; known are {", ".join(known)}', code="usage", nearest=nearest[0] if nearest else None
    )


def _others() -> list[importlib.metadata.EntryPoint]:
    entries = importlib.metadata.entry_points(group=GROUP)
    return sorted((entry for entry in entries if entry.name not in _BUILT_IN), key=lambda entry: entry.name)


def _unknown(model: Any) -> str:
    kind = type(model)
    if isinstance(model, type):
        return f"{model.__name__} is a class; push an object of it: a fitted {model.__name__}()"
    return (
        f"nothing here knows how to save a {kind.__module__}.{kind.__qualname__}. What works: fitted scikit-learn estimators "
        "and pipelines, plain functions, ONNX models, and the path of any file or folder"
    )


def _advice(model: Any) -> str:
    if callable(getattr(model, "predict", None)):
        return "push a function that calls it: def score(rows): return model.predict(rows)   or save it to a folder and push its path"
    if callable(model) and not isinstance(model, type):
        return "push a function that calls it: def score(rows): return …(rows)"
    return "save it to a file or folder with its own framework and push that path"
