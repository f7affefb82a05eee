"""Saves what Hugging Face transformers offers: pipelines, models, tokenizers, and a model with its tokenizer."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors.transformers import SETTINGS, input_of, task_of
from ..environments.requirements import top_modules
from ..errors import InvalidPackage
from ..origins import origin_of
from .base import Saved
from .torch import class_name, moved

FOLDER = "model"
#: Parts of a pipeline beside its model, by attribute.
PARTS = ("tokenizer", "image_processor", "feature_extractor", "processor")
_OWN = {
    "tokenizer": "PreTrainedTokenizerBase",
    "processor": "ProcessorMixin",
    "feature_extractor": "FeatureExtractionMixin",
    "image_processor": "ImageProcessingMixin",
}


class TransformersSerializer:
    """Writes the folder that ``save_pretrained`` writes: safetensors and JSON, which every tool of the Hub reads."""

    name = "transformers"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A pipeline, a PreTrainedModel, a tokenizer, or a tuple of a model and what prepares its inputs."""
        if isinstance(model, tuple):
            return len(model) > 1 and is_pretrained(model[0]) and all(part_of(item) is not None for item in model[1:])
        return is_pretrained(model) or is_pipeline(model) or part_of(model) == "tokenizer"

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``model``."""
        folder = directory / FOLDER
        inner = model.model if is_pipeline(model) else model[0] if isinstance(model, tuple) else model
        if is_pretrained(inner):
            _check_class(inner)
        elif part_of(inner) is None:
            raise InvalidPackage(f"a pipeline around a {class_name(inner)} cannot be saved", code="invalid-package", hint="push its model")
        parts = write(model, inner, folder)
        described = {**_described(model, inner, parts), "artifact": FOLDER, "class": class_name(model)}
        return Saved(
            flavor="transformers",
            modules=_modules(inner),
            takes=described["input"],
            notices=moved([inner.device.type]) if is_pretrained(inner) else (),
            parents=parents_of(inner),
            params=_params(inner),
            description=described,
        )

    def pip_names(self, model: Any) -> list[str]:
        """transformers and what its models run on; Pillow where images come in."""
        inner = model.model if is_pipeline(model) else model[0] if isinstance(model, tuple) else model
        names = ["transformers", "tokenizers", "numpy", *(["torch", "safetensors"] if is_pretrained(inner) else [])]
        images = any(_is(part, "ImageProcessingMixin") for part in (model if isinstance(model, tuple) else _parts(model).values()))
        return [*names, "pillow", "torchvision"] if images else names


def _is(value: Any, name: str) -> bool:
    return any(base.__name__ == name and base.__module__.startswith("transformers.") for base in type(value).__mro__)


def is_pretrained(value: Any) -> bool:
    """Says whether it is a model of transformers."""
    return _is(value, "PreTrainedModel") and not isinstance(value, type)


def is_pipeline(value: Any) -> bool:
    """Says whether it is a pipeline of transformers."""
    return _is(value, "Pipeline") and hasattr(value, "task")


def part_of(value: Any) -> str | None:
    """Gives which part of a pipeline an object is (``tokenizer``, …), None for anything else."""
    return next((name for name, base in _OWN.items() if _is(value, base)), None)


def _parts(model: Any) -> dict[str, Any]:
    return {name: part for name in PARTS if (part := getattr(model, name, None)) is not None} if is_pipeline(model) else {}


def write(model: Any, inner: Any, folder: Path) -> dict[str, Any]:
    """Writes model and parts into one folder; gives the parts by name."""
    parts = {str(part_of(item)): item for item in model[1:]} if isinstance(model, tuple) else _parts(model)
    inner.save_pretrained(str(folder))
    for part in parts.values():
        part.save_pretrained(str(folder))
    for file in ("config.json", "tokenizer_config.json"):
        _forget_places(folder / file)
    return parts


def _forget_places(file: Path) -> None:
    """Where on this machine a model came from is nobody's business, and would give the same model another digest."""
    if not file.is_file():
        return
    said = json.loads(file.read_text("utf-8"))
    for key in ("_name_or_path", "name_or_path"):
        if key in said and Path(str(said[key])).is_absolute():
            del said[key]
            file.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _described(model: Any, inner: Any, parts: dict[str, Any]) -> dict[str, Any]:
    named = {"parts": list(parts), "classes": {name: type(part).__name__ for name, part in parts.items()}}
    if not is_pretrained(inner):
        return {"kind": "tokenizer", "input": "texts", "parts": ["tokenizer"], "classes": {"tokenizer": type(inner).__name__}}
    architecture = {"architecture": class_name(inner)}
    if is_pipeline(model):
        asked = {group: _sayable(getattr(model, place, None) or {}) for group, place in SETTINGS.items()}
        kept = {group: values for group, values in asked.items() if values}
        return {"kind": "pipeline", "task": model.task, "input": input_of(model.task), **architecture, **named, "asked": kept}
    if isinstance(model, tuple):
        task = task_of(inner)
        return {"kind": "pair", "task": task, "input": input_of(task), **architecture, **named}
    return {"kind": "model", "input": "tensors", **architecture}


def _sayable(values: dict[str, Any]) -> dict[str, Any]:
    """Keeps what JSON can say of a pipeline's settings; the rest are objects that it makes again by itself."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, enum.Enum):
            kept[name] = {"enum": class_name(value), "value": value.value}
        elif value is None or type(value) in (bool, int, float, str):
            kept[name] = value
    return kept


def _check_class(model: Any) -> None:
    import transformers

    if getattr(transformers, type(model).__name__, None) is type(model):
        return
    from ..environments.requirements import split_modules

    home = type(model).__module__
    if home == "__main__" or split_modules(top_modules([home]))[1] or home.startswith("transformers_modules"):
        raise InvalidPackage(
            f"{type(model).__name__} is a class of your own, which no installed package brings",
            code="invalid-package",
            hint='install its code as a package, or store it as one pickle: ingot.push(model, …, serializer="torch-pickle")',
        )


def _modules(inner: Any) -> frozenset[str]:
    return frozenset({*top_modules([type(inner).__module__]), "transformers", *(["torch", "safetensors"] if is_pretrained(inner) else [])})


def parents_of(model: Any) -> tuple[str, ...]:
    """Names what a model was loaded from: a version of the registry, or a name of the Hub; nothing for a path."""
    name = str(getattr(getattr(model, "config", None), "_name_or_path", "") or getattr(model, "name_or_path", "") or "")
    if not name:
        return ()
    known = origin_of(name) if Path(name).is_absolute() else None
    if known is not None:
        return (known[0],)
    return (f"hf://{name}",) if is_hub_name(name) else ()


def is_hub_name(name: str) -> bool:
    """Says whether a text is a name of the Hub (``org/bert``, ``gpt2``), and no path of this machine.

    >>> is_hub_name("google/bert"), is_hub_name("/srv/bert"), is_hub_name("./bert")
    (True, False, False)
    """
    from re import fullmatch

    return fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name) is not None and not Path(name).exists()


def _params(model: Any) -> dict[str, Any]:
    if not is_pretrained(model):
        return {}
    return {"model_type": model.config.model_type, "parameters": int(model.num_parameters())}
