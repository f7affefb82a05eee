"""How two versions differ, and whether callers of one can be answered by the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from .commands import engine
from .version import Store, Version

Verdict = Literal["identical", "compatible", "breaking", "unknown"]


@dataclass(frozen=True)
class MetricChange:
    """A metric of both versions."""

    a: float | None
    b: float | None
    #: ``"a"`` or ``"b"``; None where they are equal, one is missing, or the name does not tell what is better.
    better: Literal["a", "b"] | None = None


@dataclass(frozen=True)
class Drift:
    """How far the distribution of a column moved from A to B."""

    #: Population stability index: 0 for the same distribution.
    psi: float
    #: ``same``, ``moved`` (above 0.1) or ``shifted`` (above 0.25), what is chance taken off.
    level: Literal["same", "moved", "shifted"]


@dataclass(frozen=True)
class Difference:
    """How version B differs from version A, as ``ingot diff A B`` tells it. Prints itself as that command does."""

    #: ``churn:7``
    a: str
    b: str
    #: ``breaking``: a caller of A would be refused or answered in another form by B. ``unknown``: a signature is missing.
    verdict: Verdict
    #: What breaks callers, one sentence each.
    breaks: tuple[str, ...] = ()
    metrics: Mapping[str, MetricChange] = field(default_factory=dict)
    #: Parameters that differ: ``{"max_depth": (3, 5)}``.
    params: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    #: Commit, branch and uncommitted changes that differ: ``{"commit": ("1f3a…", "9c0d…")}``.
    code: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    #: Columns of the training data, where both versions tell their distribution; the target among them.
    drift: Mapping[str, Drift] = field(default_factory=dict)
    #: Whether both were trained on the same rows; None where that is not known.
    same_data: bool | None = None
    #: Everything, as ``ingot diff --json`` prints it: also ``signature``, ``environment``, ``files`` and ``bytes``.
    details: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_breaking(self) -> bool:
        """Whether callers of A would notice."""
        return self.verdict == "breaking"

    @property
    def worse(self) -> dict[str, MetricChange]:
        """Metrics that are worse in B."""
        return {name: change for name, change in self.metrics.items() if change.better == "a"}

    @property
    def drifted(self) -> dict[str, Drift]:
        """Columns whose distribution moved or shifted, the farthest first."""
        moved = ((name, drift) for name, drift in self.drift.items() if drift.level != "same")
        return dict(sorted(moved, key=lambda item: -item[1].psi))

    def __str__(self) -> str:
        lines = [f"{self.a} → {self.b}  {self.verdict}", *(f"  ✗ {text}" for text in self.breaks)]
        words = {"a": "worse", "b": "better", None: ""}
        lines += [f"  {name}  {_number(each.a)} → {_number(each.b)}  {words[each.better]}".rstrip() for name, each in self.metrics.items()]
        lines += [f"  {name}  {before!r} → {after!r}" for name, (before, after) in self.params.items()]
        lines += [f"  {name}  {drift.level} (PSI {drift.psi:.3g})" for name, drift in self.drifted.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Difference {self}>"

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.5">{escape(str(self))}</pre>'


def diff(a: str | Version, b: str | Version, *, store: Store = None) -> Difference:
    """Compares two versions: metrics, parameters, signature, environment, code, files and training data.

    :param a: a version or a reference (``"churn@production"``): what callers use now.
    :param b: what would answer them instead.
    :param store: where the models are, for references; a version knows its own.
    :raises NotFound: with the nearest name.

    ::

        change = ingot.diff("churn@production", "churn")
        assert not change.is_breaking and not change.worse
    """
    where = store if store is not None else next((each.store for each in (a, b) if isinstance(each, Version)), None)
    names = [each.ref if isinstance(each, Version) else each for each in (a, b)]
    return _difference(engine.run(["diff", *names], store=where))


def _difference(told: Mapping[str, Any]) -> Difference:
    data = told.get("data") or {}
    drifts = {**(data.get("features") or {}), **(data.get("target") or {})}
    return Difference(
        a=told["a"],
        b=told["b"],
        verdict=told["verdict"],
        breaks=tuple(told.get("breaks") or ()),
        metrics={name: MetricChange(each["a"], each["b"], each["better"]) for name, each in (told.get("metrics") or {}).items()},
        params=_pairs(told.get("params")),
        code=_pairs(told.get("code")),
        drift={name: Drift(each["psi"], each["level"]) for name, each in drifts.items()},
        same_data=data.get("same"),
        details=told,
    )


def _pairs(changes: Mapping[str, Any] | None) -> dict[str, tuple[Any, Any]]:
    return {name: (change["a"], change["b"]) for name, change in (changes or {}).items()}


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
