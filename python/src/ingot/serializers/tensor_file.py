"""Writes tensors to a safetensors file one at a time, so that memory holds no second copy of them all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Types of safetensors by torch's names.
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
}
#: A tensor elsewhere (on a GPU, or not contiguous) is brought here in pieces of about this size.
_PIECE_BYTES = 64 << 20


def can_hold(tensor: Any) -> bool:
    """Says whether the format can say what this tensor is: a dense one of a known type, with data."""
    plain = str(tensor.layout) == "torch.strided" and not tensor.is_quantized and tensor.device.type != "meta"
    return plain and dtype_name(tensor) in DTYPES


def dtype_name(tensor: Any) -> str:
    """Gives a tensor's type as flavor.json names it: ``float32``."""
    return str(tensor.dtype).removeprefix("torch.")


def write_tensors(tensors: Mapping[str, Any], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors by name; the largest element types first, as the format's own writer does.

    The tensors may lie anywhere and in any order of memory; they stay as they are.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header: dict[str, Any] = {"__metadata__": dict(sorted((metadata or {}).items()))} if metadata else {}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": DTYPES[dtype_name(tensor)], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb", buffering=0) as file:
        _write_all(file, memoryview(len(text).to_bytes(8, "little") + text))
        for _, tensor in ordered:
            _write(file, tensor.detach())


def _write(file: Any, tensor: Any) -> None:
    import torch

    if tensor.numel() == 0:
        return
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.device.type == "cpu" and tensor.is_contiguous():
        _write_all(file, memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
        return
    if tensor.dim() > 1 and tensor.numel() * tensor.element_size() > _PIECE_BYTES:
        rows = max(1, _PIECE_BYTES * tensor.shape[0] // (tensor.numel() * tensor.element_size()))
        for piece in tensor.split(rows):
            _write(file, piece.to("cpu").contiguous())
        return
    _write(file, tensor.to("cpu").contiguous())


def _write_all(file: Any, content: memoryview) -> None:
    """An unbuffered file may take only part of what it is given (2 GiB at most on Linux)."""
    while content:
        content = content[file.write(content) :]
