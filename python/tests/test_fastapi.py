from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

pytest.importorskip("fastapi", reason="fastapi is in requirements-dev.txt")

import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from test_follow import Feed, feed  # noqa: F401

from ingot.errors import NotFound
from ingot.fastapi import ModelDep, lifespan, loaded
from ingot.model import Model
from ingot.settings import IngotSettings


def application(*sources: str, asks_for_others: bool = False, **options: object) -> FastAPI:
    app = FastAPI(lifespan=lifespan(*sources, **options))  # type: ignore[arg-type]

    @app.post("/score")
    def score(rows: list[dict[str, float]], model: ModelDep("churn")) -> list[int]:  # type: ignore[valid-type]
        return list(model.predict(rows))  # type: ignore[attr-defined]

    if asks_for_others:
        router = APIRouter()

        @router.post("/other")
        async def other(rows: list[dict[str, float]], model: Annotated[Model, Depends(loaded("chrun"))]) -> list[int]:
            return list(model.predict(rows))

        app.include_router(router)

    return app


def test_a_service_answers_with_its_model_and_says_which_version(feed: Feed) -> None:  # noqa: F811
    feed.version(1)
    with TestClient(application("churn@production")) as client:
        answer = client.post("/score", json=[{"x": 1}])
    assert (answer.status_code, answer.json()) == (200, [1])
    assert answer.headers["ingot-model-version"] == "1"
    assert answer.headers["ingot-model-digest"] == "sha256:1"


def test_rows_that_do_not_fit_are_422_with_the_features(feed: Feed) -> None:  # noqa: F811
    package = {"flavor": "function", "requirements": [], "signature": {"inputs": [{"name": "x", "type": "float"}], "outputs": []}}
    feed.version(1, package=package)
    with TestClient(application("churn@production")) as client:
        answer = client.post("/score", json=[{"y": 1}])
    assert answer.status_code == 422
    assert (answer.json()["detail"]["missing"], answer.json()["detail"]["extra"]) == (["x"], ["y"])


def test_a_model_that_never_came_is_503(feed: Feed) -> None:  # noqa: F811
    feed.error("unavailable")
    with TestClient(application("churn@production", load="on-demand")) as client:
        answer = client.post("/score", json=[{"x": 1}])
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


def test_an_endpoint_that_asks_for_a_model_nobody_loads_is_an_error_at_start_up(feed: Feed) -> None:  # noqa: F811
    feed.version(1)
    with pytest.raises(NotFound, match='no model "chrun"') as caught, TestClient(application("churn@production", asks_for_others=True)):
        pass
    assert caught.value.nearest == "churn"


def test_the_models_are_named_by_the_environment(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("INGOT_MODELS", "churn@production")
    feed.version(1)
    with TestClient(application()) as client:
        assert client.post("/score", json=[{"x": 1}]).json() == [1]


def test_the_services_own_lifespan_runs_inside(feed: Feed) -> None:  # noqa: F811
    seen: list[object] = []

    @contextlib.asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[None]:
        seen.append(app.state.ingot.get("churn").info.number)
        yield
        seen.append("closed")

    feed.version(1)
    with TestClient(application("churn@production", then=own)):
        assert seen == [1]
    assert seen == [1, "closed"]


def test_settings_come_from_the_environment_and_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("INGOT_REGISTRY=./models-store\nINGOT_MODELS=churn:7,churn:8\nINGOT_OFFLINE=1\nOTHER=x\n")
    settings = IngotSettings()
    assert (settings.registry, settings.models, settings.offline) == ("./models-store", ["churn:7", "churn:8"], True)
    monkeypatch.setenv("INGOT_REGISTRY", "/elsewhere")
    assert IngotSettings().registry == "/elsewhere"
    assert IngotSettings().for_engine()["INGOT_REGISTRY"] == "/elsewhere"
