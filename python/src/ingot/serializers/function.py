"""Saves plain functions: as readable source where that tells all, else by value inside a pickle."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from types import FunctionType
from typing import Any

from ..environments.requirements import top_modules
from ..errors import InvalidPackage
from ..kinds import is_array, is_dataframe, is_series
from .base import Saved
from .pickling import write_pickle
from .source import extract_source

_HOW = "write it as  def score(rows): …  with one argument that takes all rows"


class FunctionSerializer:
    """Writes ``function.py`` and ``function.json``, which says what the function is called and what it takes."""

    name = "function"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """Functions and lambdas; not classes, not bound methods."""
        return isinstance(model, FunctionType)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Extracts the source with everything it refers to; falls back to a pickle by value (cloudpickle)."""
        check_arguments(model, model.__name__)
        takes = what_it_takes(model, data)
        source = extract_source(model)
        if source is not None:
            (directory / "function.py").write_text(source.text, encoding="utf-8")
            _describe(directory, {"function": source.name, "source": "function.py", "input": takes})
            modules = frozenset(top_modules(source.modules))
            return Saved("function", modules, executes_code=True, reason="it is Python source", takes=takes)
        pickled = write_pickle(model, directory / "model.pkl", code=code)
        _describe(directory, {"function": model.__name__, "artifact": "model.pkl", "input": takes})
        reason = "a pickle can run any code when it is loaded"
        return Saved("function", pickled.modules, executes_code=True, reason=reason, takes=takes, notices=pickled.notices)

    def pip_names(self, model: Any) -> list[str]:
        """None beyond what the function imports."""
        return []


def what_it_takes(function: Any, data: Any) -> str:
    """Says what the function is called with: told by the data it was pushed with, else by its annotation, else rows."""
    if is_dataframe(data):
        return "dataframe"
    if is_array(data) or is_series(data):
        return "array"
    if isinstance(data, list) and data:
        return "rows" if isinstance(data[0], dict) else "array"
    annotation = next(iter(inspect.signature(function).parameters.values())).annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__qualname__", str(annotation))
    if "DataFrame" in text:
        return "dataframe"
    return "array" if "ndarray" in text or "NDArray" in text else "rows"


def check_arguments(function: Any, name: str) -> None:
    """Raises when something callable cannot be called with rows alone, or answers later.

    :raises InvalidPackage: naming the function with its arguments.
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidPackage(f"{name} is async; a model answers at once", code="invalid-package", hint=_HOW)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins do not tell
        return
    parameters = list(signature.parameters.values())
    positional = [item for item in parameters if item.kind in {item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD, item.VAR_POSITIONAL}]
    needed = [item for item in parameters if item.default is item.empty and item.kind is not item.VAR_POSITIONAL]
    needed = [item for item in needed if item.kind is not item.VAR_KEYWORD]
    if not positional or len(needed) > 1 or (needed and needed[0] is not positional[0]):
        raise InvalidPackage(f"{name}{signature} cannot be called with rows alone", code="invalid-package", hint=_HOW)


def _describe(directory: Path, description: dict[str, str]) -> None:
    (directory / "function.json").write_text(json.dumps(description, sort_keys=True) + "\n", encoding="utf-8")
