"""Hugging Face transformers: a folder as ``save_pretrained`` writes it, given back as what was pushed.

``kind`` of ``flavor.json``: ``pipeline`` (with its ``task``), ``model``, ``tokenizer``, or ``pair`` (a tuple of a model and
what prepares its inputs). A bare folder gives a pipeline where it holds a tokenizer, else the model.
"""

from __future__ import annotations

import enum
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, WrongInput, existing
from ._bases import check_embedded
from ._documents import read_json
from ._tensors import Asked, fitting, without_gradients

__all__ = ["load", "predictor"]

#: What may stand beside a model: name of the part, the class that reads it, a file that shows it is there.
PARTS = {
    "tokenizer": ("AutoTokenizer", ("tokenizer_config.json", "tokenizer.json", "vocab.txt")),
    "image_processor": ("AutoImageProcessor", ()),
    "feature_extractor": ("AutoFeatureExtractor", ()),
    "processor": ("AutoProcessor", ("processor_config.json",)),
}
#: Tasks by the end of an architecture's name, where a folder does not say its own.
TASKS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForImageClassification": "image-classification",
    "ForAudioClassification": "audio-classification",
}
#: Where a pipeline keeps what it was made with.
SETTINGS = {
    "preprocess": "_preprocess_params",
    "forward": "_forward_params",
    "postprocess": "_postprocess_params",
    "generate": "_generate_kwargs",
}
#: How a folder is read: nothing is fetched, and no code in it is run or asked for.
_FROM_FOLDER = {"local_files_only": True, "trust_remote_code": False}
#: What would fetch or run code, wherever a pipeline is told it.
_OF_CODE = frozenset({"trust_remote_code", "custom_generate", "assistant_model", "model_kwargs", "device_map", "callback"})
#: Arguments that a row of a request may give beside what is looked at.
_ASKED = frozenset(
    """candidate_labels hypothesis_template multi_label text_pair question context table query top_k top_p temperature do_sample
    num_beams num_return_sequences max_new_tokens min_new_tokens max_length min_length repetition_penalty length_penalty
    no_repeat_ngram_size early_stopping return_full_text return_all_scores function_to_apply aggregation_strategy stride
    src_lang tgt_lang truncation padding targets threshold max_answer_len max_seq_len max_question_len doc_stride
    handle_impossible_answer align_to_words sequential prefix stop_strings word_boxes sampling_rate return_timestamps
    chunk_length_s stride_length_s""".split()
)
#: Tasks that look at an image or a sound; a text in its place would be a file or an address, which is read.
_LOOKED_AT = (
    *("image", "visual", "document", "video", "audio", "automatic-speech", "depth", "object", "mask", "any-to-any"),
    *("zero-shot-image", "zero-shot-audio", "zero-shot-object", "keypoint"),
)
#: Keys under which a pipeline looks for them.
_PLACES = frozenset({"image", "images", "url", "path", "audio", "video", "videos", "base64", "inputs", "raw"})
#: Tasks that answer with as many finds as there are in a text or an image: always a list, also of one.
_AS_MANY = ("token-classification", "ner", "object-detection", "segmentation", "keypoint-matching", "mask-generation")
#: Tasks whose pipeline takes dicts.
_BY_ROW = ("question-answering", "document-question-answering", "visual-question-answering", "table-question-answering")


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the pipeline, model, tokenizer or tuple. Nothing is downloaded, and no code of the folder is run."""
    folder = existing(root, description["artifact"])
    folder = folder if folder.is_dir() else folder.parent
    said = dict(description)
    said.setdefault("parts", [name for name in PARTS if _holds(folder, name)])
    kind = said.get("kind") or ("pipeline" if "tokenizer" in said["parts"] else "model")
    if kind == "tokenizer":
        return _part(folder, "tokenizer", said)
    model = _model(folder, said)
    if kind == "model":
        return model
    parts = {name: _part(folder, name, said) for name in said["parts"]}
    if kind == "pair":
        return (model, *parts.values())
    return _pipeline(said.get("task") or task_of(model), model, parts, said)


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers: texts with the pipeline's own answers, tensors by argument's name with the model's outputs."""
    if isinstance(native, tuple):
        model, *others = native
        parts = {_part_of(other): other for other in others}
        task = description.get("task") or task_of(model)
        return _AskedPipeline(_pipeline(task, model, parts, {}), {"task": task, **description})
    if hasattr(native, "_sanitize_parameters"):
        return _AskedPipeline(native, description)
    if hasattr(native, "forward"):
        return Asked(native, {"input": "tensors", "dtype": description.get("dtype")})
    return _AskedTokenizer(native)


