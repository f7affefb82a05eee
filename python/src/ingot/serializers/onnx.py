"""Saves ONNX models: a ModelProto, or the bytes of one. A path to an ``.onnx`` file is stored as it is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..kinds import comes_from
from .base import Saved

#: Field 1 (ir_version) as a varint: how every ModelProto begins.
_FIRST_BYTE = 0x08


class OnnxSerializer:
    """Data only: loading an ONNX graph executes nothing but the graph. The engine reads the signature from it."""

    name = "onnx"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """A ``ModelProto`` or bytes that begin like one."""
        if isinstance(model, bytes | bytearray | memoryview):
            return len(model) > 0 and bytes(model[:1])[0] == _FIRST_BYTE
        return comes_from(model, "onnx") and hasattr(model, "SerializeToString") and hasattr(model, "graph")

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.onnx``."""
        content = model if isinstance(model, bytes | bytearray | memoryview) else model.SerializeToString(deterministic=True)
        (directory / "model.onnx").write_bytes(content)
        return Saved(flavor="onnx")

    def pip_names(self, model: Any) -> list[str]:
        """None: the engine runs ONNX by itself."""
        return []
