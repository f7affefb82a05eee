"""Every case of the matrix that can be imported here is saved, loaded and served with equal predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from matrix import Case, Result, Server, all_cases, document, load_case, push_case, serve_case, trusting

pytestmark = pytest.mark.engine

#: Which frameworks are run (comma-separated); default: all that can be imported.
ONLY = {name for name in os.environ.get("INGOT_MATRIX_ONLY", "").split(",") if name}
#: ``all`` runs every case; by default two of each framework are loaded, and one of these is served.
EXTENT = os.environ.get("INGOT_MATRIX", "")
#: Also in an environment of its own: ``first`` case of every framework, ``all``, or none.
ISOLATED = os.environ.get("INGOT_MATRIX_ISOLATED", "")
RESULTS = os.environ.get("INGOT_MATRIX_RESULTS", "")
GROUP = os.environ.get("INGOT_MATRIX_GROUP", "light")



def _chosen() -> list[Case]:
    cases = [case for case in all_cases() if not ONLY or case.framework in ONLY]
    return cases if EXTENT == "all" else [case for case in cases if _place(case, cases) < 2]


def _place(case: Case, cases: list[Case]) -> int:
    return [each for each in cases if each.framework == case.framework].index(case)


CASES = _chosen()


class Matrix:
    """All cases pushed to one store, and one server for all of them, started when the first one is asked."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.store = scratch / "store"
        self.results: dict[str, Result | None] = {case.id: push_case(case, self.store) for case in CASES}
        self._server: Server | None = None

    def server(self) -> Server:
        """Gives the server that serves every version that was saved."""
        if self._server is None:
            refs = [result.ref for result in self.results.values() if result is not None and result.ref]
            with trusting(CASES):
                self._server = Server(refs, self.store, self.scratch)
        return self._server

    def close(self) -> None:
        """Stops the server."""
        if self._server is not None:
            self._server.close()

    def record(self) -> None:
        """Writes what came of it so far, where that is asked for: a run that is interrupted has told that much."""
        if RESULTS:
            found = [result for result in self.results.values() if result is not None]
            Path(RESULTS).write_text(json.dumps(document(found, GROUP), indent=1, sort_keys=True) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    held = os.environ.get("INGOT_CACHE")
    os.environ["INGOT_CACHE"] = str(tmp_path_factory.mktemp("matrix-cache"))
    made = Matrix(tmp_path_factory.mktemp("matrix"))
    yield made
    made.close()
    if held is None:
        os.environ.pop("INGOT_CACHE", None)
    else:
        os.environ["INGOT_CACHE"] = held


def _wants_isolation(case: Case) -> bool:
    if ISOLATED == "all":
        return True
    return ISOLATED == "first" and _place(case, CASES) == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_model_comes_back_as_it_was_pushed(case: Case, matrix: Matrix) -> None:
    result = matrix.results[case.id]
    if result is None:
        pytest.skip(f"{case.framework} is not installed here")
    if result.steps["save"] == "ok":
        result.steps["load"] = load_case(result, matrix.store)
        if EXTENT == "all" or _place(case, CASES) == 0:
            result.steps["serve"] = serve_case(result, matrix.server())
        if _wants_isolation(case):
            result.steps["isolated"] = load_case(result, matrix.store, env="isolated")
    matrix.record()
    failed = {step: said for step, said in result.steps.items() if said not in {"ok", case.not_served}}
    assert failed == {}
