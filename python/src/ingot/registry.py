"""What is stored, and which version a name means: list, show, promote, roll back, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import engine
from .version import Store, Version, version_from_record


@dataclass(frozen=True)
class HistoryEntry:
    """One event in the log of a model."""

    seq: int
    #: ISO 8601, UTC.
    at: str
    actor: str
    kind: str
    #: One line: ``production moved from 7 to 8``.
    summary: str
    reason: str | None
    digest: str
    body: Mapping[str, Any]


def models(*, store: Store = None) -> list[str]:
    """Names all models."""
    return [model["name"] for model in engine.run(["ls"], store=store)["models"]]


def versions(name: str, *, store: Store = None) -> list[Version]:
    """Lists a model's versions, newest first.

    :raises NotFound: with the nearest name.
    """
    view = engine.run(["ls", name], store=store)["model"]
    return [_listed(view, slim, store) for slim in view["all"]]


def _listed(view: Mapping[str, Any], slim: Mapping[str, Any], store: Store) -> Version:
    aliases = sorted(alias for alias, number in view["aliases"].items() if number == slim["number"])
    return version_from_record({**slim, "model": view["name"], "aliases": aliases}, store=store)


def show(ref: str, *, store: Store = None) -> Version:
    """Gives a version with all that is known of it: ``show("churn@production").signature``."""
    document = engine.run(["show", ref], store=store)
    return version_from_record(document["version"], store=store, _shown=document)


def promote(ref: str, alias: str = "production", *, reason: str | None = None, store: Store = None) -> Version:
    """Points an alias (default: ``production``) at a version; servers follow within two seconds."""
    return _moved(["promote", ref, alias, *_because(reason)], store)


def rollback(
    name: str, *, alias: str = "production", to: str | int | None = None, reason: str | None = None, store: Store = None
) -> Version:
    """Points an alias back at the version that held it before, or at ``to`` (a reference or a number)."""
    target = [] if to is None else ["--to", f"{name}:{to}" if isinstance(to, int) else to]
    return _moved(["rollback", f"{name}@{alias}", *target, *_because(reason)], store)


def alias(name: str, alias: str, ref: str | int | None, *, store: Store = None) -> Version | None:
    """Points an alias at a version; with ``None`` removes it."""
    if ref is None:
        engine.run(["alias", "rm", name, alias], store=store)
        return None
    return _moved(["alias", "set", name, alias, f"{name}:{ref}" if isinstance(ref, int) else ref], store)


def aliases(name: str, *, store: Store = None) -> dict[str, int]:
    """Gives a model's aliases and the versions they name."""
    named: dict[str, int] = engine.run(["alias", "ls", name], store=store)["aliases"]
    return named


def history(name: str, *, store: Store = None) -> list[HistoryEntry]:
    """Tells what happened to a model, in the order the engine tells it."""
    entries = engine.run(["history", name], store=store)["events"]
    return [
        HistoryEntry(
            entry["seq"], entry["at"], entry["actor"], entry["kind"], entry["summary"], entry.get("reason"), entry["digest"], entry["body"]
        )
        for entry in entries
    ]


def _moved(command: list[str], store: Store) -> Version:
    return version_from_record(engine.run(command, store=store)["version"], store=store)


def _because(reason: str | None) -> list[str]:
    return [] if reason is None else ["--message", reason]
