"""Puts the folder of the cases on the path, and gives all its tests one cache, so that an environment is made once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

#: Where environments of isolated models are kept from one run to the next; read before the variables are cleared.
CACHE = os.environ.get("INGOT_MATRIX_CACHE", "")


@pytest.fixture(scope="session", autouse=True)
def one_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clears the user's settings for the whole session: a cache for each test would build every environment again."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("INGOT_") and name not in {"INGOT_ENGINE", "INGOT_NODE"}]:
            patch.delenv(name)
        patch.setenv("INGOT_CACHE", CACHE or str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def clean_environment() -> None:
    """Takes the place of what gives each test a cache."""
