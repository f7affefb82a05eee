"""Lists that show themselves as tables: in a notebook as HTML, elsewhere as text. They are lists in every other way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .card import compared, table

if TYPE_CHECKING:
    from .registry import HistoryEntry
    from .version import Version

T = TypeVar("T")
Draw = Callable[[Sequence[Any]], "Drawn"]

#: So many rows are drawn; the list itself holds all.
SHOWN_ROWS = 50
_SHOWN_METRICS = 4


class Drawn:
    """The texts of a table."""

    def __init__(self, title: str, header: Sequence[str], rows: Iterable[Sequence[str]], bold: Iterable[int] = ()) -> None:
        self.title = title
        self.header = list(header)
        self.rows = [list(row) for row in rows]
        self.bold = frozenset(bold)


class Listing(list[T]):
    """A list that draws itself as a table.

    >>> names = Listing(["wine", "churn"], lambda items: Drawn("Models", ["name"], [[item] for item in items]))
    >>> names == ["wine", "churn"], names[0]
    (True, 'wine')
    >>> print(names)
    name
    wine
    churn
    """

    def __init__(self, items: Iterable[T], draw: Draw) -> None:
        super().__init__(items)
        self._draw = draw

    def __reduce__(self) -> tuple[Any, ...]:
        return (list, (list(self),))

    def __str__(self) -> str:
        return _text(self._draw(self[:SHOWN_ROWS]), len(self)) if self else "(none)"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("…" if cycle else str(self))

    def _repr_html_(self) -> str:
        if not self:
            return "<em>(none)</em>"
        drawn = self._draw(self[:SHOWN_ROWS])
        more = f"<div>… {len(self) - SHOWN_ROWS} more</div>" if len(self) > SHOWN_ROWS else ""
        return f'<div class="ingot-listing">{table(drawn.title, drawn.header, drawn.rows, bold=drawn.bold)}{more}</div>'


def _text(drawn: Drawn, count: int) -> str:
    lines = [drawn.header, *drawn.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(drawn.header))]
    texts = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*texts, *([f"… {count - SHOWN_ROWS} more"] if count > SHOWN_ROWS else [])])


def listing_of_models(summaries: Sequence[Mapping[str, Any]]) -> Listing[str]:
    """Names models; drawn with what ``ingot ls`` tells of them."""
    known = {summary["name"]: summary for summary in summaries}

    def draw(names: Sequence[str]) -> Drawn:
        rows = [_model_row(known[name]) for name in names if name in known]
        return Drawn("Models", ("model", "versions", "newest", "aliases", "metrics", "changed"), rows)

    return Listing((str(summary["name"]) for summary in summaries), draw)


def _model_row(summary: Mapping[str, Any]) -> list[str]:
    newest: Mapping[str, Any] = summary.get("latest") or {}
    aliases = ", ".join(f"@{alias} → {number}" for alias, number in (summary.get("aliases") or {}).items())
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in list((newest.get("metrics") or {}).items())[:_SHOWN_METRICS])
    number = f"{newest['number']} {newest.get('flavor', '')}" if newest else "none"
    return [str(summary["name"]), str(summary.get("versions", 0)), number, aliases, metrics, moment(summary.get("updatedAt"))]


def listing_of_versions(versions: Iterable[Version]) -> Listing[Version]:
    """Lists versions; drawn with their metrics against those of ``@production``."""

    def draw(shown: Sequence[Version]) -> Drawn:
        names = list(dict.fromkeys(name for version in shown for name in version.metrics))[:_SHOWN_METRICS]
        production = next((version for version in listed if "production" in version.aliases), None)
        rows = [_version_row(version, names, production) for version in shown]
        bold = [index for index, version in enumerate(shown) if version is production]
        title = f"Versions of {shown[0].name}" + (f", metrics against {production.ref}" if production is not None else "")
        return Drawn(title, ("version", "aliases", "label", "flavor", *names, "published"), rows, bold)

    listed = Listing(versions, draw)
    return listed


def _version_row(version: Version, names: Sequence[str], production: Version | None) -> list[str]:
    state = "" if version.status == "active" else f" ({version.status})"
    return [
        f"{version.ref}{state}",
        ", ".join(f"@{alias}" for alias in version.aliases),
        version.label or "",
        version.flavor,
        *(_metric(name, version, production) for name in names),
        moment(version.published_at),
    ]


def _metric(name: str, version: Version, production: Version | None) -> str:
    if name not in version.metrics:
        return ""
    value = version.metrics[name]
    other = compared(name, value, production) if production is not version else ""
    return f"{value:.6g}  {other}".rstrip()


def listing_of_history(entries: Iterable[HistoryEntry]) -> Listing[HistoryEntry]:
    """Lists what happened to a model."""

    def draw(shown: Sequence[HistoryEntry]) -> Drawn:
        rows = [[str(entry.seq), moment(entry.at), entry.actor, entry.summary, entry.reason or ""] for entry in shown]
        return Drawn("History", ("#", "at (UTC)", "by", "what", "why"), rows)

    return Listing(entries, draw)


def moment(text: object) -> str:
    """Shortens a time of the log for reading.

    >>> moment("2026-11-21T17:57:54.340Z"), moment(None)
    ('2026-11-21 17:57', '')
    """
    return str(text)[:16].replace("T", " ") if text else ""
