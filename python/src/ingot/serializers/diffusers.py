"""Saves pipelines of diffusers, and single models of them: the folder their own ``save_pretrained`` writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..environments.requirements import top_modules
from .base import Saved
from .torch import class_name, moved


class DiffusersSerializer:
    """A folder with ``model_index.json`` and one folder a part, weights as safetensors."""

    name = "diffusers"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A DiffusionPipeline, or a model of one (a UNet)."""
        return _is(model, "DiffusionPipeline") or _is(model, "ModelMixin")

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``model``."""
        model.save_pretrained(str(directory / "model"), safe_serialization=True)
        parts = getattr(model, "components", {}).values()
        modules = top_modules(type(part).__module__ for part in (model, *parts) if part is not None)
        return Saved(
            flavor="diffusers",
            modules=frozenset({*modules, "diffusers", "torch"}),
            takes="rows" if _is(model, "DiffusionPipeline") else "tensors",
            notices=moved([model.device.type]),
            description={
                "artifact": "model",
                "class": class_name(model),
                "input": "rows" if _is(model, "DiffusionPipeline") else "tensors",
            },
        )

    def pip_names(self, model: Any) -> list[str]:
        """diffusers and what it runs on."""
        return ["diffusers", "torch", "safetensors", "numpy", "pillow"]


def _is(value: Any, name: str) -> bool:
    return any(base.__name__ == name and base.__module__.startswith("diffusers.") for base in type(value).__mro__)
