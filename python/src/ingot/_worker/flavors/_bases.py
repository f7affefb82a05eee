"""Finds the base model of an adapter, and reads nothing of this machine that whoever loads the adapter has not allowed.

A package comes from somebody else: what it names is looked for in the package itself, beside it in the cache (a version, by
its digest), in the folders of ``INGOT_BASE_MODELS``, and on the Hugging Face Hub. Any other folder is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, describe, existing
from ._documents import read_json

__all__ = ["FOLDERS", "base_folder", "check_adapter", "check_embedded", "is_hub_name"]

#: Folders (separated as in PATH) where a base model may lie under its name, ``org/bert`` or ``bert``; each may be a model's.
FOLDERS = "INGOT_BASE_MODELS"

_HUB_NAME = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?$", re.ASCII)
#: Keys of an adapter's configuration that name what is read or imported from elsewhere.
_OF_OTHERS = ("adapters", "shadow_model", "megatron_config")


def base_folder(root: Path, said: Mapping[str, Any]) -> Path | None:
    """Gives the folder that holds the base; None where only a name of the Hub is known.

    Raises InvalidPackage for a version that is not in the cache, and for a folder that is not allowed.
    """
    if said.get("artifact"):
        return existing(root, _text(said, "artifact"))
    if said.get("digest"):
        return _cached(root, said)
    name = _text(said, "path") or _text(said, "name")
    if not name:
        raise InvalidPackage("the adapter does not say what its base model is; push it again with its base model")
    found = _allowed(name)
    if found is not None:
        return found
    if not said.get("path") and _is_of_hub(name):
        return None
    raise InvalidPackage(
        f"the adapter's base model is {name!r}, a folder of some machine, which a package does not get to read here. If you "
        f"trust this package, say where the base is: {FOLDERS}=FOLDER; else push the base as a version of its own, and the "
        f"adapter from Python around what ingot.load gives"
    )


def is_hub_name(name: str) -> bool:
    """Whether a text can be a model's name on the Hugging Face Hub, and no path that leads elsewhere."""
    return _HUB_NAME.match(name) is not None and ".." not in name


def check_adapter(config: Mapping[str, Any], path: str) -> None:
    """Refuses an adapter that is made of more than its own weights and its base: other adapters, models and modules."""
    named = [key for key in _OF_OTHERS if config.get(key) not in (None, "", "mirror", {}, [])]
    if named:
        raise InvalidPackage(
            f"{path} names models or modules from elsewhere ({', '.join(named)}), which are not read; "
            "push model.merge_and_unload() instead"
        )


def check_embedded(*folders: Path) -> None:
    """Refuses an adapter in a model's folder whose base is a folder of this machine: libraries would read that one instead."""
    for file in (folder / "adapter_config.json" for folder in folders):
        if not file.is_file():
            continue
        config = read_json(file)
        check_adapter(config, file.name)
        name = str(config.get("base_model_name_or_path") or "")
        if _is_of_hub(name) or (os.path.isabs(name) and _allowed(name) is not None):
            continue
        raise InvalidPackage(
            f"{file.parent.name}/{file.name} names the base model {name!r}, a folder of some machine, which a package does not "
            f"get to read here; push the merged model (model.merge_and_unload()), or, if you trust this package, allow the "
            f"folder: {FOLDERS}={name}"
        )


def _is_of_hub(name: str) -> bool:
    """A folder of the working directory under a model's name would be read in its place."""
    return is_hub_name(name) and not Path(name).exists()


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidPackage(f'"{key}" of the adapter\'s base should be a text, not {str(value)[:60]!r}')
    return value or ""


def _places() -> list[Path]:
    return [Path(place).resolve() for place in os.environ.get(FOLDERS, "").split(os.pathsep) if place]


def _allowed(name: str) -> Path | None:
    """A folder of ``INGOT_BASE_MODELS``: the one that is named by its path, else the one under the base's (last) name."""
    places = _places()
    candidates = [Path(name).resolve()] if os.path.isabs(name) else []
    parts = [part for part in (name, name.rstrip("/").rpartition("/")[2]) if part and not os.path.isabs(part)]
    candidates += [(place / part).resolve() for place in places for part in parts]
    candidates += [place for place in places if place.name == name.rstrip("/").rpartition("/")[2]]
    within = (found for found in candidates if any(found.is_relative_to(place) for place in places))
    return next((found for found in within if (found / "config.json").is_file()), None)


def _cached(root: Path, said: Mapping[str, Any]) -> Path:
    """
    The base's own package: packages lie side by side in the cache, ``DIGEST/files``; a part lies deeper in its own. A package
    that was baked into an image has its bases within.
    """
    digest = _text(said, "digest").removeprefix("sha256:")
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        raise InvalidPackage(f"flavor.json names the base model's digest {said['digest']!r}, which is none")
    resolved = root.resolve()
    for place in (resolved, *resolved.parents):
        for package in (place.parent.parent / digest / "files", place / ".ingot" / "bases" / digest):
            if package != place and package.is_dir():
                return _model_folder(package)
    raise InvalidPackage(
        f"the adapter needs its base model {said.get('version')}, which is not in the cache of this machine; "
        f"bring it there with: ingot pull {said.get('version')} --cached"
    )


def _model_folder(package: Path) -> Path:
    """Where a package of transformers keeps the folder that ``from_pretrained`` reads."""
    described = describe(package)
    folder = existing(package, described["artifact"])
    return folder if folder.is_dir() else folder.parent
