"""Saves any object that can be asked: of a class of one's own, callable, a bound method, a partial, or a class itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from ..kinds import comes_from
from .base import Saved
from .function import check_arguments, what_it_takes
from .pickling import write_pickle
from .sklearn import what_it_takes as estimator_takes

#: What makes an object one that can be asked.
METHODS = ("predict", "predict_proba", "transform", "score_samples")
_HOW = "give it a method  def predict(self, rows): …  that takes all rows"


class ObjectSerializer:
    """Pickles an object; classes that only exist here (notebook, local file) are stored by value (cloudpickle)."""

    name = "object"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """Objects with ``predict``, ``predict_proba`` or ``transform`` and ``fit``; callables; classes with ``predict``."""
        return can_be_asked(model)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.pkl``. A class is called without arguments when it is asked, so it must allow that."""
        asked = _what_is_asked(model)
        takes = takes_of(model, asked, data)
        pickled = write_pickle(model, directory / "model.pkl", code=code)
        return Saved(
            flavor="object",
            modules=pickled.modules,
            executes_code=True,
            reason="a pickle can run any code when it is loaded",
            takes=takes,
            notices=pickled.notices,
            description={"artifact": "model.pkl", "class": class_name(model)},
        )

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what the pickle imports."""
        return []


def can_be_asked(model: Any) -> bool:
    """Says whether an object has something to ask: a method ``predict`` or the like, or it is callable."""
    if isinstance(model, type):
        # A class that has to be fitted first knows nothing yet.
        return callable(getattr(model, "predict", None)) and not hasattr(model, "fit")
    if callable(model):
        return True
    if callable(getattr(model, "transform", None)) and not callable(getattr(model, "fit", None)):
        return False
    return any(callable(getattr(model, name, None)) for name in METHODS)


def class_name(model: Any) -> str:
    """Gives the full name of what an object is: of a class itself, of a method's object, else of its class."""
    if isinstance(model, functools.partial):
        model = model.func
    kind = model if isinstance(model, type) or hasattr(model, "__qualname__") else type(model)
    return f"{kind.__module__}.{kind.__qualname__}"


def takes_of(model: Any, asked: Any, data: Any) -> str | None:
    """Says what it is asked with: its own ``ingot_input``, the data it was pushed with, its annotation; else rows."""
    owner = getattr(model, "__self__", model)
    own = getattr(owner, "ingot_input", None)
    if isinstance(own, str):
        return own
    if comes_from(owner, "sklearn"):  # a method of an estimator takes what the estimator takes
        return estimator_takes(owner, data)
    try:
        return what_it_takes(asked, data)
    except (TypeError, ValueError, StopIteration):  # a builtin without a signature says nothing
        return "rows"


def _what_is_asked(model: Any) -> Any:
    """Gives the function that rows come to, checked to take them all as its one argument."""
    if isinstance(model, type):
        _check_class(model)
        # seen on the class, predict still has `self`: bound, it takes rows alone
        predict: Any = getattr(model, METHODS[0])
        return functools.partial(predict, None)
    asked = getattr(model, "predict", None) or (model if callable(model) else None)
    if not callable(asked):
        asked = next(getattr(model, name) for name in METHODS if callable(getattr(model, name, None)))
    check_arguments(asked, f"{class_name(model)}.{getattr(asked, '__name__', '__call__')}")
    return asked


def _check_class(kind: type) -> None:
    try:
        needed = [
            item.name
            for item in list(inspect.signature(kind).parameters.values())
            if item.default is item.empty and item.kind not in {item.VAR_POSITIONAL, item.VAR_KEYWORD}
        ]
    except (TypeError, ValueError):  # classes written in C say nothing of themselves
        return
    if needed:
        raise InvalidPackage(
            f"{kind.__name__} is a class that needs {', '.join(needed)} to be made",
            code="invalid-package",
            hint=f"push an object of it: {kind.__name__}({', '.join(f'{name}=…' for name in needed)})",
        )
