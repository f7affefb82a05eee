"""PEFT adapters: a folder with ``adapter_config.json``, and the base model that it changes, found elsewhere.

``base`` of ``flavor.json`` says where: ``{"artifact": "base"}`` (in the package), ``{"version": "base:3", "digest":
"sha256:…"}`` (another version of the registry, in the cache beside this package), ``{"name": "org/bert"}`` (a name of the
Hugging Face Hub), ``{"path": "/srv/bert"}`` (a folder, read only where ``INGOT_BASE_MODELS`` allows it).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, existing
from ._bases import FOLDERS, base_folder, check_adapter
from ._documents import read_json
from .transformers import _model, check_kernels, class_of, from_pretrained, input_of, task_of
from .transformers import predictor as ask_transformers

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the PeftModel around its base. Raises InvalidPackage when the base is nowhere to be found."""
    folder = existing(root, description["artifact"])
    folder = folder if folder.is_dir() else folder.parent
    config = read_json(folder / "adapter_config.json")
    check_adapter(config, "adapter_config.json")
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
    folder = base_folder(root, said)
    architecture = (config.get("auto_mapping") or {}).get("base_model_class") or description.get("architecture")
    kind = class_of(architecture)
    if folder is not None:
        return _model(folder, {"artifact": str(folder)}) if kind is None else from_pretrained(kind, folder)
    name = str(said.get("name"))
    try:
        check_kernels(_fetched_config(name, said.get("revision")))
        found = (kind or _auto(config)).from_pretrained(
            name, revision=said.get("revision"), trust_remote_code=False, local_files_only=_is_offline()
        )
        return found.eval()
    except (OSError, ValueError) as problem:
        raise InvalidPackage(
            f"the adapter needs its base model {name}, which is neither in the Hugging Face cache of this machine nor in a "
            f"folder that {FOLDERS} names, and it could not be fetched; download it once, or set {FOLDERS}=FOLDER"
        ) from problem


def _fetched_config(name: str, revision: Any) -> dict[str, Any]:
    import transformers  # noqa: PLC0415

    found, _ = transformers.PretrainedConfig.get_config_dict(name, revision=revision, local_files_only=_is_offline())
    return dict(found)


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
