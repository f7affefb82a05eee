"""The package against a registry server: INGOT_REGISTRY names it, and everything works as on a directory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import ingot
from ingot.commands.finding import find_engine
from ingot.follow import Models

X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
ROWS = [[0.0, 1.0], [1.0, 0.0]]


def fitted(bias: float = 0.0) -> LogisticRegression:
    model = LogisticRegression().fit(X, [0, 1, 1, 0])
    model.intercept_ = model.intercept_ + bias
    return model


@dataclass
class Server:
    """A registry server over a store of its own, in a process."""

    home: Path
    url: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> None:
        port = self.url.rpartition(":")[2] or "0"
        env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "INGOT_REGISTRY": str(self.home / "store")}
        command = [*find_engine(), "up", "--port", port, "--json", *words]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        self.url = json.loads(line)["url"]

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        self.process = None

    def ask(self, method: str, path: str, body: dict[str, Any]) -> Any:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1{path}", json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    home = tmp_path / "server"
    home.mkdir()
    server = Server(home)
    server.start()
    monkeypatch.setenv("INGOT_REGISTRY", server.url)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield server
    server.stop()


def test_a_model_is_pushed_listed_moved_and_loaded(server: Server) -> None:
    version = ingot.push(fitted(), "team/churn", X=X, metrics={"auc": 0.9}, alias="production", tags={"team": "risk"})
    assert (version.ref, version.metrics["auc"]) == ("team/churn:1", 0.9)
    again = ingot.push(fitted(), "team/churn", X=X)
    assert again.number == 1, "the same files are the same version"
    ingot.push(fitted(3.0), "team/churn", X=X)
    assert list(ingot.models()) == ["team/churn"]
    assert [each.number for each in ingot.versions("team/churn")] == [2, 1]
    ingot.promote("team/churn:2", reason="better")
    loaded = ingot.load("team/churn@production")
    assert (loaded.info.number, list(loaded.predict(ROWS))) == (2, list(fitted(3.0).predict(ROWS)))
    assert ingot.rollback("team/churn").number == 1
    assert ingot.history("team/churn")[-1].kind == "alias-set"
    assert ingot.show("team/churn@production").tags["team"] == "risk"
    with pytest.raises(ingot.NotFound) as raised:
        ingot.load("team/chrun@production")
    assert raised.value.nearest == "team/churn"


def test_an_isolated_model_comes_from_the_server(server: Server) -> None:
    def doubled(rows: list[dict[str, Any]]) -> list[float]:
        return [2 * row["x"] for row in rows]

    ingot.push(doubled, "doubled", X=[{"x": 1.5}])
    with ingot.load("doubled", env="isolated") as model:
        assert list(model.predict([{"x": 4.0}])) == [8.0]


def test_an_event_loop_pushes_and_loads(server: Server) -> None:
    async def both() -> tuple[list[int], list[Any]]:
        pushed = await asyncio.gather(*(ingot.apush(fitted(bias), "churn", X=X) for bias in (0.0, 2.0, 4.0)))
        models = await asyncio.gather(*(ingot.aload(f"churn:{number}") for number in (1, 2, 3)))
        return [version.number for version in pushed], [await model.apredict(ROWS) for model in models]

    numbers, answers = asyncio.run(both())
    assert sorted(numbers) == [1, 2, 3]
    assert len(answers) == 3


def test_a_server_that_is_away_leaves_what_was_loaded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ingot.push(fitted(), "churn", X=X, alias="production")
    assert ingot.load("churn@production").info.stale_since is None
    server.stop()
    monkeypatch.setenv("INGOT_RETRIES", "0")
    loaded = ingot.load("churn@production")
    assert loaded.info.stale_since is not None
    with pytest.raises(ingot.Unavailable):
        ingot.push(fitted(1.0), "churn", X=X)
    monkeypatch.setenv("INGOT_OFFLINE", "1")
    assert list(ingot.load("churn@production").predict(ROWS)) == list(fitted().predict(ROWS))
    with pytest.raises(ingot.IngotError):
        ingot.load("churn:2")
    monkeypatch.delenv("INGOT_OFFLINE")
    server.start()
    assert ingot.push(fitted(1.0), "churn", X=X).number == 2


def test_a_followed_model_changes_when_the_alias_moves(server: Server) -> None:
    ingot.push(fitted(), "churn", X=X, alias="production")
    ingot.push(fitted(3.0), "churn", X=X)
    with Models(["churn@production"]) as models:
        assert models.get("churn").info.number == 1
        server.ask("PUT", "/models/churn/aliases/production", {"number": 2})
        ends = time.monotonic() + 20
        while models.get("churn").info.number != 2:
            assert time.monotonic() < ends, "the model was not swapped"
            time.sleep(0.05)


def test_who_may_not_is_refused_by_name(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ingot.push(fitted(), "churn", X=X)
    reader = {"name": "ci", "service": True, "scopes": [{"role": "reader", "scope": "churn"}]}
    token = server.ask("POST", "/tokens", reader)["token"]
    server.ask("POST", "/accounts", {"name": "ana", "password": "correct horse battery"})
    with pytest.raises(ingot.Forbidden) as raised:
        ingot.models()
    assert raised.value.code == "unauthenticated"
    assert raised.value.hint is not None and "ingot login" in raised.value.hint
    with pytest.raises(ingot.Forbidden):
        ingot.push(fitted(1.0), "churn", X=X)
    monkeypatch.setenv("INGOT_TOKEN", token)
    assert ingot.load("churn").info.number == 1
    with pytest.raises(ingot.Forbidden) as raised:
        ingot.push(fitted(1.0), "churn", X=X)
    assert raised.value.code == "forbidden"
    with pytest.raises(ingot.IngotError) as hidden:
        ingot.push(fitted(1.0), "other", X=X)
    assert hidden.value.code in {"forbidden", "model-not-found"}
    monkeypatch.setenv("INGOT_TOKEN", "ingot_nobody_" + "x" * 32)
    with pytest.raises(ingot.Forbidden) as refused:
        ingot.show("churn")
    assert "xxxx" not in str(refused.value)
