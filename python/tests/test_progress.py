"""What is shown while the engine works: nothing where nobody watches, one line that goes away where somebody does."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingot.commands import engine, progress

EVENTS = [{"phase": "store", "done": done, "total": 10, "text": f"storing model.pkl  {done} B of 10 B"} for done in (0, 5, 10)]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    lines = "".join(f"print({json.dumps(json.dumps({'progress': event}))}, file=sys.stderr)\n" for event in EVENTS)
    asked = "print('progress wanted:', os.environ.get('INGOT_PROGRESS'), file=sys.stderr)\n"
    fake = tmp_path / "fake"
    fake.write_text(f"#!{sys.executable}\nimport os, sys\n{asked}{lines}print('{{}}')\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("INGOT_ENGINE", str(fake))
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0)
    yield


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = progress.importlib.util.find_spec
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name, *rest: None if name in names else found(name, *rest))


def test_nothing_is_shown_where_nobody_watches(told: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert engine.run(["push"]) == {}
    assert capsys.readouterr().err == ""


def test_in_a_terminal_one_line_is_written_over_and_erased(told: None, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "tqdm")
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    engine.run(["push"])
    said = terminal.getvalue()
    assert "progress wanted: json" in said and "\r\x1b[2Kstoring model.pkl  5 B of 10 B" in said
    assert said.endswith("\r\x1b[2K") and '{"progress"' not in said


def test_short_commands_show_nothing(told: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 60)
    engine.run(["push"], progress=True)
    assert "storing" not in capsys.readouterr().err


def test_a_notebook_has_one_output_that_is_updated_and_emptied(told: None, monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display", reason="ipython is in requirements-dev.txt")
    without(monkeypatch, "tqdm")
    shown: list[Any] = []

    class Handle:
        update = staticmethod(shown.append)

    monkeypatch.setattr(progress, "is_notebook", lambda: True)
    monkeypatch.setattr(display, "display", lambda first, display_id: shown.append(first) or Handle())
    engine.run(["push"])
    texts = [each._repr_html_() for each in shown]
    assert any('value="0.500"' in text and "5 B of 10 B" in text for text in texts)
    assert texts[-1] == "" and repr(shown[-1]) == ""


def test_tqdm_draws_the_bar_where_it_is_installed(told: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "path" / "tqdm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "auto.py").write_text(
        "seen = []\nclass tqdm:\n    n = 0\n    def __init__(self, **options): self.total = 0\n"
        "    def reset(self, total): self.n = 0\n    def set_description(self, text): seen.append(text)\n"
        "    def update(self, by):\n        self.n += by\n        seen.append((self.n, self.total))\n    def close(self): seen.append('closed')\n"
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(package.parent))
    engine.run(["push"], progress=True)
    assert sys.modules["tqdm.auto"].seen == ["storing model.pkl", (0, 10), (5, 10), (10, 10), "closed"]
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.delitem(sys.modules, name)


def test_a_display_that_breaks_does_not_end_the_command(told: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_open_bar", lambda: 1 / 0)
    assert engine.run(["push"], progress=True) == {}
