"""Writes ``flavor.json``: what a package is, for whoever loads it."""

from __future__ import annotations

import json
from pathlib import Path

from .._worker.flavors import FLAVOR_FILE
from .base import Saved


def write_flavor(saved: Saved, directory: Path) -> None:
    """Writes ``flavor.json`` from what a serializer says; nothing where it describes nothing.

    Equal descriptions give equal bytes: sorted keys, a last newline.
    """
    if not saved.description:
        return
    code = {"executesCode": True} if saved.executes_code else {}
    takes = {"input": saved.takes} if saved.takes is not None else {}
    said = {"flavor": saved.flavor, **takes, **code, **saved.description}
    (directory / FLAVOR_FILE).write_text(json.dumps(said, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
