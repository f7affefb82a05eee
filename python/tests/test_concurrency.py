"""Pushing from many workers at once: each gets its version, none is lost, and who interrupts one leaves the store whole."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

import ingot
from ingot.commands import engine
from ingot.quietly import quietly

pytestmark = pytest.mark.engine


def push_one(seed: int) -> int:
    """What a worker does; it lies in a module, so that a spawned process finds it."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=seed + 1.0).fit([[0.0], [1.0]], [0.0, 1.0])
    return ingot.push(model, "many", X=[[0.0], [1.0]], tags={"seed": seed}).number


def in_threads(seeds: list[int]) -> list[int]:
    with ThreadPoolExecutor(len(seeds)) as pool:
        return list(pool.map(push_one, seeds))


def in_processes(kind: str) -> Callable[[list[int]], list[int]]:
    def run(seeds: list[int]) -> list[int]:
        with multiprocessing.get_context(kind).Pool(2) as pool:
            return pool.map(push_one, seeds, chunksize=1)

    return run


def in_joblib(seeds: list[int]) -> list[int]:
    # Workers that another test left behind have its environment.
    get_reusable_executor().shutdown(wait=True)
    return list(joblib.Parallel(n_jobs=2)(joblib.delayed(push_one)(seed) for seed in seeds))


def in_forks_of_threads(seeds: list[int]) -> list[int]:
    """As a Dask worker may: threads of one process, each forking a process for its task while the others push."""

    def one(seed: int) -> int:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return pool.apply(push_one, (seed,))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, seeds))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "workers",
    [in_threads, in_processes("fork"), in_processes("spawn"), in_joblib, in_forks_of_threads],
    ids=["threads", "fork", "spawn", "joblib", "dask-like"],
)
def test_each_of_many_workers_gets_its_version_and_none_is_lost(store: Path, workers: Callable[[list[int]], list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]))
    seeds = [0, 1, 2]
    numbers = workers(seeds)
    assert sorted(numbers) == [1, 2, 3]
    told = {number: int(ingot.show(f"many:{number}").tags["seed"]) for number in numbers}
    assert [told[number] for number in numbers] == seeds
    assert ingot.load("many:1").native.alpha == told[1] + 1


def test_a_child_that_was_forked_in_the_middle_of_a_silence_warns_again() -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with quietly():
            entered.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(20)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        heard = pool.apply(_warns)
    leave.set()
    holder.join()
    assert heard == 1


def _warns() -> int:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quietly():
            warnings.warn("unheard", stacklevel=1)
        warnings.warn("heard", stacklevel=1)
    return len(caught)


def test_threads_that_silence_warnings_at_once_leave_them_as_they_were() -> None:
    before = list(warnings.filters)
    first, second = threading.Event(), threading.Event()

    def one() -> None:
        with quietly():
            first.set()
            second.wait(20)

    thread = threading.Thread(target=one)
    thread.start()
    first.wait(20)
    with quietly():
        second.set()
        thread.join()
    assert list(warnings.filters) == before


def slow_push(tmp_path: Path, mebibytes: int = 192) -> Path:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(2**20))
    return big


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_during_a_push_ends_the_engine_and_the_push_repeated_goes_on(store: Path, tmp_path: Path) -> None:
    big = slow_push(tmp_path)
    code = f"import ingot\nprint('go', flush=True)\ntry:\n    ingot.push({str(big)!r}, 'big')\nexcept KeyboardInterrupt:\n    print('interrupted')"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "go\n"
    _wait_for(lambda: any((store / "packs").rglob("*")) if (store / "packs").is_dir() else False)
    child.send_signal(signal.SIGINT)
    printed, _ = child.communicate(timeout=60)
    assert printed == "interrupted\n"
    assert not _engines_with(str(store)), "the engine ended with the call"
    version = ingot.push(big, "big")
    assert (version.number, version.existed) == (1, False)
    engine.run(["check", "--read-data"])


def test_two_pushes_of_the_same_model_at_once_are_one_version(store: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        numbers = list(pool.map(push_one, [7, 7]))
    assert numbers == [1, 1] or sorted(numbers) == [1, 2]
    assert {ingot.load(f"many:{number}").native.alpha for number in numbers} == {8.0}


def _wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.005)


def _engines_with(words: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ") if Path("/proc").is_dir() else ():
        try:
            command = (entry.parent / "cmdline").read_text()
            if words in entry.read_text() and "ingot.js" in command:
                found.append(command)
        except OSError:
            continue
    return found
