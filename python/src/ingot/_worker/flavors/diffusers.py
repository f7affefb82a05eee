"""diffusers: a folder with ``model_index.json``; rows of the pipeline's arguments to images as arrays.

A row is a dict of what the pipeline is called with (``{"prompt": "a cat", "num_inference_steps": 20, "seed": 1}``); ``seed``
makes the answer repeatable. An image is an array of height, width and colours, numbers from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, WrongInput, existing
from ._bases import check_embedded
from ._documents import read_json

__all__ = ["load", "predictor"]

#: What parts of a pipeline are made with.
_LIBRARIES = ("diffusers", "transformers", "peft", "optimum", "onnxruntime")
#: Arguments that a request gives: what an image is made from and how, never functions, files or addresses.
_ARGUMENTS = frozenset(
    """prompt prompt_2 prompt_3 negative_prompt negative_prompt_2 negative_prompt_3 height width num_inference_steps guidance_scale
    guidance_rescale true_cfg_scale num_images_per_prompt eta strength batch_size class_labels clip_skip max_sequence_length""".split()
)


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the pipeline of the class that ``model_index.json`` names. Nothing is downloaded, no code of the folder is run."""
    folder = existing(root, description["artifact"])
    folder = folder if folder.is_dir() else folder.parent
    _check_parts(folder / "model_index.json")
    import diffusers  # noqa: PLC0415

    kind = diffusers.DiffusionPipeline if (folder / "model_index.json").is_file() else diffusers.AutoModel
    return kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def _check_parts(index: Path) -> None:
    """A part is ``[library, class]``; any other library would be a file of the folder, or whatever is installed."""
    if not index.is_file():
        return
    said = read_json(index)
    kind = said.get("_class_name")
    if not isinstance(kind, str):
        raise InvalidPackage(f"model_index.json names the pipeline {kind!r}, which is code of the folder's own and is not run")
    check_embedded(*(index.parent / name for name in said if name.isidentifier()))
    for name, part in said.items():
        if isinstance(part, list) and not name.isidentifier():
            raise InvalidPackage(f"model_index.json names the part {name!r}, which is no folder beside it")
        if isinstance(part, list) and part and not (part[0] is None or str(part[0]).partition(".")[0] in _LIBRARIES):
            raise InvalidPackage(f"model_index.json takes {name} from {part[0]!r}, which is none of {', '.join(_LIBRARIES)}")


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
        refused = sorted(name for name, value in arguments.items() if name not in _ARGUMENTS and not hasattr(value, "dtype"))
        if refused:
            raise WrongInput(f"a request cannot give {', '.join(refused)}; it may give {', '.join(sorted(_ARGUMENTS))}, and arrays")
        with torch.inference_mode():
            made = self._pipeline(**arguments, generator=generator, output_type="np")
        return made.images[0]
