"""Saves PEFT adapters: the adapter alone. Its base model is named as the version's parent, and found again at loading."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors.transformers import input_of, task_of
from ..environments.requirements import top_modules
from ..errors import InvalidPackage
from ..kinds import plain
from ..origins import origin_of
from .base import Saved
from .torch import class_name, moved
from .transformers import is_hub_name, is_pretrained, part_of

FOLDER = "adapter"
BASE = "base"


class PeftSerializer:
    """``adapter_config.json`` and the adapter's weights as safetensors; a tokenizer beside them when it is given."""

    name = "peft"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A PeftModel, or a tuple of one and its tokenizer."""
        if isinstance(model, tuple):
            return len(model) == 2 and _is_peft(model[0]) and part_of(model[1]) == "tokenizer"
        return _is_peft(model)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``adapter``, and ``base`` where the base model has no name to find it by.

        :raises InvalidPackage: for an adapter around something that is no model of transformers.
        """
        adapted, *tokenizers = model if isinstance(model, tuple) else (model,)
        inner = adapted.get_base_model()
        if not is_pretrained(inner):
            raise InvalidPackage(
                f"the adapter changes a {class_name(inner)}, which is no model of transformers",
                code="invalid-package",
                hint="ingot.push(model.merge_and_unload(), …) stores the changed model as a whole",
            )
        adapted.save_pretrained(str(directory / FOLDER))
        (directory / FOLDER / "README.md").unlink(missing_ok=True)
        for tokenizer in tokenizers:
            tokenizer.save_pretrained(str(directory / FOLDER))
        base, notices = _base(adapted, inner, directory)
        task = task_of(inner)
        takes = input_of(task) if tokenizers else "tensors"
        parent = base.get("version") or (f"hf://{base['name']}" if "name" in base else None)
        return Saved(
            flavor="peft",
            modules=frozenset({*top_modules([type(inner).__module__]), "peft", "transformers", "torch", "safetensors"}),
            takes=takes,
            notices=(*notices, *moved([inner.device.type])),
            parents=(parent,) if parent else (),
            params=_params(adapted),
            description={
                "artifact": FOLDER,
                "class": class_name(adapted),
                "architecture": type(inner).__name__,
                "base": base,
                "tokenizer": bool(tokenizers),
                **({"task": task} if tokenizers else {}),
                "input": takes,
            },
        )

    def pip_names(self, model: Any) -> list[str]:
        """peft and what it runs on."""
        return ["peft", "transformers", "tokenizers", "torch", "safetensors", "numpy", "accelerate"]


def _is_peft(model: Any) -> bool:
    return any(base.__module__ == "peft.peft_model" and base.__name__ == "PeftModel" for base in type(model).__mro__)


def _base(adapted: Any, inner: Any, directory: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Says where the base model is: a version of the registry, or a name of the Hub; else it is stored, too.

    A folder of this machine would be nowhere to be found on another one.
    """
    name = str(adapted.active_peft_config.base_model_name_or_path or getattr(inner.config, "_name_or_path", "") or "")
    known = origin_of(name) if name and Path(name).exists() else None
    if known is not None:
        _forget_path(directory, known[0])
        return {"version": known[0], "digest": known[1]}, ()
    if name and is_hub_name(name):
        return {"name": name}, ()
    _save_base(adapted, inner, directory / BASE)
    _forget_path(directory, BASE)
    whose = f"is the folder {name}" if name else "has no name"
    return {"artifact": BASE}, (
        f"the adapter's base model {whose}, so it is stored in the same version; push the base as a version of its own, and "
        "adapt what ingot.load gives, to store it once for all adapters",
    )


def _forget_path(directory: Path, ref: str) -> None:
    """A path of this machine's cache tells others nothing."""
    import json

    file = directory / FOLDER / "adapter_config.json"
    said = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**said, "base_model_name_or_path": ref}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _save_base(adapted: Any, inner: Any, folder: Path) -> None:
    """Writes the base as it was before the adapter: its own weights under their own names."""
    from .tensor_file import write_tensors

    prefix = next(iter(type(adapted.base_model).__mro__)).__name__
    tensors: dict[str, Any] = {}
    places: set[int] = set()
    for name, tensor in inner.state_dict().items():
        if any(f"{mark}_" in name or f".{mark}." in name for mark in ("lora", "adapter", "ia3", "hada", "lokr", "oft", "vera", "boft")):
            continue
        plain_name = name.replace(".base_layer.", ".").replace("modules_to_save.default.", "")
        plain_name = plain_name.replace("original_module.", "")
        if tensor.data_ptr() not in places or tensor.numel() == 0:
            places.add(tensor.data_ptr())
            tensors[plain_name] = tensor
    if not tensors:
        raise InvalidPackage(f"the base of the {prefix} cannot be told from its adapter", code="invalid-package")
    folder.mkdir()
    inner.config.architectures = [type(inner).__name__]
    inner.config.save_pretrained(str(folder))
    write_tensors(tensors, folder / "model.safetensors", {"format": "pt"})


def _params(adapted: Any) -> dict[str, Any]:
    config = adapted.active_peft_config
    names = ("peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "num_virtual_tokens", "bias")
    said = {name: getattr(config, name, None) for name in names}
    return {name: getattr(plain(value), "value", plain(value)) for name, value in said.items() if value is not None}
