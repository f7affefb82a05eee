"""Reads the JSON files of a package, which anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import InvalidPackage

__all__ = ["MAX_BYTES", "read_json"]

#: A description larger than this is none.
MAX_BYTES = 64 * 1024 * 1024


def read_json(file: Path) -> dict[str, Any]:
    """Gives the object that a JSON file holds.

    Raises InvalidPackage for a file that is too large, nests too deeply, or holds anything else.
    """
    if file.stat().st_size > MAX_BYTES:
        raise InvalidPackage(f"{file.name} is larger than {MAX_BYTES >> 20} MiB")
    try:
        found = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise InvalidPackage(f"{file.name} is not JSON: {problem}") from problem
    if not isinstance(found, dict):
        raise InvalidPackage(f"{file.name} holds no JSON object")
    return found
