"""spaCy pipelines: the folder that ``nlp.to_disk`` writes.

``flavor.json``: ``artifact`` (the folder), ``imports`` (modules of the package that register components). Asked with texts; what
answers hold depends on the pipeline: ``entities``, ``categories``, ``sentences``, ``spans``, and ``tokens`` where there is none
of these.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import existing
from ._texts import texts_of

__all__ = ["load", "predictor"]


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the pipeline. Imports code of the package where ``imports`` names some."""
    import spacy  # noqa: PLC0415

    if description.get("imports"):
        from ..loading import allow_imports_from  # noqa: PLC0415

        allow_imports_from(root)
        for name in description["imports"]:
            importlib.import_module(name)
    return spacy.load(existing(root, description["artifact"]))


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers texts."""
    return _Asked(native)


class _Asked:
    ingot_input = "texts"

    def __init__(self, native: Any) -> None:
        self._native = native
        self._parts = _parts(native)
        inputs = [{"name": "text", "type": "string"}]
        self.ingot_signature = {"inputs": inputs, "outputs": [], "origin": "captured", "partial": True}

    def predict(self, data: Any) -> list[dict[str, Any]]:
        """One dict a text."""
        documents = self._native.pipe(str(text) for text in texts_of(data))
        return [{name: read(document) for name, read in self._parts.items()} for document in documents]


def _parts(native: Any) -> dict[str, Callable[[Any], Any]]:
    """What the components of a pipeline set, as spaCy's own description of them says."""
    sets = {told for name in native.pipe_names for told in native.get_pipe_meta(name).assigns}
    known: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "doc.ents": ("entities", _entities),
        "doc.cats": ("categories", lambda document: {label: float(score) for label, score in document.cats.items()}),
        "token.is_sent_start": ("sentences", lambda document: [sentence.text for sentence in document.sents]),
        "doc.spans": ("spans", _spans),
    }
    found = {name: read for told, (name, read) in known.items() if told in sets}
    if not found or sets & {"token.tag", "token.pos", "token.lemma", "token.morph", "token.dep"}:
        found["tokens"] = _tokens
    return found


def _entities(document: Any) -> list[dict[str, Any]]:
    return [_span(span) for span in document.ents]


def _spans(document: Any) -> dict[str, list[dict[str, Any]]]:
    return {name: [_span(span) for span in group] for name, group in document.spans.items()}


def _span(span: Any) -> dict[str, Any]:
    return {"text": span.text, "label": span.label_, "start": span.start_char, "end": span.end_char}


def _tokens(document: Any) -> list[dict[str, Any]]:
    fields = {"lemma": "lemma_", "pos": "pos_", "tag": "tag_", "dep": "dep_"}
    return [
        {"text": token.text, **{name: told for name, field in fields.items() if (told := getattr(token, field))}}
        for token in document
    ]
