"""The same functions for programs with an event loop: ``await ingot.apush(…)``, ``await ingot.aload(…)``.

The work is done in a thread, so the loop goes on. When the task is cancelled, the engine is told to stop and is waited
for: a push that was cancelled has either published its version or stored nothing that counts, and may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .commands.cancelling import Cancellation
from .loading import load
from .model import Model
from .pushing import push
from .version import Version

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import LoadOptions, Pushable, PushOptions

T = TypeVar("T")


@overload
async def apush(model: Pushable, name: str | None = None, **options: Unpack[PushOptions]) -> Version: ...
@overload
async def apush(model: object, name: str, **options: Unpack[PushOptions]) -> Version: ...
async def apush(model: Any, name: str | None = None, **options: Unpack[PushOptions]) -> Version:
    """Publishes a model as :func:`ingot.push` does, with the same options, without blocking the event loop.

    :raises asyncio.CancelledError: after the engine has stopped; nothing is half published then.

    >>> version = await ingot.apush(model, "churn", X=X, metrics={"auc": 0.97})  # doctest: +SKIP
    """
    return await in_thread(partial(push, model, name, **options))


async def aload(ref: str | Version, **options: Unpack[LoadOptions]) -> Model[Any, Any]:
    """Loads a version as :func:`ingot.load` does, with the same options, without blocking the event loop.

    >>> model = await ingot.aload("churn@production")  # doctest: +SKIP
    >>> await model.apredict({"age": 41})  # doctest: +SKIP
    """
    return await in_thread(partial(load, ref, **options))


async def in_thread(call: Callable[[], T]) -> T:
    """Runs a call of this package in a thread, and ends its engine processes when the task is cancelled."""
    cancellation = Cancellation()
    with cancellation.current():
        work = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await _ended(cancellation, work)
        raise


async def _ended(cancellation: Cancellation, work: asyncio.Future[Any]) -> None:
    """Waits until the engine has stopped, also when the task is cancelled again meanwhile."""
    stopping = asyncio.ensure_future(asyncio.to_thread(cancellation.cancel))
    while not (stopping.done() and work.done()):
        try:
            await asyncio.wait([stopping, work])
        except asyncio.CancelledError:
            continue
    if not work.cancelled():
        work.exception()
