"""Keeps models loaded and current: one engine process tells when a name means another version, a thread loads it.

Whoever asks gets the last good model at once; storage, registry and engine are not on that path, so their outage cannot
fail a loaded model.
"""

from __future__ import annotations

import difflib
import logging
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .captured.example import plausible_row
from .commands import engine
from .errors import IngotError, NotFound, Unavailable, UsageError, error_from_document
from .model import Model, open_model
from .version import Store

log = logging.getLogger("ingot")

#: Pauses before a lost engine process is started again, in seconds.
RESTART_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass
class _Slot:
    """Where the model of one source sits."""

    source: str
    model: Model | None = None
    #: The document to load next; a newer one replaces it before it is begun.
    wanted: Mapping[str, Any] | None = None
    error: IngotError | None = None
    #: Since when the store has not answered, as the engine said last.
    stale_since: str | None = None


class Models:
    """The models of one service.

    :param sources: references: ``"churn@production"``, ``"wine:2"``.
    :param load: ``start`` loads all when started; ``on-demand`` each when it is first asked for.
    :param timeout: how long the first load of a model may take, in seconds.

    >>> with Models(["churn@production"]) as models:  # doctest: +SKIP
    ...     models.get("churn").predict({"age": 41})
    """

    def __init__(
        self,
        sources: Iterable[str],
        *,
        load: Literal["start", "on-demand"] = "start",
        timeout: float = 300.0,
        store: Store = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._slots = {source: _Slot(source) for source in sources}
        if not self._slots:
            raise UsageError("no models are named", code="usage", hint='lifespan("churn@production")   or set INGOT_MODELS')
        if load not in ("start", "on-demand"):
            raise UsageError(f'load="{load}" is neither "start" nor "on-demand"', code="usage")
        self._on_demand = load == "on-demand"
        self._timeout = timeout
        self._store = store
        self._environ = dict(environ or {})
        self._changed = threading.Condition()
        self._followed: tuple[str, ...] = ()
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Models:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Begins to follow; with ``load="start"`` returns when every model is loaded.

        :raises IngotError: when a model can be had neither from the store nor from the cache.
        """
        for name, work in (("ingot-follow", self._follow), ("ingot-load", self._load)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        if self._on_demand:
            return
        try:
            self._want(*self._slots)
            for slot in self._slots.values():
                self._wait(slot)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stops following and ends the engine process. Loaded models stay usable by whoever holds them."""
        with self._changed:
            self._closed = True
            process, self._process = self._process, None
            self._changed.notify_all()
        if process is not None:
            engine.stop(process)
        for thread in self._threads:
            thread.join(engine.GRACE_SECONDS)

    def get(self, name: str) -> Model:
        """Gives the model of a source or of a name, as it is now.

        :raises NotFound: when no source has that name.
        :raises IngotError: when it has never been loaded, with the reason.
        """
        slot = self._find(name)
        if slot.model is not None:
            return slot.model
        self._want(slot.source)
        return self._wait(slot)

    def ready(self, name: str) -> Model | None:
        """Gives the model if it is loaded, without waiting."""
        return self._find(name).model

    def check(self, name: str) -> None:
        """Raises NotFound when no source has that name."""
        self._find(name)

    def status(self) -> list[dict[str, Any]]:
        """Says for each source what is loaded, for health pages."""
        return [
            {
                "source": slot.source,
                "version": slot.model.info.number if slot.model else None,
                "digest": slot.model.info.digest if slot.model else None,
                "staleSince": slot.stale_since,
                "error": slot.error.message if slot.error else None,
            }
            for slot in list(self._slots.values())
        ]

    def _find(self, name: str) -> _Slot:
        slot = self._slots.get(name)
        if slot is not None:
            return slot
        for each in self._slots.values():
            if _name_of(each.source) == name:
                return each
        listed = ", ".join(self._slots)
        nearest = difflib.get_close_matches(name, [_name_of(source) for source in self._slots], n=1)
        raise NotFound(
            f'this service has no model "{name}"; it has {listed}', code="model-not-found", nearest=nearest[0] if nearest else None
        )

    def _want(self, *sources: str) -> None:
        """Adds sources to those the engine follows; its process is started anew with all of them."""
        with self._changed:
            added = [source for source in sources if source not in self._followed]
            if not added:
                return
            self._followed = (*self._followed, *added)
            process, self._process = self._process, None
            self._changed.notify_all()
        if process is not None:
            engine.stop(process)

    def _wait(self, slot: _Slot) -> Model:
        deadline = time.monotonic() + self._timeout
        with self._changed:
            while slot.model is None and slot.error is None and not self._closed:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise Unavailable(f"{slot.source} was not loaded within {self._timeout:g} s", code="timeout", retryable=True)
            if slot.model is not None:
                return slot.model
            raise slot.error or Unavailable(f"{slot.source} is not loaded: the service is stopping", code="unavailable")

    # The thread that follows: starts the engine, reads its lines, starts it again when it ends.

    def _follow(self) -> None:
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._followed))
                if self._closed:
                    return
                sources = self._followed
            said = self._follow_once(sources)
            with self._changed:
                if self._closed:
                    return
                if self._followed != sources:
                    failures = 0
                    continue
                failures = failures + 1 if said == 0 else 1
                pause = RESTART_SECONDS[min(failures, len(RESTART_SECONDS)) - 1]
                self._changed.wait_for(lambda: self._closed or self._followed != sources, pause)

    def _follow_once(self, sources: tuple[str, ...]) -> int:
        """Runs the engine until it ends; gives how many lines it told."""
        try:
            process = engine.stream(["pull", *sources, "--cached", "--follow"], store=self._store, environ=self._environ)
        except IngotError as error:
            self._fail(sources, error)
            return 0
        with self._changed:
            if self._closed or self._followed != sources:
                threading.Thread(target=engine.stop, args=(process,), daemon=True).start()
                return 0
            self._process = process
        listener = engine.Listener(process.stderr, show=False)
        told = 0
        if process.stdout is not None:
            for document in engine.read_lines(process.stdout):
                told += 1
                self._hear(document, sources)
        status = process.wait()
        listener.join()
        engine.close_pipes(process)
        self._gone(process, sources, status, listener.said)
        return told

    def _gone(self, process: subprocess.Popen[str], sources: tuple[str, ...], status: int, said: str) -> None:
        with self._changed:
            expected = self._process is not process
            if not expected:
                self._process = None
        if not expected:
            error = engine.failure(status, said)
            log.warning("the engine that follows %s ended (%s); starting it again", ", ".join(sources), error.message)
            self._fail(sources, error)

    def _hear(self, document: Mapping[str, Any], sources: tuple[str, ...]) -> None:
        slot = self._slots.get(document.get("source") or (sources[0] if len(sources) == 1 else ""))
        if slot is None:
            slot = next((each for each in self._slots.values() if _name_of(each.source) == document.get("model")), None)
        if slot is None:
            return
        error = document.get("error")
        if isinstance(error, Mapping):
            self._fail((slot.source,), error_from_document(error))
            return
        with self._changed:
            slot.wanted = document
            slot.stale_since = document.get("staleSince")
            self._changed.notify_all()

    def _fail(self, sources: Iterable[str], error: IngotError) -> None:
        """Remembers why a source cannot be had. A model that is loaded goes on answering."""
        with self._changed:
            for source in sources:
                slot = self._slots[source]
                slot.error = error
                if slot.model is not None:
                    log.warning("%s: %s; %s goes on answering", source, error.message, slot.model.info.ref)
            self._changed.notify_all()

    # The thread that loads: one at a time, the newest wish of each source.

    def _load(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or any(slot.wanted for slot in self._slots.values()))
                if self._closed:
                    return
                slot = next(slot for slot in self._slots.values() if slot.wanted)
                document, slot.wanted = slot.wanted, None
            if document is not None:
                self._swap(slot, document)

    def _swap(self, slot: _Slot, document: Mapping[str, Any]) -> None:
        before = slot.model
        same = before is not None and (before.info.digest, before.info.number) == (document["digest"], document["version"])
        try:
            model = before if same and before is not None else _loaded(document)
        except IngotError as error:
            self._fail((slot.source,), error)
            return
        except Exception as error:  # noqa: BLE001 - whatever the package's code raises
            log.exception("%s:%s could not be loaded", document["model"], document["version"])
            message = f"{document['model']}:{document['version']} could not be loaded: {type(error).__name__}: {error}"
            self._fail((slot.source,), IngotError(message, code="model-failed"))
            return
        with self._changed:
            slot.model, slot.error = model, None
            self._changed.notify_all()
        if not same:
            log.info("%s is %s now%s", slot.source, model.info.ref, f" (was {before.info.ref})" if before else "")


def _loaded(document: Mapping[str, Any]) -> Model:
    """Loads and warms a version up. One that cannot answer its own sample rows is not taken."""
    model = open_model(document)
    example = (document.get("captured") or {}).get("example") or (document.get("package") or {}).get("example") or {}
    rows = example.get("inputs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if rows and example.get("predictions") is not None:
            model.predict(rows)
            return model
        row = plausible_row(model.info.signature.inputs)
        if row is not None:
            try:
                model.predict([row])
            except Exception as error:  # noqa: BLE001 - nobody promised that this row is good
                log.debug("%s did not answer a made-up row: %s", model.info.ref, error)
    return model


def _name_of(source: str) -> str:
    cut = min((source.index(mark) for mark in ":@" if mark in source), default=len(source))
    return source[:cut]


def sources_from_text(text: str) -> list[str]:
    """Reads ``INGOT_MODELS``: references, separated by commas.

    >>> sources_from_text("churn@production, wine:2")
    ['churn@production', 'wine:2']
    """
    return [part.strip() for part in text.replace(os.linesep, ",").split(",") if part.strip()]
