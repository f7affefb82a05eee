"""PEFT adapters: a folder with ``adapter_config.json``, and the base model that it changes, found elsewhere.

``base`` of ``flavor.json`` says where: ``{"artifact": "base"}`` (in the package), ``{"version": "base:3", "digest":
"sha256:…"}`` (another version of the registry, in the cache or beside this package), ``{"path": "/srv/bert"}`` (a folder),
``{"name": "org/bert"}`` (a name of the Hugging Face Hub). Where a caller knows a folder that holds the base, ``basePath``
of the description says it and wins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, describe, existing
from ._documents import read_json
from .transformers import _model, class_of, from_pretrained, input_of, task_of
from .transformers import predictor as ask_transformers

__all__ = ["load", "predictor"]

#: Folders (separated as in PATH) where a base model may lie under its name, ``org/bert`` or ``bert``.
FOLDERS = "INGOT_BASE_MODELS"


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the PeftModel around its base. Raises InvalidPackage when the base is nowhere to be found."""
    folder = existing(root, description["artifact"])
    folder = folder if folder.is_dir() else folder.parent
    config = read_json(folder / "adapter_config.json")
    said = description.get("base")
    if not isinstance(said, dict):
        said = {"name": str(config.get("base_model_name_or_path") or "")}
    base = _base(root, said, description, config)
    import peft  # noqa: PLC0415

    adapted = peft.PeftModel.from_pretrained(base, str(folder), local_files_only=True).eval()
    if not description.get("tokenizer"):
        return adapted
    import transformers  # noqa: PLC0415

    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    return (adapted, tokenizer)


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers: texts where a tokenizer is stored too, else tensors by argument's name."""
    model = native[0] if isinstance(native, tuple) else native
    inner = model.get_base_model()
    if isinstance(native, tuple):
        task = description.get("task") or task_of(inner)
        return ask_transformers((inner, *native[1:]), {"task": task, "input": input_of(task)})
    return ask_transformers(inner, {"dtype": description.get("dtype")})


def _base(root: Path, said: Mapping[str, Any], description: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    folder = _folder(root, said, description)
    architecture = (config.get("auto_mapping") or {}).get("base_model_class") or description.get("architecture")
    kind = class_of(architecture)
    if folder is not None:
        return _model(folder, {"artifact": str(folder)}) if kind is None else from_pretrained(kind, folder)
    name = str(said.get("name") or said.get("path") or "")
    try:
        found = (kind or _auto(config)).from_pretrained(
            name, revision=said.get("revision"), trust_remote_code=False, local_files_only=_is_offline()
        )
        return found.eval()
    except (OSError, ValueError) as problem:
        raise InvalidPackage(
            f"the adapter needs its base model {name}, which is neither in the Hugging Face cache of this machine nor in a "
            f"folder that {FOLDERS} names, and it could not be fetched; download it once, or set {FOLDERS}=FOLDER"
        ) from problem


def _is_offline() -> bool:
    """Whether the SDK's own switch forbids to fetch anything; the Hub's own (``HF_HUB_OFFLINE``) counts besides."""
    return os.environ.get("INGOT_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def _auto(config: Mapping[str, Any]) -> Any:
    import transformers  # noqa: PLC0415

    names = {
        "SEQ_CLS": "AutoModelForSequenceClassification",
        "TOKEN_CLS": "AutoModelForTokenClassification",
        "CAUSAL_LM": "AutoModelForCausalLM",
        "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
        "QUESTION_ANS": "AutoModelForQuestionAnswering",
    }
    return getattr(transformers, names.get(str(config.get("task_type")), "AutoModel"))


def _folder(root: Path, said: Mapping[str, Any], description: Mapping[str, Any]) -> Path | None:
    """The folder that holds the base; None where only its name is known."""
    if description.get("basePath"):
        return _model_folder(Path(description["basePath"]))
    if said.get("artifact"):
        return existing(root, said["artifact"])
    if said.get("digest"):
        return _cached(root, said)
    if said.get("path") and Path(said["path"]).is_dir():
        return Path(said["path"])
    return _named(str(said.get("name") or said.get("path") or ""))


def _named(name: str) -> Path | None:
    places = [Path(place) for place in os.environ.get(FOLDERS, "").split(os.pathsep) if place]
    parts = [part for part in (name, name.rpartition("/")[2]) if part and ".." not in part.split("/") and not part.startswith("/")]
    candidates = [place / part for place in places for part in parts]
    return next((found for found in candidates if (found / "config.json").is_file()), None)


def _cached(root: Path, said: Mapping[str, Any]) -> Path:
    """The base's own package: packages lie side by side in the cache, ``DIGEST/files``."""
    digest = str(said["digest"]).removeprefix("sha256:")
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        raise InvalidPackage(f"flavor.json names the base model's digest {said['digest']!r}, which is none")
    package = root.resolve().parent.parent / digest / "files"
    if package.is_dir():
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