class _AskedPipeline:
    """Answers with a pipeline: one answer a text, an image (an array of height, width and colours), or a dict."""

    def __init__(self, pipeline: Any, description: Mapping[str, Any]) -> None:
        self._pipeline = pipeline
        self._task = str(description.get("task") or getattr(pipeline, "task", ""))
        self.ingot_input = str(description.get("input") or input_of(self._task))

    def predict(self, data: Any) -> Any:
        """Gives the pipeline's answers, one a row; where each is a list of one, and can be of no more, what is in it."""
        with without_gradients(self._pipeline.model), fitting("what it is asked, as long or large as it is"):
            answers = self._answers(data)
        single = not self._task.endswith(_AS_MANY) and all(isinstance(answer, list) and len(answer) == 1 for answer in answers)
        return [answer[0] for answer in answers] if single else answers

    def _answers(self, data: Any) -> Any:
        if hasattr(data, "to_dict") and hasattr(data, "columns"):
            data = data.to_dict("records") if len(data.columns) > 1 else data.iloc[:, 0].tolist()
        if isinstance(data, (str, Mapping)):
            data = [data]
        if self._task.startswith("image-") and hasattr(data, "dtype"):
            from PIL import Image  # noqa: PLC0415

            return self._pipeline([Image.fromarray(image) for image in data.astype("uint8")])
        items = [self._checked(item) for item in data]
        if items and isinstance(items[0], Mapping) and self._task not in _BY_ROW:
            return [self._of_row(dict(item)) for item in items]
        found = self._pipeline(items)
        return found if isinstance(found, list) and len(found) == len(items) else [found]

    def _checked(self, item: Any) -> Any:
        """Refuses what would make the pipeline read a file, fetch an address or run code for whoever asks."""
        by_name = isinstance(item, Mapping)
        if self.ingot_input == "texts" and not isinstance(item, (str, Mapping, list, tuple)):
            raise WrongInput(f"{self._task} takes texts, not {type(item).__name__}")
        first = next(iter(item), "") if by_name else ""
        refused = [] if self._task in _BY_ROW or not by_name else sorted(set(item) - _ASKED - {first})
        if refused:
            raise WrongInput(f"a row cannot give {', '.join(refused)}; beside {first} it may give {', '.join(sorted(_ASKED))}")
        if self._task.startswith(_LOOKED_AT) and not self._task.startswith("image-text"):
            seen = item if self._task in _BY_ROW or not by_name else item[first]
            elsewhere = isinstance(seen, str) or _points_elsewhere("", item)
        else:
            elsewhere = self._task.startswith("image-text") and _points_elsewhere("", item)
        if elsewhere:
            raise WrongInput(f"{self._task} takes pixels or samples as an array, not the name of a file or an address")
        return item

    def _of_row(self, row: dict[str, Any]) -> Any:
        """A dict names the pipeline's arguments; what it looks at comes first (``{"text": …, "candidate_labels": […]}``)."""
        if "text_pair" in row:
            return self._pipeline(row)
        first = next(iter(row))
        return self._pipeline(row.pop(first), **row)


class _AskedTokenizer:
    """Answers texts with what a model is asked with: numbers of tokens."""

    ingot_input = "texts"

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def predict(self, data: Any) -> Any:
        """Gives one array an input of the model, padded to one length where the tokenizer knows how."""
        padded = getattr(self._tokenizer, "pad_token", None) is not None
        found = self._tokenizer([data] if isinstance(data, str) else list(data), padding=padded, return_tensors="np" if padded else None)
        return {str(name): values for name, values in found.items()}


