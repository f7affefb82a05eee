"""Runs the service as it runs in production: start, swap, roll back, store gone."""

from __future__ import annotations

import importlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from fastapi.testclient import TestClient  # noqa: E402
from models.train import publish  # noqa: E402

import ingot  # noqa: E402

CUSTOMER = {"tenure": 3, "monthly_charges": 99.5, "payment_method": "check"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "models-store"
    monkeypatch.setenv("INGOT_REGISTRY", str(where))
    monkeypatch.setenv("INGOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    publish()
    return where


@pytest.fixture
def client(store: Path) -> Iterator[TestClient]:
    with fresh_client() as client:
        yield client


def fresh_client() -> TestClient:
    for name in [name for name in sys.modules if name == "app" or name.startswith("app.")]:
        del sys.modules[name]
    return TestClient(importlib.import_module("app.main").app)


def score(client: TestClient) -> int:
    answer = client.post("/score", json=[CUSTOMER])
    assert answer.status_code == 200, answer.text
    assert answer.headers["ingot-model-version"] == str(answer.json()[0]["version"])
    assert answer.json()[0]["will_leave"] is True
    return int(answer.json()[0]["version"])


def wait_for(client: TestClient, version: int) -> None:
    deadline = time.monotonic() + 20
    while score(client) != version:
        assert time.monotonic() < deadline, f"version {version} did not come"


def test_it_answers_with_the_version_in_production(client: TestClient) -> None:
    assert score(client) == 1
    assert client.get("/health").json()[0]["source"] == "churn@production"


def test_it_follows_the_alias_forth_and_back_while_requests_run(client: TestClient) -> None:
    publish(regularization=0.01)
    wait_for(client, 2)
    ingot.rollback("churn", reason="worse on new customers")
    wait_for(client, 1)


def test_it_goes_on_and_starts_again_with_the_store_gone(store: Path) -> None:
    with fresh_client() as client:
        assert score(client) == 1
        shutil.move(store, store.with_name("elsewhere"))
        assert score(client) == 1
    with fresh_client() as client:
        assert score(client) == 1
        assert client.get("/health").json()[0]["staleSince"]


def test_rows_of_the_wrong_shape_are_the_callers_mistake(client: TestClient) -> None:
    assert client.post("/score", json=[{"tenure": 3}]).status_code == 422
