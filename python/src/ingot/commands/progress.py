"""Shows what the engine does while a command lasts: one bar or one line that is updated, in notebooks and terminals only.

Nothing is shown in the first moments, so that short commands stay quiet. ``tqdm`` draws the bar where it is installed;
without it there is a line of HTML in a notebook and a line of text in a terminal.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

#: How long a command runs before its progress is shown, in seconds.
QUIET_SECONDS = 0.4

_PREFIX = '{"progress":'


class Bar(Protocol):
    """Something that shows where a command is."""

    def show(self, event: Mapping[str, Any]) -> None:
        """Shows an event: ``{"phase", "done", "total", "text"}``; bytes, both 0 where it is not about bytes."""
        ...

    def close(self) -> None:
        """Leaves nothing behind but what was done."""
        ...


class Progress:
    """Takes the lines that an engine says; those about progress go to a bar, which is made when it is first needed.

    >>> progress = Progress(enabled=False)
    >>> progress.takes('{"progress":{"phase":"store","done":1,"total":2,"text":"storing"}}'), progress.takes("warning: old")
    (True, False)
    """

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._since = time.monotonic()
        self._bar: Bar | None = None

    def takes(self, line: str) -> bool:
        """Shows a line and says whether it was one about progress."""
        if not line.startswith(_PREFIX):
            return False
        if self._enabled and time.monotonic() - self._since >= QUIET_SECONDS:
            self._show(line)
        return True

    def close(self) -> None:
        """Ends the bar. To be called in any case."""
        if self._bar is not None:
            with contextlib.suppress(Exception):
                self._bar.close()

    def _show(self, line: str) -> None:
        # A front end that went away, or a broken tqdm, must not end the command.
        try:
            event = json.loads(line)["progress"]
            self._bar = self._bar or _open_bar()
            self._bar.show(event)
        except Exception:  # noqa: BLE001 - whatever a display raises
            self._enabled = False


def is_notebook() -> bool:
    """Says whether this runs in a Jupyter kernel (of any front end)."""
    return "ipykernel" in sys.modules and _shell() is not None


def is_interactive() -> bool:
    """Says whether somebody watches: a notebook, or a terminal on stderr."""
    return is_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _open_bar() -> Bar:
    has_tqdm = importlib.util.find_spec("tqdm") is not None
    if is_notebook():
        # Without widgets tqdm would print a line of text again and again.
        return _Tqdm() if has_tqdm and importlib.util.find_spec("ipywidgets") is not None else _Html()
    return _Tqdm() if has_tqdm else _Line()


class _Tqdm:
    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tqdm: Any = importlib.import_module("tqdm.auto").tqdm
        self._bar: Any = tqdm(total=0, unit="B", unit_scale=True, leave=False, file=sys.stderr)
        self._phase: str | None = None

    def show(self, event: Mapping[str, Any]) -> None:
        if event["phase"] != self._phase:
            self._phase = event["phase"]
            self._bar.reset(total=event["total"])
            self._bar.set_description(str(event["text"]).split("  ")[0])
        self._bar.total = max(event["total"], event["done"])
        self._bar.update(event["done"] - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _Html:
    """One output of a notebook that is replaced, and emptied in the end."""

    def __init__(self) -> None:
        display: Any = importlib.import_module("IPython.display").display
        self._handle: Any = display(_Shown("…", None), display_id=True)

    def show(self, event: Mapping[str, Any]) -> None:
        share = event["done"] / event["total"] if event["total"] else None
        self._handle.update(_Shown(str(event["text"]), share))

    def close(self) -> None:
        self._handle.update(_Shown("", None))


class _Shown:
    def __init__(self, text: str, share: float | None) -> None:
        self._text, self._share = text, share

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        if not self._text:
            return ""
        bar = "" if self._share is None else f'<progress max="1" value="{self._share:.3f}" style="vertical-align:middle"></progress> '
        return f'<div class="ingot-progress" style="font-size:13px">{bar}{escape(self._text)}</div>'


class _Line:
    """A line of a terminal that is written over, and erased in the end."""

    def show(self, event: Mapping[str, Any]) -> None:
        sys.stderr.write(f"\r\x1b[2K{str(event['text'])[:100]}")
        sys.stderr.flush()

    def close(self) -> None:
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
