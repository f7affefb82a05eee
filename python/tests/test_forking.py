from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from ingot.commands.forking import unforked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing forks on Windows")


def forked() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def test_a_fork_waits_until_the_other_threads_have_left() -> None:
    entered, left = threading.Event(), []

    def inside() -> None:
        with unforked():
            entered.set()
            time.sleep(0.2)
            left.append(True)

    thread = threading.Thread(target=inside)
    thread.start()
    entered.wait()
    forked()
    assert left
    thread.join()


def test_a_thread_that_is_inside_may_fork_at_once_and_its_child_too() -> None:
    began = time.monotonic()
    with unforked(), unforked():
        child = os.fork()
        if child == 0:
            forked()
            with unforked():
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    forked()
    assert time.monotonic() - began < 5