def _points_elsewhere(name: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_points_elsewhere(str(key), inner) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return any(_points_elsewhere(name, inner) for inner in value)
    return isinstance(value, str) and name in _PLACES


def input_of(task: str) -> str:
    """Says what a task is asked with: ``texts``, ``rows`` (dicts) or ``tensors``."""
    if task in _BY_ROW or task.startswith("zero-shot"):
        return "rows"
    return "tensors" if task.startswith(("image", "audio", "automatic-speech", "depth", "object", "video", "mask")) else "texts"


def task_of(model: Any) -> str:
    """Gives the task that an architecture's name tells; a model without a head gives features."""
    name = type(model).__name__
    return next((task for ending, task in TASKS.items() if name.endswith(ending)), "feature-extraction")


def from_pretrained(kind: Any, folder: Path, **more: Any) -> Any:
    """Reads a model from a folder, in the type it was stored in, without looking anywhere else."""
    import transformers  # noqa: PLC0415

    name = "dtype" if int(transformers.__version__.partition(".")[0]) >= 5 else "torch_dtype"
    return kind.from_pretrained(str(folder), **_FROM_FOLDER, **{name: "auto"}, **more).eval()


def _holds(folder: Path, part: str) -> bool:
    if part in ("image_processor", "feature_extractor"):
        file = folder / "preprocessor_config.json"
        said = read_json(file) if file.is_file() else {}
        return f"{part}_type" in said
    return any((folder / name).is_file() for name in PARTS[part][1])


def _model(folder: Path, said: Mapping[str, Any]) -> Any:
    import transformers  # noqa: PLC0415

    config = folder / "config.json"
    if not config.is_file():
        raise InvalidPackage(f"the folder {said['artifact']} has no config.json")
    described = read_json(config)
    check_kernels(described)
    check_embedded(folder)
    named = described.get("architectures")
    kind = class_of(named[0] if isinstance(named, list) and named else None)
    return from_pretrained(kind or _own_class(said.get("architecture")) or transformers.AutoModel, folder)


def class_of(name: Any) -> Any:
    """A class of transformers that reads a folder; None for any other name."""
    import transformers  # noqa: PLC0415

    found = getattr(transformers, name, None) if isinstance(name, str) else None
    return found if isinstance(found, type) and hasattr(found, "from_pretrained") else None


def check_kernels(described: Mapping[str, Any]) -> None:
    """Attention by the name of a repository would be fetched and run."""
    for name, value in described.items():
        if isinstance(value, Mapping):
            check_kernels(value)
        elif "attn_implementation" in name and isinstance(value, str) and "/" in value:
            raise InvalidPackage(f"config.json wants the attention of {value}, which is code from elsewhere and is not run")


def _own_class(reference: Any) -> Any:
    """A class of an installed package that derives from one of transformers'."""
    if not isinstance(reference, str) or reference.startswith("transformers."):
        return None
    import transformers  # noqa: PLC0415

    module, _, name = reference.rpartition(".")
    if module.partition(".")[0] in ("", *sys.stdlib_module_names):
        return None
    found = getattr(importlib.import_module(module), name, None)
    return found if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel) else None


def _part(folder: Path, name: str, said: Mapping[str, Any]) -> Any:
    import transformers  # noqa: PLC0415

    kind = class_of((said.get("classes") or {}).get(name)) or getattr(transformers, PARTS[name][0])
    return kind.from_pretrained(str(folder), **_FROM_FOLDER)


def _part_of(value: Any) -> str:
    names = [base.__name__ for base in type(value).__mro__]
    if "PreTrainedTokenizerBase" in names:
        return "tokenizer"
    if "ProcessorMixin" in names:
        return "processor"
    return "image_processor" if any("ImageProcess" in name for name in names) else "feature_extractor"


def _pipeline(task: str, model: Any, parts: Mapping[str, Any], said: Mapping[str, Any]) -> Any:
    import transformers  # noqa: PLC0415

    made = transformers.pipeline(task, model=model, device="cpu", **parts)
    for group, values in (said.get("asked") or {}).items():
        settings = getattr(made, SETTINGS.get(group, ""), None)
        if settings is not None:
            settings.update({name: _choice(value) for name, value in values.items() if name not in _OF_CODE})
    return made


def _choice(value: Any) -> Any:
    if not isinstance(value, dict) or "enum" not in value:
        return value
    module, _, name = str(value["enum"]).rpartition(".")
    if not module.startswith("transformers."):
        raise InvalidPackage(f"{value['enum']} is no choice of transformers")
    kind = getattr(importlib.import_module(module), name)
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        raise InvalidPackage(f"{value['enum']} is no choice of transformers")
    return kind(value["value"])
