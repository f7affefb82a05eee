"""How a service keeps its models through faults: the engine is a script here that breaks in the ways a real one may."""

from __future__ import annotations

import json
import logging
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ingot
from ingot.follow import Models

ENGINE = """#!{python}
import json, os, sys, time
folder = {folder!r}
with open(os.path.join(folder, "started"), "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
told = 0
while True:
    lines = open(os.path.join(folder, "feed")).read().splitlines()
    for line in lines[told:]:
        if line == "die":
            if not os.path.exists(os.path.join(folder, "died")):
                open(os.path.join(folder, "died"), "w").close()
                os._exit(1)
            continue
        print(line, flush=True)
    told = len(lines)
    time.sleep(0.02)
    if os.getppid() == 1:
        sys.exit()
"""


class Feed:
    """Plays the engine: what is told here, it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "feed").write_text("")
        self.script = folder / "engine"
        self.script.write_text(ENGINE.format(python=sys.executable, folder=str(folder)))
        self.script.chmod(self.script.stat().st_mode | stat.S_IXUSR)

    def tell(self, document: dict[str, Any] | str) -> None:
        with (self.folder / "feed").open("a") as file:
            file.write((document if isinstance(document, str) else json.dumps(document)) + "\n")

    def version(self, number: int, body: str | None = None, *, source: str = "churn@production", **more: Any) -> None:
        path = self.folder / f"v{number}"
        path.mkdir(exist_ok=True)
        (path / "function.py").write_text(body or f"def score(rows):\n    return [{number} for row in rows]\n")
        (path / "function.json").write_text('{"function": "score", "source": "function.py", "input": "rows"}')
        package = {"flavor": "function", "requirements": [], "signature": None}
        document = {"source": source, "model": "churn", "version": number, "digest": f"sha256:{number}", "path": str(path), "package": package}
        self.tell({**document, **more})

    def error(self, code: str, *, source: str = "churn@production") -> None:
        self.tell({"source": source, "error": {"code": code, "message": f"it is {code}"}})

    def starts(self) -> list[str]:
        path = self.folder / "started"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    made = Feed(tmp_path)
    monkeypatch.setenv("INGOT_ENGINE", str(made.script))
    yield made


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_started_service_has_its_model_and_takes_the_next_one(feed: Feed) -> None:
    feed.version(1)
    with Models(["churn@production"]) as models:
        held = models.get("churn")
        assert held.predict([{}]) == [1]
        feed.version(2)
        until(lambda: models.get("churn").predict([{}]) == [2])
        assert held.predict([{}]) == [1]
        assert models.status()[0]["version"] == 2
    assert len(feed.starts()) == 1
    assert "--cached --follow" in feed.starts()[0]


def test_a_version_that_cannot_be_loaded_leaves_the_last_good_one(feed: Feed, caplog: pytest.LogCaptureFixture) -> None:
    feed.version(1)
    with caplog.at_level(logging.WARNING, "ingot"), Models(["churn@production"]) as models:
        feed.version(2, "raise RuntimeError('broken')\n")
        until(lambda: models.status()[0]["error"] is not None)
        assert "broken" in models.status()[0]["error"]
        assert models.get("churn").predict([{}]) == [1]
        feed.version(3)
        until(lambda: models.get("churn").predict([{}]) == [3])
        assert models.status()[0]["error"] is None


def test_a_version_that_fails_on_its_own_example_is_not_taken(feed: Feed) -> None:
    feed.version(1)
    with Models(["churn@production"]) as models:
        example = {"inputs": [{"x": 1}], "predictions": [1]}
        feed.version(2, "def score(rows):\n    raise ValueError('never')\n", captured={"example": example})
        until(lambda: models.status()[0]["error"] is not None)
        assert models.get("churn").predict([{}]) == [1]


def test_an_outage_changes_nothing_for_a_loaded_model(feed: Feed) -> None:
    feed.version(1)
    with Models(["churn@production"]) as models:
        feed.error("unavailable")
        until(lambda: models.status()[0]["error"] is not None)
        assert models.get("churn").predict([{}]) == [1]


def test_a_lost_engine_is_started_again(feed: Feed) -> None:
    feed.version(1)
    with Models(["churn@production"]) as models:
        feed.tell("die")
        until(lambda: len(feed.starts()) == 2)
        feed.version(2)
        until(lambda: models.get("churn").predict([{}]) == [2])


def test_a_model_that_cannot_be_had_stops_the_start(feed: Feed) -> None:
    feed.error("alias-not-found")
    with pytest.raises(ingot.NotFound):
        Models(["churn@production"]).start()


def test_on_demand_nothing_is_followed_before_it_is_asked_for(feed: Feed) -> None:
    feed.version(1)
    with Models(["churn@production", "wine:2"], load="on-demand") as models:
        assert feed.starts() == []
        assert models.ready("churn") is None
        assert models.get("churn").predict([{}]) == [1]
        assert [words for words in feed.starts() if "wine" in words] == []


def test_an_unknown_name_names_the_models_of_the_service(feed: Feed) -> None:
    with pytest.raises(ingot.NotFound, match="churn@production"):
        Models(["churn@production"]).get("wine")


def test_a_service_without_models_says_how_to_name_them() -> None:
    with pytest.raises(ingot.UsageError) as caught:
        Models([])
    assert caught.value.hint is not None and "INGOT_MODELS" in caught.value.hint


def test_closing_ends_the_engine(feed: Feed) -> None:
    feed.version(1)
    models = Models(["churn@production"])
    models.start()
    process = models._process
    models.close()
    assert process is not None and process.poll() is not None
    assert not any(thread.is_alive() for thread in models._threads)
    assert models.get("churn").predict([{}]) == [1]
