"""Writes ``flavor.json``: what a package is, for whoever loads it."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._worker.flavors import FLAVOR_FILE, PLUGINS
from ..errors import InvalidPackage
from .base import Saved

#: The flavors that Ingot itself loads. Any other name is that of somebody's entry point.
FLAVORS = frozenset({
    "python", "function", "sklearn", "onnx", "xgboost", "lightgbm", "catboost", "statsmodels", "prophet", "gensim", "annoy",
    "spacy", "shap", "torch", "fastai", "keras", "tensorflow", "transformers", "sentence-transformers", "peft", "diffusers",
    "mlflow", "object", "models", "plugin", "file",
})  # fmt: skip


def description_of(saved: Saved) -> dict[str, Any]:
    """Gives what a serializer says of the files it wrote, with what they take and whether they run code."""
    code = {"executesCode": True} if saved.executes_code else {}
    takes = {"input": saved.takes} if saved.takes is not None else {}
    return {**takes, **code, **saved.description}


def write_flavor(saved: Saved, directory: Path) -> None:
    """Writes ``flavor.json`` from what a serializer says; nothing where it describes nothing.

    Equal descriptions give equal bytes: sorted keys, a last newline.
    """
    if not saved.description:
        return
    said = {"flavor": saved.flavor, **description_of(saved)}
    (directory / FLAVOR_FILE).write_text(json.dumps(said, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def settled(saved: Saved, serializer: str) -> Saved:
    """Turns a flavor of somebody else into ``plugin``: an entry point of an installed distribution has to load it.

    That distribution becomes a requirement of the model.

    :raises InvalidPackage: when no installed distribution offers the loader, so that nothing could load the version.
    """
    if saved.flavor in FLAVORS and saved.flavor != "plugin":
        return saved
    name = str(saved.description.get("plugin", saved.flavor))
    entry = next((each for each in importlib.metadata.entry_points(group=PLUGINS) if each.name == name), None)
    if entry is None:
        raise InvalidPackage(
            f'the serializer "{serializer}" writes the flavor "{name}", and no installed distribution loads it',
            code="invalid-package",
            hint=f'[project.entry-points."{PLUGINS}"] {name} = "its_package.loading"',
        )
    module = entry.value.partition(":")[0].partition(".")[0]
    described = {**saved.description, "plugin": name}
    if entry.dist is not None:
        described["distribution"] = entry.dist.name
    return replace(saved, flavor="plugin", modules=saved.modules | {module}, description=described)


def plugin_names(saved: Saved) -> list[str]:
    """Names the distributions of the plugins that load a package or a part of it."""
    parts = [saved.description, *saved.description.get("parts", ())]
    return [str(part["distribution"]) for part in parts if "distribution" in part and "plugin" in part]
