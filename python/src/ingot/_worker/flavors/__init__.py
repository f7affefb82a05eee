"""What loads the packages that a ``flavor.json`` describes: one module a flavor, named as the flavor is.

``flavor.json`` lies at the top of a package: ``{"flavor": "xgboost", "artifact": "model.ubj", "input": "dataframe", …}``.
A flavor's module has two functions::

    load(root: Path, description: dict) -> Any            # the framework's own object
    predictor(native, description: dict) -> Any           # what is asked: predict(data), and the attribute ingot_input

``description`` is what ``flavor.json`` says; ``{"artifact": path}`` alone for a bare file or folder that was stored without
one (``"."`` is the package itself). ``load`` gives the same kind of object that was pushed; ``predictor`` gives ``native``
itself where that has a fitting ``predict``.

The flavor ``plugin`` belongs to somebody else: ``{"flavor": "plugin", "plugin": "name"}`` is loaded by the module that an
*installed* distribution offers under that name as an entry point of the group ``ingot.flavors``; never by code of the
package.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._mappings import Mappings, takes_mappings

__all__ = ["FLAVOR_FILE", "PLUGINS", "InvalidPackage", "WrongInput", "asked_part", "describe", "existing", "is_described", "load", "predictor"]

FLAVOR_FILE = "flavor.json"
#: Entry points of this group offer a module (or object) with ``load`` and ``predictor``.
PLUGINS = "ingot.flavors"
#: What every flavor takes for a text.
_TEXTS = ("artifact", "class", "kind", "source", "structure", "estimator", "input", "task", "architecture", "signature")
#: Flavors whose objects answer by themselves.
_AS_THEY_ARE = ("python", "sklearn", "function", "file")
#: Flavors that are loaded without a module of this folder, or not at all.
_ELSEWHERE = ("python", "sklearn", "function", "onnx", "file")


#: Set by the SDK: gives the classes of this process that a source text defines (the text, a class's full name), or None.
live_classes: Callable[[str, str], Any] | None = None


class InvalidPackage(Exception):
    """The package lacks what its flavor needs; the message says what."""


class WrongInput(ValueError):
    """What was asked does not fit what the model takes; the message says how. The caller's mistake, not the model's."""


def describe(root: Path, artifact_path: str | None = None) -> dict[str, Any]:
    """Gives what ``flavor.json`` of a package says, else the path of its artifact alone."""
    file = root / FLAVOR_FILE
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        found = None
    except (ValueError, RecursionError) as problem:
        raise InvalidPackage(f"{FLAVOR_FILE} is not JSON: {problem}") from problem
    if isinstance(found, dict) and isinstance(found.get("flavor"), str):
        return {"artifact": artifact_path or ".", **found}
    return {"artifact": artifact_path or "."}


def is_described(flavor: str) -> bool:
    """Says whether a module of this folder (or a plugin) loads the flavor."""
    return flavor not in _ELSEWHERE


def load(root: Path, flavor: str, description: dict[str, Any]) -> Any:
    """Loads a package of a flavor: gives the framework's own object.

    Raises InvalidPackage for a flavor nothing here knows and for an artifact that is not in the package.
    """
    _check_texts(description)
    existing(root, description.get("artifact", ".") or "nothing")
    return _module(flavor, description).load(root, description)


def predictor(native: Any, flavor: str, description: dict[str, Any]) -> Any:
    """Gives what answers for a loaded object; the object itself where its flavor has nothing to add."""
    if flavor == "sklearn":
        asked = Mappings(native) if takes_mappings(native) else native
    else:
        asked = native if flavor in _AS_THEY_ARE else _module(flavor, description).predictor(native, description)
    return _explained(asked, *description["explainer"]) if "explainer" in description else asked


def _explained(asked: Any, explainer: Any, description: dict[str, Any]) -> Any:
    """Gives what answers with a method more: ``explain``, which the explainer beside the model answers."""
    import copy  # noqa: PLC0415

    explained = copy.copy(asked)
    explained.explain = predictor(explainer, "shap", description).predict
    return explained


def asked_part(native: Any, flavor: str, description: dict[str, Any]) -> tuple[Any, str, dict[str, Any]]:
    """Object, flavor and description of what is asked: of several models those of the one that predict asks."""
    if flavor != "models":
        return native, flavor, description
    from .models import main_part  # noqa: PLC0415

    part = main_part(native, description)
    return asked_part(part[0], part[1]["flavor"], part[1])


def _check_texts(description: dict[str, Any]) -> None:
    for key in _TEXTS:
        value = description.get(key, "")
        if not isinstance(value, str) and (value is not None or key == "artifact"):
            raise InvalidPackage(f'"{key}" in {FLAVOR_FILE} should be a text, not {json.dumps(value)[:60]}')


def existing(root: Path, path: str) -> Path:
    """Gives a file or folder of the package. Raises InvalidPackage for one that is missing or lies outside."""
    root = root.resolve()
    try:
        place = (root / path).resolve()
        there = place.exists()
    except (OSError, ValueError) as problem:
        raise InvalidPackage(f"{path[:80]!r} is no path: {problem}") from problem
    if not place.is_relative_to(root):
        raise InvalidPackage(f"{path} lies outside the package")
    if not there:
        raise InvalidPackage(f"the package has no file {path}")
    return place


def _module(flavor: str, description: dict[str, Any]) -> Any:
    if flavor == "plugin":
        return _plugin(str(description.get("plugin", "")))
    name = flavor.replace("-", "_")
    if name.isidentifier() and (Path(__file__).parent / f"{name}.py").is_file():
        return importlib.import_module(f"{__name__}.{name}")
    raise InvalidPackage(f"cannot load a package of flavor {flavor!r}; known are {', '.join(_known())}")


def _known() -> list[str]:
    own = [file.stem.replace("_", "-") for file in Path(__file__).parent.glob("[a-z]*.py")]
    return sorted({"python", "sklearn", "function", "onnx", *own})


def _plugin(name: str) -> Any:
    import importlib.metadata  # noqa: PLC0415

    found = importlib.metadata.entry_points()
    group = found.select(group=PLUGINS) if hasattr(found, "select") else found.get(PLUGINS, [])
    for entry in group:
        if entry.name == name:
            return entry.load()
    raise InvalidPackage(
        f"the package is loaded by the plugin {name!r}, and no distribution installed in {sys.prefix} offers it "
        f"(an entry point of {PLUGINS})"
    )
