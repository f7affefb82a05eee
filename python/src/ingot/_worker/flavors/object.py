"""Any object that can be asked, pickled: ``{"flavor": "object", "artifact": "model.pkl", "input": "rows"}``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load(root: Path, description: dict[str, Any]) -> Any:
    """Unpickles the artifact; runs code, as every pickle may."""
    from ..loading import read_artifact  # noqa: PLC0415

    path = description.get("artifact", ".")
    return read_artifact(root, "model.pkl" if path == "." else path)


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """The object itself; of a class, an object made without arguments."""
    return native() if isinstance(native, type) else native
