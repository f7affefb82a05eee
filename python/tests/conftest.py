"""What the tests share: a store of their own, a cache of their own, nothing of the user's environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.commands.finding import find_engine


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("INGOT_") and name not in {"INGOT_ENGINE", "INGOT_NODE"}]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("INGOT_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that INGOT_REGISTRY names; the built engine must be there."""
    find_engine()
    where = tmp_path / "store"
    monkeypatch.setenv("INGOT_REGISTRY", str(where))
    yield where
