"""What is stored, and which version a name means: list, show, promote, roll back, history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

from .checks import reference, store_or_none, text, text_or_none, version_of
from .commands import engine
from .errors import UsageError
from .listing import Listing, listing_of_history, listing_of_models, listing_of_versions
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


def models(*, store: Store = None) -> Listing[str]:
    """Names all models. The list shows itself as a table, with versions, aliases and metrics.

    :param store: where models live; default: ``INGOT_REGISTRY``, else ``~/.ingot/store``.

    >>> ingot.models()  # doctest: +SKIP
    model  versions  newest     aliases          metrics    changed
    churn  8         8 sklearn  @production → 7  auc 0.974  2026-11-21 17:57
    """
    return listing_of_models(engine.run(["ls"], store=store_or_none(store))["models"])


def versions(name: str, *, store: Store = None) -> Listing[Version]:
    """Lists a model's versions, newest first. The list shows itself as a table, with metrics against production.

    :raises NotFound: with the nearest name.
    """
    name = text("name", name, 'ingot.versions("churn")')
    view = engine.run(["ls", name], store=store_or_none(store))["model"]
    return listing_of_versions([_listed(view, slim, store) for slim in view["all"]])


def _listed(view: Mapping[str, Any], slim: Mapping[str, Any], store: Store) -> Version:
    aliases = sorted(alias for alias, number in view["aliases"].items() if number == slim["number"])
    return version_from_record({**slim, "model": view["name"], "aliases": aliases}, store=store)


def show(ref: str | Version, *, store: Store = None) -> Version:
    """Gives a version with all that is known of it: ``show("churn@production").signature``.

    :raises NotFound: with the nearest name, version or alias.
    """
    document = engine.run(["show", reference(ref)], store=store_or_none(store))
    if "version" not in document:
        raise UsageError(f"{ref} is an address of files, not a version of a model", code="invalid-reference", hint=f"ingot show {ref}")
    return version_from_record(document["version"], store=store, _shown=document)


def promote(ref: str | Version, alias: str = "production", *, reason: str | None = None, store: Store = None) -> Version:
    """Points an alias (default: ``production``) at a version; servers follow within two seconds.

    :raises UsageError: for an alias that is a number, or ``latest``.
    """
    alias = text("alias", alias, 'ingot.promote("churn:8", "production")')
    return _moved(["promote", reference(ref), alias, *_because(reason)], store)


def rollback(
    name: str, *, alias: str = "production", to: str | int | Version | None = None, reason: str | None = None, store: Store = None
) -> Version:
    """Points an alias back at the version that held it before, or at ``to`` (a reference, a number or a version)."""
    name = text("name", name, 'ingot.rollback("churn")')
    alias = text("alias", alias, 'ingot.rollback("churn", alias="production")')
    target = [] if to is None else ["--to", version_of(name, to, "to")]
    return _moved(["rollback", f"{name}@{alias}", *target, *_because(reason)], store)


@overload
def alias(name: str, alias: str, ref: None, *, store: Store = None) -> None: ...
@overload
def alias(name: str, alias: str, ref: str | int | Version, *, store: Store = None) -> Version: ...
def alias(name: str, alias: str, ref: str | int | Version | None, *, store: Store = None) -> Version | None:
    """Points an alias at a version; with ``None`` removes it."""
    name = text("name", name, 'ingot.alias("churn", "candidate", 8)')
    alias = text("alias", alias, 'ingot.alias("churn", "candidate", 8)')
    if ref is None:
        engine.run(["alias", "rm", name, alias], store=store_or_none(store))
        return None
    return _moved(["alias", "set", name, alias, version_of(name, ref)], store)


def aliases(name: str, *, store: Store = None) -> dict[str, int]:
    """Gives a model's aliases and the versions they name."""
    name = text("name", name, 'ingot.aliases("churn")')
    named: dict[str, int] = engine.run(["alias", "ls", name], store=store_or_none(store))["aliases"]
    return named


def history(name: str, *, store: Store = None) -> Listing[HistoryEntry]:
    """Tells what happened to a model, in the order the engine tells it. The list shows itself as a table."""
    name = text("name", name, 'ingot.history("churn")')
    entries = engine.run(["history", name], store=store_or_none(store))["events"]
    return listing_of_history(
        HistoryEntry(
            entry["seq"], entry["at"], entry["actor"], entry["kind"], entry["summary"], entry.get("reason"), entry["digest"], entry["body"]
        )
        for entry in entries
    )


def _moved(command: list[str], store: Store) -> Version:
    return version_from_record(engine.run(command, store=store_or_none(store))["version"], store=store)


def _because(reason: str | None) -> list[str]:
    said = text_or_none("reason", reason, 'reason="better AUC"')
    return [] if said is None else [f"--message={said}"]
