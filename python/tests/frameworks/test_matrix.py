"""Every case of the matrix that can be imported here is saved, loaded, served and run in isolation with equal predictions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from matrix import Case, Result, Server, all_cases, allowing, document, first_of_each, load_case, push_case, serve_case

# What frameworks warn of is no matter here; a filter for the whole session, as two threads are at work.
pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]

#: Which frameworks are run (comma-separated); default: all that can be imported.
ONLY = {name for name in os.environ.get("INGOT_MATRIX_ONLY", "").split(",") if name}
#: ``all`` runs every case; by default two of each framework are loaded, and the first of these is served.
EXTENT = os.environ.get("INGOT_MATRIX", "")
#: Also in an environment of its own: ``first`` case of every framework, ``all``, ``none``, or some frameworks (comma-separated).
ISOLATED = os.environ.get("INGOT_MATRIX_ISOLATED", "scikit-learn,xgboost,object")
RESULTS = os.environ.get("INGOT_MATRIX_RESULTS", "")
GROUP = os.environ.get("INGOT_MATRIX_GROUP", "light")

CASES = [case for case in all_cases() if not ONLY or case.framework in ONLY]
FIRST = first_of_each(CASES)
CHOSEN = CASES if EXTENT == "all" else first_of_each(CASES, 2)


def _wants_isolation(case: Case) -> bool:
    return ISOLATED == "all" or (case in FIRST and (ISOLATED == "first" or case.framework in ISOLATED.split(",")))


class Matrix:
    """Cases pushed to one store and loaded here, while one server for all of them is asked, and isolated models are.

    Python's part of the work is done in this thread, where frameworks expect to be; the server's and the isolated models'
    is done by processes, which threads wait for. A test waits for its own case.
    """

    def __init__(self, cases: list[Case], scratch: Path) -> None:
        self._pools = (ThreadPoolExecutor(2, "serve"), ThreadPoolExecutor(1, "isolated"))
        self._waiting: dict[str, list[Future[None]]] = {}
        self._server: Server | None = None
        store = scratch / "store"
        self.results = {case.id: push_case(case, store) for case in cases}
        saved = [result for result in self.results.values() if result.ref]
        if saved:
            self._server = Server([result.ref for result in saved], store, scratch)
        # One of every framework first: a run that is interrupted has told something of each.
        for result in sorted(saved, key=lambda result: result.case not in FIRST):
            self._run(result, store)

    def _run(self, result: Result, store: Path) -> None:
        case, (serving, isolating) = result.case, self._pools
        waiting = self._waiting[case.id] = []
        if _wants_isolation(case):
            waiting.append(isolating.submit(self._step, result, "isolated", lambda: load_case(result, store, env="isolated")))
        # What is sent to the server follows from the signature, which is known once it was loaded.
        self._step(result, "load", lambda: load_case(result, store))
        if self._server is not None and (EXTENT == "all" or case in FIRST):
            server = self._server
            waiting.append(serving.submit(self._step, result, "serve", lambda: serve_case(result, server)))

    def _step(self, result: Result, step: str, ask: Callable[[], str]) -> None:
        began = time.monotonic()
        said = ask()
        result.seconds[step] = time.monotonic() - began
        result.steps[step] = said

    def outcome(self, case: Case) -> Result:
        """Waits for what came of a case."""
        for waiting in self._waiting.get(case.id, ()):
            waiting.result()
        return self.results[case.id]

    def record(self) -> None:
        """Writes what came of it so far, where that is asked for: a run that is interrupted has told that much."""
        if RESULTS:
            told = document(list(self.results.values()), GROUP)
            Path(RESULTS).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def close(self) -> None:
        """Stops what runs, and the server."""
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
        if self._server is not None:
            self._server.close()
        self.record()


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    asked = {item.callspec.params.get("case") for item in request.session.items if getattr(item, "callspec", None)}
    with allowing(CHOSEN):
        made = Matrix([case for case in CHOSEN if case in asked], tmp_path_factory.mktemp("matrix"))
        yield made
        made.close()


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.id)
def test_a_model_comes_back_as_it_was_pushed(case: Case, matrix: Matrix) -> None:
    result = matrix.outcome(case)
    matrix.record()
    if result.is_skipped:
        pytest.skip(result.steps["save"])
    assert result.failures() == {}
