"""A published version as Python sees it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .card import card
from .checks import wrong
from .commands import engine
from .signature import Signature

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .difference import Difference
    from .keywords import LoadOptions
    from .model import Model

Store = str | os.PathLike[str] | None


@dataclass(frozen=True)
class File:
    """A file of a version."""

    path: str
    size_bytes: int
    digest: str
    #: Whether this push stored it; None when it was not just pushed.
    new: bool | None = None


@dataclass(frozen=True)
class Version:
    """An immutable numbered publication of a model. In a notebook it shows itself as a card.

    What a listing does not tell (files, signature, parameters) is asked for when it is first used.
    """

    name: str
    #: Counts from 1. 0 for what a dry run would publish.
    number: int
    digest: str
    flavor: str
    #: The author's own version text.
    label: str | None = None
    #: ``active``, ``retired`` or ``deleted``.
    status: str = "active"
    metrics: Mapping[str, float] = field(default_factory=dict)
    #: Aliases that named it when it was asked for.
    aliases: tuple[str, ...] = ()
    #: ISO 8601, UTC.
    published_at: str | None = None
    size_bytes: int = 0
    #: True when a push found the same content published already, and returned that version.
    existed: bool = False
    #: Address of the page of this version, where a server has one.
    url: str | None = None
    store: Store = field(default=None, repr=False, compare=False)
    _shown: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def ref(self) -> str:
        """``churn:7``."""
        return f"{self.name}:{self.number}" if self.number else self.name

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """All that the engine tells of it: ``{"version", "package", "captured"}``, see ``ingot show --json``."""
        if self._shown is not None:
            return self._shown
        shown: Mapping[str, Any] = engine.run(["show", self.ref], store=self.store)
        return shown

    @property
    def record(self) -> Mapping[str, Any]:
        """What the log says of it."""
        record: Mapping[str, Any] = self.details.get("version") or {}
        return record

    @property
    def files(self) -> tuple[File, ...]:
        """Its files, with sizes and digests."""
        listed = (self.details.get("package") or {}).get("files") or ()
        return tuple(File(file["path"], file["sizeBytes"], file["digest"], file.get("new")) for file in listed)

    @property
    def signature(self) -> Signature:
        """What goes in and what comes out; empty where it is not known."""
        package = self.details.get("package") or {}
        return Signature.from_json(package.get("signature") or self.record.get("signature") or {})

    schema = signature

    @property
    def params(self) -> Mapping[str, Any]:
        """Hyperparameters."""
        return self._said("params")

    @property
    def tags(self) -> Mapping[str, str]:
        """Free tags."""
        return self._said("tags")

    @property
    def lineage(self) -> Mapping[str, Any]:
        """Where it came from: ``{"git": {"commit", "branch", "remote", "dirty"}, "notebook": …}``."""
        return self._said("lineage")

    @property
    def environment(self) -> Mapping[str, Any]:
        """Python version, platform and requirements it was made with."""
        return self._said("environment")

    @property
    def captured(self) -> Mapping[str, Any]:
        """Everything that was captured when it was pushed."""
        captured: Mapping[str, Any] = self.details.get("captured") or {}
        return captured

    @property
    def description(self) -> str | None:
        """What the author says it is."""
        text = self.record.get("description")
        return text if isinstance(text, str) else None

    @property
    def executes_code(self) -> bool:
        """Whether loading it runs code from the package (a pickle does)."""
        serializer = self._said("serializer")
        return bool((self.details.get("package") or {}).get("executesCode", serializer.get("executesCode", False)))

    @property
    def author(self) -> str | None:
        """Who made it."""
        text = self.record.get("author") or self.captured.get("author")
        return text if isinstance(text, str) else None

    @property
    def profile(self) -> Mapping[str, Any]:
        """How the training data was distributed: ``{"rows", "columns", "features", "target"}``; empty when nothing was kept."""
        profile: Mapping[str, Any] = self.captured.get("profile") or {}
        return profile

    @property
    def model_card(self) -> str:
        """The model card, in Markdown: as edited, else the package's ``README.md``, else the generated one."""
        return str(engine.run(["show", self.ref, "--card"], store=self.store)["card"])

    def compare(self, other: str | Version) -> Difference:
        """Compares this version, which callers use now, with another that would answer them instead; see :func:`ingot.diff`."""
        from .difference import diff

        return diff(self, other, store=self.store)

    def promote(self, alias: str = "production", *, reason: str | None = None) -> Version:
        """Points an alias at this version and gives the version as it is then."""
        from .registry import promote

        return promote(self.ref, alias, reason=reason, store=self.store)

    def download(self, directory: str | os.PathLike[str] | None = None) -> Path:
        """Writes exactly the pushed files into a directory (default: one named after the model) and gives its path."""
        if not (directory is None or isinstance(directory, str | os.PathLike)):
            raise wrong("directory", directory, "a path", 'version.download("./churn")')
        where = [] if directory is None else ["--output", os.fspath(directory)]
        return Path(engine.run(["pull", self.ref, *where], store=self.store)["path"])

    def load(self, **options: Unpack[LoadOptions]) -> Model:
        """Loads it, as :func:`ingot.load` does and with its options; from the store that the version came from."""
        from .loading import load

        options.setdefault("store", self.store)
        return load(self.ref, **options)

    def _said(self, key: str) -> Mapping[str, Any]:
        value = self.record.get(key) or self.captured.get(key) or {}
        return value if isinstance(value, Mapping) else {}

    def __repr__(self) -> str:
        words = [f"<Version {self.ref}", *(f"@{alias}" for alias in self.aliases)]
        words += [f"{name}={value:.4g}" for name, value in list(self.metrics.items())[:3]]
        return " ".join([*words, f"{self.digest[:19]}…>" if self.digest else "not published>"])

    def __str__(self) -> str:
        lines = [f"{self.ref}  {self.flavor}  {self.digest}"]
        lines += [f"  label    {self.label}"] if self.label else []
        lines += [f"  aliases  {', '.join(self.aliases)}"] if self.aliases else []
        lines += [f"  metrics  {', '.join(f'{name} {value:.6g}' for name, value in self.metrics.items())}"] if self.metrics else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return card(self, self._production())

    def _production(self) -> Version | None:
        """The version that serves now, to compare with; None when there is none or it cannot be asked."""
        from .errors import IngotError
        from .registry import show

        try:
            found = show(f"{self.name}@production", store=self.store)
        except IngotError:
            return None
        return found if found.number != self.number else None


def version_from_record(record: Mapping[str, Any], *, store: Store = None, **more: Any) -> Version:
    """Makes a version from the engine's ``VersionRecord``."""
    return Version(
        name=record["model"],
        number=record["number"],
        digest=record["manifest"],
        flavor=record["flavor"],
        label=record.get("label"),
        status=record.get("status", "active"),
        metrics=dict(record.get("metrics") or {}),
        aliases=tuple(record.get("aliases") or ()),
        published_at=record.get("publishedAt"),
        size_bytes=record.get("sizeBytes", 0),
        store=store,
        **more,
    )
