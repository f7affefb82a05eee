"""Pushing and loading from an event loop: it goes on meanwhile, and a cancelled push ends its engine."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

import ingot
from ingot.commands import engine
from ingot.commands.cancelling import Cancellation


def double(rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] * 2 for row in rows]


@pytest.mark.engine
def test_the_three_lines_work_from_an_event_loop_which_goes_on(store: Path) -> None:
    async def way() -> tuple[object, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        first, second = await asyncio.gather(ingot.apush(double, "double", X=[{"x": 1.0}], alias="production"), ingot.apush(double, "other"))
        assert (first.ref, second.ref) == ("double:1", "other:1")
        model: ingot.Model[list[dict[str, float]], list[float]] = await ingot.aload("double@production")
        answer = await model.apredict([{"x": 3.0}])
        ticking.cancel()
        return answer, ticks

    answer, ticks = asyncio.run(way())
    assert answer == [6.0] and ticks > 3


def fake_engine(path: Path, body: str) -> Path:
    path.write_text(f"#!{sys.executable}\nimport os, signal, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_cancelled_task_asks_the_engine_to_stop_and_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, stopped = tmp_path / "started", tmp_path / "stopped"
    body = (
        f"def stop(*_):\n    open({str(stopped)!r}, 'a').write('x')\n    sys.exit(130)\n"
        f"signal.signal(signal.SIGINT, stop)\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    monkeypatch.setenv("INGOT_ENGINE", str(fake_engine(tmp_path / "fake", body)))

    async def way() -> None:
        task = asyncio.create_task(ingot.apush(double, "double"))
        while not (started.exists() and started.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.monotonic()
    asyncio.run(way())
    assert stopped.read_text() == "x" and time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), signal.SIG_DFL)


def test_no_further_command_starts_once_a_call_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    monkeypatch.setenv("INGOT_ENGINE", str(fake_engine(tmp_path / "fake", f"open({str(asked)!r}, 'w')")))
    cancellation = Cancellation()
    cancellation.cancel()
    with cancellation.current(), pytest.raises(ingot.Interrupted):
        engine.run(["ls"])
    assert not asked.exists()
