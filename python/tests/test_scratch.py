"""What a push writes beside the store goes with it, and after a kill by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.captured import scratch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks as POSIX has them")

HOLDS = "import sys, time; from ingot.captured.scratch import scratch\nwith scratch() as at: (at / 'model.bin').write_text('x'); print(at, flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    yield tmp_path


def holder() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_push_left_goes_and_that_of_a_living_one_stays() -> None:
    (killed, left), (living, used) = holder(), holder()
    try:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert (left / "model.bin").exists()
        scratch.sweep()
        assert not left.exists() and (used / "model.bin").exists()
    finally:
        for process in (killed, living):
            process.kill()
            process.communicate()


def test_a_new_process_removes_them_with_its_first_push(monkeypatch: pytest.MonkeyPatch) -> None:
    killed, left = holder()
    killed.kill()
    killed.communicate()
    monkeypatch.setattr(scratch, "_swept", False)
    with scratch.scratch() as directory:
        assert directory.is_dir() and not left.exists()
    assert not directory.exists()


def test_a_directory_without_an_owner_stays_for_a_day_and_links_are_never_followed(place: Path) -> None:
    young, linked = place / "ingot-push-young", place / "elsewhere"
    young.mkdir()
    linked.mkdir()
    (linked / ".owner").touch()
    (place / "ingot-push-link").symlink_to(linked)
    scratch.sweep()
    assert young.exists()
    scratch.sweep(time.time() + 90_000)
    assert not young.exists() and (linked / ".owner").exists()


def test_an_interrupted_block_leaves_nothing(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch.scratch():
        raise KeyboardInterrupt
    assert list(place.iterdir()) == []
