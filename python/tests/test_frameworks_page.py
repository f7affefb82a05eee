"""The recorded matrix of frameworks names every framework that there is a serializer for, and every model that is tried."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ingot.serializers import _BUILT_IN, _BY_NAME

REPOSITORY = Path(__file__).resolve().parents[2]
RECORD = REPOSITORY / "docs" / "frameworks.json"
ROWS: list[dict[str, Any]] = [row for group in json.loads(RECORD.read_text("utf-8"))["groups"].values() for row in group["results"]]
AGAIN = "npm run frameworks -- GROUP --docs records it"


@pytest.fixture(scope="module")
def cases() -> Any:
    sys.path.insert(0, str(Path(__file__).parent / "frameworks"))
    import matrix

    return matrix.all_cases()


@pytest.mark.parametrize("name", [entry.name for entry in (*_BUILT_IN, *_BY_NAME)])
def test_every_serializer_has_been_tried(name: str) -> None:
    tried = {said for row in ROWS for said in (row["framework"], row["flavor"], row.get("serializer"))}
    assert name in tried, f"docs/frameworks.json has no model of {name}; {AGAIN}"


def test_every_model_of_the_matrix_is_recorded_once_and_no_other(cases: Any) -> None:
    recorded = [(row["framework"], row["case"]) for row in ROWS]
    assert len(set(recorded)) == len(recorded)
    assert set(recorded) == {(case.framework, case.name) for case in cases}, AGAIN


@pytest.mark.parametrize("framework", sorted({row["framework"] for row in ROWS}))
def test_every_framework_was_saved_loaded_served_and_isolated(framework: str) -> None:
    steps = {step for row in ROWS if row["framework"] == framework for step in row["steps"]}
    assert steps == {"save", "load", "serve", "isolated"}, AGAIN
