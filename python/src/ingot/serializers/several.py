"""Saves several models in one package: a dict or a tuple, each part in a folder of its own by its own serializer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from .base import Saved, Serializer
from .describing import description_of, settled

_FOLDER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,60}$")
#: Values of up to this many characters of JSON lie in flavor.json itself.
_MAX_VALUE = 100_000
_NO_PART = "a part is a model, a function, an object with predict(), or plain data"


class SeveralSerializer:
    """``{"model": clf, "explainer": e}`` or ``(clf, e)``: predict asks the one called ``model``, else the first.

    Plain data (a threshold, a list of labels) goes along as it is. ``flavor.json`` lists the parts in their order.
    """

    name = "models"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """Dicts with text keys, tuples and lists, of which at least one value is an object that can be saved."""
        if type(model) is dict:
            return bool(model) and all(isinstance(key, str) for key in model) and _main_key(model) is not None
        return type(model) in {tuple, list} and _main_key(dict(enumerate(model))) is not None

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes one folder a part. The part that is asked gives signature, parameters and metrics of the version."""
        parts = model if isinstance(model, dict) else dict(enumerate(model))
        main = _main_key(parts)
        beside = list(code)
        saved: dict[Any, Saved] = {}
        listed: list[dict[str, Any]] = []
        for index, (key, value) in enumerate(parts.items()):
            entry: dict[str, Any] = {"name": str(key)}
            if _is_json(value):
                listed.append({**entry, "value": value})
                continue
            folder = _folder(str(key), index, [entry.get("directory", "") for entry in listed])
            (directory / folder).mkdir()
            saved[key] = _save_part(key, value, directory / folder, data if key == main else None, beside)
            listed.append({**entry, "directory": folder, **described(saved[key], directory / folder)})
        return _together(type(model).__name__, saved, main, listed)

    def pip_names(self, model: Any) -> list[str]:
        """What the serializers of all parts name."""
        parts = model.values() if isinstance(model, dict) else model
        return [name for part in parts if not _is_json(part) for name in _serializer(part).pip_names(part)]


def _main_key(parts: dict[Any, Any]) -> Any:
    """Gives the key of the part that predict asks: ``model``, else the first that can be saved as a model."""
    keys = ["model", *parts] if "model" in parts else list(parts)
    return next((key for key in keys if _is_model(parts[key])), None)


def _is_model(value: Any) -> bool:
    from . import choose

    if value is None or isinstance(value, bool | int | float | str | list | dict):
        return False
    try:
        chosen = choose(value)
    except InvalidPackage:
        return False
    # A tuple is one model where a framework says so: a model and its tokenizer.
    return not isinstance(value, tuple) or not isinstance(chosen, SeveralSerializer)


def _serializer(value: Any) -> Serializer:
    """Gives what saves a part; data that is no model (an array, a DataFrame) is pickled."""
    from . import choose
    from .object import ObjectSerializer

    return choose(value) if _is_model(value) else ObjectSerializer()


def _save_part(key: Any, value: Any, directory: Path, data: Any, code: list[Path]) -> Saved:
    try:
        saved = _serializer(value).save(value, directory, data=data, code=code) if _is_model(value) else _pickled(value, directory, code)
    except InvalidPackage as error:
        raise InvalidPackage(
            f'part "{key}": {error.message}', code="invalid-package", hint=error.hint or _NO_PART, details=error.details
        ) from error
    return settled(saved, _serializer(value).name)


def _pickled(value: Any, directory: Path, code: list[Path]) -> Saved:
    from .object import class_name
    from .pickling import write_pickle

    pickled = write_pickle(value, directory / "model.pkl", code=code)
    description = {"artifact": "model.pkl", "class": class_name(value)}
    return Saved(
        "object", pickled.modules, True, "a pickle can run any code when it is loaded", notices=pickled.notices, description=description
    )


def described(saved: Saved, directory: Path) -> dict[str, Any]:
    """Says how a part is loaded; a part of a flavor that has no flavor.json names its only file."""
    said = description_of(saved)
    if "artifact" not in said:
        files = sorted(file.name for file in directory.iterdir() if file.name not in {"function.json", "function.py"})
        said |= {"artifact": files[0]} if len(files) == 1 else {}
    return {"flavor": saved.flavor, **said}


def _folder(name: str, index: int, taken: list[str]) -> str:
    wanted = name if _FOLDER.match(name) and not name.isdigit() else f"part-{index}"
    return wanted if wanted.lower() not in {other.lower() for other in taken} else f"part-{index}"


def _is_json(value: Any) -> bool:
    """Says whether a value comes back the same from JSON: no tuples, no keys that are not text, no infinity."""
    if not isinstance(value, bool | int | float | str | list | dict | None):
        return False
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return len(text) <= _MAX_VALUE and _same(json.loads(text), value)


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _together(kind: str, saved: dict[Any, Saved], main: Any, listed: list[dict[str, Any]]) -> Saved:
    asked = saved[main]
    unsafe = {str(key): part.reason for key, part in saved.items() if part.executes_code}
    return Saved(
        flavor="models",
        modules=frozenset().union(*(part.modules for part in saved.values())),
        executes_code=bool(unsafe),
        reason="; ".join(f"{key}: {reason}" for key, reason in unsafe.items()) or None,
        takes=asked.takes,
        notices=tuple(f'part "{key}": {notice}' for key, part in saved.items() for notice in part.notices),
        description={"kind": kind, "main": str(main), "parts": listed},
        parents=tuple(dict.fromkeys(parent for part in saved.values() for parent in part.parents)),
        main=asked,
    )
