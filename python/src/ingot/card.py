"""The cards that versions and models show of themselves in a notebook: HTML without scripts, fonts or addresses.

Colours are the notebook's own, so that cards are as readable in a dark theme as in a light one.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from .metrics import lower_is_better
from .signature import Feature

if TYPE_CHECKING:
    from .model import Model
    from .signature import Signature
    from .version import Version

_SHOWN_FEATURES = 12

_STYLE = (
    "border:1px solid #8884;border-radius:8px;padding:12px 16px;max-width:760px;font-family:system-ui,sans-serif;"
    "font-size:13px;line-height:1.5"
)
_CODE = "display:block;white-space:pre;overflow-x:auto;padding:6px 8px;margin:4px 0;border-radius:4px;background:#8882;text-align:left"


def card(version: Version, production: Version | None = None) -> str:
    """Draws a version; its metrics are compared with those of the production version where that is another one."""
    parts = [_heading(version), _metrics(version, production), _schema(version.signature), _snippets(version)]
    return f'<div class="ingot-card" style="{_STYLE}">{"".join(parts)}</div>'


def model_card(model: Model[Any, Any]) -> str:
    """Draws a loaded model: which version it is, what it takes, and how to ask it."""
    info = model.info
    native = getattr(model, "native", None)
    kind = getattr(native, "__name__", type(native).__name__)
    lines = [f"{info.flavor} {kind}", info.digest[:19] + "…" if info.digest else "not published"]
    lines += [f"store silent since {info.stale_since}"] if info.stale_since else []
    label = f" <span>({escape(info.label)})</span>" if info.label else ""
    small = " · ".join(escape(line) for line in lines)
    head = f'<div><strong style="font-size:16px">{escape(info.ref or kind)}</strong>{label}</div><div style="opacity:.75">{small}</div>'
    asked = ["model.predict(rows)", *(f"model.{name}(rows)" for name in ("predict_proba", "transform") if hasattr(native, name))]
    code = f'<code style="{_CODE}">{escape(chr(10).join(asked))}</code>'
    return f'<div class="ingot-card" style="{_STYLE}">{head}{_schema(info.signature)}{code}</div>'


def delta(name: str, value: float, other: float) -> tuple[str, str]:
    """Gives the difference to another version in words: its text, and ``better``, ``worse`` or ``same``.

    >>> delta("auc", 0.974, 0.971)
    ('+0.003', 'better')
    >>> delta("log_loss", 0.3, 0.2)
    ('+0.1', 'worse')
    """
    difference = value - other
    if abs(difference) < 1e-12:
        return "±0", "same"
    lower = lower_is_better(name)
    text = f"{difference:+.4g}".replace("-", "−")
    return text, "better" if (difference < 0) == lower else "worse"


def _heading(version: Version) -> str:
    badges = "".join(
        f'<span style="border:1px solid #8888;border-radius:10px;padding:0 8px;margin-left:6px">@{escape(alias)}</span>'
        for alias in version.aliases
    )
    label = f" <span>({escape(version.label)})</span>" if version.label else ""
    trust = "executes code when loaded, not scanned" if version.executes_code else "not scanned"
    lines = [version.flavor, version.digest[:19] + "…" if version.digest else "not published", trust]
    commit = (version.lineage.get("git") or {}).get("commit")
    if commit:
        dirty = " with uncommitted changes" if version.lineage["git"].get("dirty") else ""
        lines.append(f"git {str(commit)[:7]}{dirty}")
    small = " · ".join(escape(line) for line in lines)
    description = f"<div>{escape(version.description)}</div>" if version.description else ""
    name = f'<strong style="font-size:16px">{escape(version.ref)}</strong>'
    return f'<div>{name}{label}{badges}</div>{description}<div style="opacity:.75">{small}</div>'


def _metrics(version: Version, production: Version | None) -> str:
    if not version.metrics:
        return ""
    rows = [(name, f"{value:.6g}", compared(name, value, production)) for name, value in version.metrics.items()]
    header = ("metric", "value", f"against {production.ref}" if production is not None else "")
    return table("Metrics", header if production is not None else header[:2], rows)


def compared(name: str, value: float, production: Version | None) -> str:
    """Says in words how a metric differs from that of the production version; empty where there is nothing to compare."""
    if production is None or name not in production.metrics:
        return ""
    text, verdict = delta(name, value, production.metrics[name])
    mark = {"better": "▲ better", "worse": "▼ worse", "same": "same"}[verdict]
    return f"{text} {mark}"


def _schema(signature: Signature) -> str:
    if not signature.inputs:
        return ""
    rows = [("in", *_feature(feature)) for feature in signature.inputs[:_SHOWN_FEATURES]]
    if len(signature.inputs) > _SHOWN_FEATURES:
        rows.append(("", f"… {len(signature.inputs) - _SHOWN_FEATURES} more", "", ""))
    rows += [("out", *_feature(feature)) for feature in signature.outputs]
    partial = ", partly known" if signature.partial else ""
    title = f"Schema ({len(signature.inputs)} in, {len(signature.outputs)} out{partial})"
    return f"<details><summary>{title}</summary>{table('', ('', 'name', 'type', 'values'), rows)}</details>"


def _feature(feature: Feature) -> tuple[str, str, str]:
    kind = feature.type if feature.dtype is None else f"{feature.type} {feature.dtype} {list(feature.shape or ())}"
    if feature.nullable:
        kind += ", may be missing"
    if feature.categories:
        return feature.name, kind, ", ".join(str(item) for item in feature.categories[:6]) + (" …" if len(feature.categories) > 6 else "")
    if feature.min is not None and feature.max is not None:
        return feature.name, kind, f"{feature.min:.6g} … {feature.max:.6g}"
    return feature.name, kind, ""


def _snippets(version: Version) -> str:
    snippets = {
        "Python": f'import ingot\nmodel = ingot.load("{version.ref}")\nmodel.predict(rows)',
        "Serve": f"ingot serve {version.ref}",
        "Promote": f'ingot.promote("{version.ref}", "production", reason="…")',
    }
    body = "".join(f'<div>{title}</div><code style="{_CODE}">{escape(text)}</code>' for title, text in snippets.items())
    return f"<details><summary>Use it</summary>{body}</details>"


def table(title: str, header: Iterable[str], rows: Iterable[Iterable[str]], *, bold: frozenset[int] = frozenset()) -> str:
    """Draws a table; everything in it is escaped. The rows whose index is in ``bold`` stand out."""
    cell = 'style="text-align:left;padding:1px 12px 1px 0;white-space:pre-wrap"'
    columns = list(header)
    head = "".join(f"<th {cell}>{escape(text)}</th>" for text in columns)
    body = "".join(_row(list(row)[: len(columns)], cell, index in bold) for index, row in enumerate(rows))
    caption = f'<caption style="text-align:left;font-weight:600">{escape(title)}</caption>' if title else ""
    return f'<table style="border-collapse:collapse;margin:6px 0">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(texts: list[str], cell: str, bold: bool) -> str:
    mark = ' style="font-weight:600"' if bold else ""
    return f"<tr{mark}>" + "".join(f"<td {cell}>{escape(text)}</td>" for text in texts) + "</tr>"
