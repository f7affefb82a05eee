"""diffusers: a folder with ``model_index.json``; rows of the pipeline's arguments to images as arrays.

A row is a dict of what the pipeline is called with (``{"prompt": "a cat", "num_inference_steps": 20, "seed": 1}``); ``seed``
makes the answer repeatable. An image is an array of height, width and colours, numbers from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import existing

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the pipeline of the class that ``model_index.json`` names. Nothing is downloaded, no code of the folder is run."""
    folder = existing(root, description["artifact"])
    folder = folder if folder.is_dir() else folder.parent
    import diffusers  # noqa: PLC0415

    if (folder / "model_index.json").is_file():
        return diffusers.DiffusionPipeline.from_pretrained(str(folder), local_files_only=True)
    return diffusers.AutoModel.from_pretrained(str(folder), local_files_only=True)


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers rows with images; a single model of a pipeline answers tensors by argument's name."""
    if hasattr(native, "forward"):
        from ._tensors import Asked  # noqa: PLC0415

        return Asked(native, {"input": "tensors"})
    return _Asked(native)


class _Asked:
    ingot_input = "rows"

    def __init__(self, pipeline: Any) -> None:
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline

    def predict(self, data: Any) -> Any:
        """Gives one array an image, all of one size, stacked."""
        import numpy as np  # noqa: PLC0415

        rows = data.to_dict("records") if hasattr(data, "to_dict") else [data] if isinstance(data, Mapping) else list(data)
        return np.stack([self._image(dict(row)) for row in rows])

    def _image(self, row: dict[str, Any]) -> Any:
        import torch  # noqa: PLC0415

        seed = row.pop("seed", None)
        generator = None if seed is None else torch.Generator("cpu").manual_seed(int(seed))
        arguments = {name: value for name, value in row.items() if value is not None}
        with torch.inference_mode():
            made = self._pipeline(**arguments, generator=generator, output_type="np")
        return made.images[0]
