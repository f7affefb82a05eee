"""sentence-transformers: a folder with ``modules.json``; texts to embeddings, pairs of texts to scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import InvalidPackage, WrongInput, existing
from ._bases import check_embedded
from ._documents import read_json

__all__ = ["load", "predictor"]

_KINDS = ("SentenceTransformer", "CrossEncoder", "SparseEncoder")


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the SentenceTransformer, CrossEncoder or SparseEncoder. Nothing is downloaded, no code of the folder is run."""
    folder = existing(root, description["artifact"])
    folder = folder if folder.is_dir() else folder.parent
    _check_parts(folder)
    import sentence_transformers  # noqa: PLC0415

    name = str(description.get("class") or _kind_of(folder)).rpartition(".")[2]
    if name not in _KINDS:
        raise InvalidPackage(f"{name} is no model of sentence-transformers; known are {', '.join(_KINDS)}")
    model = getattr(sentence_transformers, name)(str(folder), device="cpu", local_files_only=True, trust_remote_code=False)
    return model.eval()


def _kind_of(folder: Path) -> str:
    file = folder / "config_sentence_transformers.json"
    said = read_json(file) if file.is_file() else {}
    return str(said.get("model_type") or "SentenceTransformer")


def _check_parts(folder: Path) -> None:
    """Every class that the folder names is one of the library, every function one of torch: names are imported and called."""
    modules = folder / "modules.json"
    parts = json.loads(modules.read_text("utf-8")) if modules.is_file() else []
    for part in parts if isinstance(parts, list) else []:
        kind = str(part.get("type")) if isinstance(part, dict) else str(part)
        if not kind.startswith("sentence_transformers."):
            raise InvalidPackage(f"modules.json names the class {kind}, which is code of the folder's own and is not run")
        check_embedded(existing(folder, str(part.get("path") or "") if isinstance(part, dict) else ""))
    check_embedded(folder)
    for file in sorted(folder.rglob("*.json")):
        if file.name.startswith("config"):
            for name, value in _functions(read_json(file)):
                if not value.startswith(("torch.nn.", "sentence_transformers.")):
                    raise InvalidPackage(f"{file.relative_to(folder)} names {value} as {name}, which is no function of torch")


def _functions(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a configuration names to be imported: ``activation_function``, ``activation_fn``, …"""
    inner = [pair for value in said.values() if isinstance(value, Mapping) for pair in _functions(value)]
    named = [(str(name), value) for name, value in said.items() if isinstance(value, str) and "." in value]
    return [*inner, *((name, value) for name, value in named if name.endswith(("activation_function", "activation_fn")))]


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers texts with embeddings, or pairs with scores."""
    return _Asked(native, by_pair=not callable(getattr(native, "encode", None)))


class _Asked:
    def __init__(self, model: Any, *, by_pair: bool) -> None:
        self.ingot_input = "rows" if by_pair else "texts"
        self._model = model
        self._by_pair = by_pair

    def predict(self, data: Any) -> Any:
        """Gives one embedding a text as an array, or one score a pair."""
        if self._by_pair:
            rows = data.to_dict("records") if hasattr(data, "to_dict") else data
            return self._model.predict([_pair(row) for row in rows], show_progress_bar=False)
        found = self._model.encode(_texts(data), show_progress_bar=False)
        return found.to_dense().cpu().numpy() if getattr(found, "is_sparse", False) else found


def _texts(data: Any) -> list[Any]:
    if isinstance(data, str):
        return [data]
    if hasattr(data, "columns"):
        data = data.iloc[:, 0]
    return [next(iter(row.values())) if isinstance(row, Mapping) else row for row in data]


def _pair(row: Any) -> list[Any]:
    found = list(row.values()) if isinstance(row, Mapping) else row
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], (list, tuple)):
        found = found[0]
    pair = list(found) if isinstance(found, (list, tuple)) else [found]
    if len(pair) != 2 or not all(isinstance(item, str) or getattr(item, "ndim", 0) > 1 for item in pair):
        raise WrongInput('a cross-encoder scores pairs of two texts: {"text": "…", "other": "…"}, or ["…", "…"]')
    return pair
