"""Several models in one package, a folder each: ``{"flavor": "models", "kind": "dict", "main": "model", "parts": […]}``.

A part is ``{"name": "model", "directory": "model", "flavor": "sklearn", "artifact": "model.pkl", …}``, or plain data:
``{"name": "threshold", "value": 0.4}``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import InvalidPackage, existing
from . import predictor as predictor_of

_KINDS = {"dict": dict, "tuple": lambda parts: tuple(parts.values()), "list": lambda parts: list(parts.values())}


def load(root: Path, description: dict[str, Any]) -> Any:
    """Loads every part; gives a dict, or a tuple or list as they were pushed."""
    kind = _KINDS.get(description.get("kind", "dict"), dict)
    return kind({str(part["name"]): _load_part(root, part) for part in _parts(description)})


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """What answers for the part that is asked."""
    model, part = main_part(native, description)
    return predictor_of(model, part["flavor"], part)


def main_part(native: Any, description: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The part that predict asks, and its description. Raises InvalidPackage where the description names none.

    A SHAP explainer beside it is its ``explainer``, which ``explain`` asks.
    """
    name = description.get("main")
    found = {part["name"]: (_part(native, index, part), part) for index, part in enumerate(_parts(description)) if "flavor" in part}
    if name not in found:
        raise InvalidPackage(f"flavor.json names no part {name!r} to be asked")
    model, part = found[name]
    explainers = [pair for other, pair in found.items() if other != name and pair[1]["flavor"] == "shap"]
    return model, {**part, "explainer": explainers[0]} if explainers else part


def _part(native: Any, index: int, part: dict[str, Any]) -> Any:
    return native[part["name"]] if isinstance(native, dict) else native[index]


def _parts(description: dict[str, Any]) -> list[dict[str, Any]]:
    parts = description.get("parts")
    if isinstance(parts, list) and all(isinstance(part, dict) and "name" in part for part in parts):
        return parts
    raise InvalidPackage("flavor.json of several models has no list of parts")


def _load_part(root: Path, part: dict[str, Any]) -> Any:
    from ..loading import allow_imports_from, load_native  # noqa: PLC0415

    if "value" in part:
        return part["value"]
    directory = existing(root, str(part.get("directory", "")))
    allow_imports_from(root)
    return load_native(directory, part.get("flavor", ""), None, part.get("artifact"), part)
