"""Models inside a FastAPI service: loaded at start-up or on first use, swapped when their alias moves.

::

    from fastapi import FastAPI
    from ingot.fastapi import ModelDep, lifespan

    app = FastAPI(lifespan=lifespan("churn@production"))

    @app.post("/score")
    def score(rows: list[dict], model: ModelDep("churn")):
        return model.predict(rows)

Every answer carries the headers ``ingot-model-version`` and ``ingot-model-digest``. A type checker that minds calls in
annotations is content with ``model: Annotated[Model, Depends(loaded("churn"))]``.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from .errors import IngotError, SignatureMismatch
from .follow import Models
from .model import Model
from .version import Store

if TYPE_CHECKING:
    from .settings import IngotSettings

try:
    import anyio.to_thread
    from fastapi import Depends, FastAPI, HTTPException, Response
    from starlette.requests import HTTPConnection
except ImportError as error:
    raise ImportError("ingot.fastapi needs FastAPI: pip install 'ingot[fastapi]'") from error

#: What ``FastAPI(lifespan=…)`` takes: with a state or without one.
Lifespan = Callable[[FastAPI], contextlib.AbstractAsyncContextManager[Any]]


def lifespan(
    *sources: str,
    load: Literal["start", "on-demand"] | None = None,
    timeout: float = 300.0,
    store: Store = None,
    settings: IngotSettings | None = None,
    then: Lifespan | None = None,
) -> Lifespan:
    """Makes a FastAPI lifespan that keeps the models of the service loaded and current.

    :param sources: references; without any, ``INGOT_MODELS`` of the environment or ``.env``.
    :param load: ``start`` (the default) loads before the first request; ``on-demand`` on first use.
    :param timeout: how long the first load may take, in seconds.
    :param store: where models live; default: ``INGOT_REGISTRY``.
    :param settings: in place of those read from the environment.
    :param then: the service's own lifespan, entered when the models are there.
    """

    @contextlib.asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[Mapping[str, Any] | None]:
        models = _models(sources, load, timeout, store, settings)
        for name in _wanted_by(app):
            models.check(name)
        await anyio.to_thread.run_sync(models.start)
        app.state.ingot = models
        try:
            if then is None:
                yield None
            else:
                async with then(app) as state:
                    yield state
        finally:
            await anyio.to_thread.run_sync(models.close)

    return run


def _wanted_by(app: FastAPI) -> list[str]:
    """Gives the names of the models that endpoints ask for, so that a mistyped one is an error at start-up."""
    pending = [found for route in _routes(app) if (found := getattr(route, "dependant", None)) is not None]
    names: dict[str, None] = {}
    while pending:
        dependant = pending.pop()
        pending += dependant.dependencies
        name = getattr(dependant.call, "ingot_model", None)
        if isinstance(name, str):
            names[name] = None
    return list(names)


def _routes(router: Any) -> Iterator[Any]:
    """Gives the routes of an application and of the routers it includes."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        yield from [route] if included is None else _routes(included)


def _models(
    sources: tuple[str, ...],
    load: Literal["start", "on-demand"] | None,
    timeout: float,
    store: Store,
    settings: IngotSettings | None,
) -> Models:
    known = settings if settings is not None else _settings()
    named = list(sources) or (known.models if known is not None else [])
    return Models(
        named,
        load=load or (known.load if known is not None else "start"),
        timeout=timeout,
        store=store if store is not None else (known.registry if known is not None else None),
        environ=known.for_engine() if known is not None else None,
    )


def _settings() -> IngotSettings | None:
    """Reads the settings where pydantic-settings is installed."""
    try:
        from .settings import IngotSettings
    except ImportError:
        return None
    return IngotSettings()


def loaded(name: str) -> Callable[[HTTPConnection, Response], AsyncIterator[Model]]:
    """Makes a dependency that gives the model of a name or a source, for ``Depends``.

    A name that the service does not load is an error at start-up. Answers 503 while the model was never loaded, and 422 when the endpoint passes it rows that do not fit.
    """

    async def model(connection: HTTPConnection, response: Response) -> AsyncIterator[Model]:
        models = getattr(connection.app.state, "ingot", None)
        if not isinstance(models, Models):
            raise RuntimeError("the application has no models: FastAPI(lifespan=ingot.fastapi.lifespan(…))")
        found = await _current(models, name)
        response.headers["ingot-model-version"] = str(found.info.number)
        response.headers["ingot-model-digest"] = found.info.digest
        try:
            yield found
        except SignatureMismatch as error:
            raise HTTPException(422, {**_told(error), **error.details}) from error

    vars(model)["ingot_model"] = name
    return model


async def _current(models: Models, name: str) -> Model:
    try:
        found = models.ready(name)
        return found if found is not None else await anyio.to_thread.run_sync(models.get, name)
    except IngotError as error:
        raise HTTPException(503, _told(error), headers={"Retry-After": "1"}) from error


def _told(error: IngotError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "nearest": error.nearest}


def ModelDep(name: str) -> Any:  # noqa: N802 - it stands where a type stands
    """Makes the annotation of an argument that receives the model: ``model: ModelDep("churn")``."""
    return Annotated[Model, Depends(loaded(name))]

