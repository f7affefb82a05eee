"""One process of the engine serves call after call, and never makes a difference to what a call does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ingot
from ingot.commands import finding, kept

pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def none_waits() -> Iterator[None]:
    kept.end_all()
    yield
    kept.end_all()


def double(rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] * 2 for row in rows]


def waiting() -> int | None:
    """The process that waits for a command."""
    return kept._idle.process.pid if kept._idle is not None else None


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for(happened: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.01)


def test_calls_share_one_process_which_ends_with_this_one(store: Path) -> None:
    code = (
        "import ingot, sys\nfrom ingot.commands import kept\nseen = set()\nfor _ in range(2):\n    ingot.push(sys.argv[1], 'note')\n"
        "    ingot.show('note')\n    seen.add(kept._idle.process.pid)\nprint(*seen)"
    )
    note = store.parent / "note.txt"
    note.write_text("x")
    done = subprocess.run([sys.executable, "-c", code, str(note)], capture_output=True, text=True, check=True)
    (process,) = map(int, done.stdout.split())
    assert gone(process)


def test_it_starts_while_a_push_is_still_busy_here(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int | None] = []
    write = ingot.pushing._write_package
    monkeypatch.setattr(ingot.pushing, "_write_package", lambda *given: (seen.append(waiting()), write(*given))[1])
    ingot.push(double, "double")
    assert seen == [waiting()] and seen[0] is not None


def test_zero_keeps_none(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_ENGINE_KEEP", "0")
    assert ingot.push(double, "double").ref == "double:1"
    assert waiting() is None


def test_it_ends_when_nothing_is_asked_for_a_while_and_the_next_call_does_not_mind(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGOT_ENGINE_KEEP", "0.05")
    ingot.push(double, "double")
    assert kept._idle is not None
    kept._idle.process.wait(30)
    assert ingot.show("double").ref == "double:1"


def test_environment_and_directory_are_those_of_each_call(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingot.push(double, "double")
    process = waiting()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "note.txt").write_text("x")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("INGOT_REGISTRY", "../another")
    assert ingot.push("note.txt", "note").ref == "note:1"
    assert (tmp_path / "another" / "ingot.json").is_file()
    assert waiting() == process
    monkeypatch.setenv("INGOT_REGISTRY", str(store))
    assert list(ingot.models()) == ["double"]
    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")
    ingot.show("double")
    assert waiting() != process, "what Node reads when it starts takes another process"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the mask is read from /proc")
def test_files_are_made_as_the_process_makes_them(store: Path, tmp_path: Path) -> None:
    ingot.push(double, "double")
    before = os.umask(0o077)
    try:
        ingot.show("double").download(tmp_path / "private")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) & 0o077 == 0


def test_after_a_failure_the_next_call_has_a_process_of_its_own(store: Path) -> None:
    ingot.push(double, "double")
    process = waiting()
    with pytest.raises(ingot.NotFound):
        ingot.show("single")
    assert waiting() is None and process is not None and gone(process)
    assert ingot.show("double").number == 1


def test_one_that_was_killed_is_replaced_without_a_word(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ingot.push(double, "double")
    process = waiting()
    assert process is not None
    os.kill(process, signal.SIGKILL)
    assert ingot.show("double").ref == "double:1"
    assert capfd.readouterr().err == ""


def test_one_that_goes_away_before_it_begins_is_replaced(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingot.push(double, "double")

    def go_away(self: kept.KeptEngine, request: bytes, hear: Callable[[str], None]) -> kept.Ended:
        raise kept.NotBegun

    monkeypatch.setattr(kept.KeptEngine, "run", go_away)
    assert ingot.show("double").ref == "double:1"


def test_an_engine_that_cannot_be_kept_is_not_asked_again(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    # As a script, wherever it was found: only then is it known which Node runs it.
    monkeypatch.setenv("INGOT_ENGINE", os.path.realpath(finding.find_engine()[-1]))
    node = finding.find_engine()[0]
    wrapper = tmp_path / "node"
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in *__engine*) echo x >> "{asked}"; exit 2;; esac\nexec "{node}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("INGOT_NODE", str(wrapper))
    assert ingot.push(double, "double").ref == "double:1"
    told = asked.read_text()
    assert told and ingot.show("double").ref == "double:1"
    assert asked.read_text() == told


def test_calls_at_once_have_processes_of_their_own_and_one_stays(store: Path) -> None:
    ingot.push(double, "double")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: ingot.show("double").number, range(8))) == [1] * 8
    assert waiting() is not None and len(kept._all) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="systems that fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_its_own_and_leaves_its_parents_alone(store: Path) -> None:
    ingot.push(double, "double")
    process = waiting()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        inherited, own = pool.apply(_in_child)
    assert inherited is None and own not in (None, process)
    assert ingot.show("double").number == 1 and waiting() == process


def _in_child() -> tuple[int | None, int | None]:
    inherited = waiting()
    ingot.show("double")
    return inherited, waiting()


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_it_ends_when_its_program_is_killed(store: Path, tmp_path: Path) -> None:
    code = "import ingot, sys, time\nfrom ingot.commands import kept\ningot.push(sys.argv[1], 'note')\nprint(kept._idle.process.pid, flush=True)\ntime.sleep(60)"
    note = tmp_path / "note.txt"
    note.write_text("x")
    child = subprocess.Popen([sys.executable, "-c", code, str(note)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    process = int(child.stdout.readline())
    child.kill()
    child.wait()
    wait_for(lambda: gone(process) or _is_zombie(process))


def _is_zombie(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def test_a_cancelled_call_leaves_no_process_that_another_could_get(store: Path, tmp_path: Path) -> None:
    from ingot.commands.cancelling import Cancellation

    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(64 * 2**20))
    ingot.push(double, "double")
    process, cancellation = waiting(), Cancellation()
    failed: list[type[BaseException]] = []

    def push() -> None:
        with cancellation.current():
            try:
                ingot.push(big, "big")
            except ingot.IngotError as error:
                failed.append(type(error))

    thread = threading.Thread(target=push)
    thread.start()
    wait_for(lambda: waiting() is None)
    cancellation.cancel()
    thread.join()
    assert failed == [ingot.Interrupted]
    assert process is not None and gone(process) and waiting() is None
    assert list(ingot.models()) == ["double"]


def test_what_is_no_text_is_told_to_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsdecode(b"caf\xe9.txt")
    assert kept.request(["push", "caf\u00e9\u2028.txt"], {}) is not None
    assert kept.request(["push", odd], {}) is None
    assert kept.request(["ls"], {"HOME": odd}) is None
