"""Shortens a traceback to the lines that the reader wrote."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import TracebackType

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def own_lines(trace: TracebackType | None) -> list[str]:
    """Gives the places of a traceback outside of this package, the standard library and what is installed, one text each.

    Where nothing would be left, as when a library called us, everything but this package is kept.
    """
    outside = [step for step in _steps(trace) if not _file(step).startswith(_HERE)]
    own = [step for step in outside if not _is_installed(_file(step))]
    return [_place(step) for step in own or outside]


def _steps(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _file(step: TracebackType) -> str:
    return step.tb_frame.f_code.co_filename


def _is_installed(file: str) -> bool:
    if file.startswith("<frozen"):
        return True
    paths = sysconfig.get_paths()
    # A notebook's cells lie in a file of the kernel's, or in none.
    roots = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return any(file.startswith(root + os.sep) for root in roots) or f"{os.sep}site-packages{os.sep}" in file


def _place(step: TracebackType) -> str:
    file, line = _file(step), step.tb_lineno
    text = linecache.getline(file, line, step.tb_frame.f_globals).strip()
    where = _cell(step) or f"{file}, line {line}, in {step.tb_frame.f_code.co_name}"
    return f"{where}\n----> {text}" if text else where


def _cell(step: TracebackType) -> str | None:
    """Names the cell of a notebook by its number, as IPython does; None for a file."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    numbers = getattr(getattr(shell, "compile", None), "_filename_map", None)
    number = numbers.get(_file(step)) if isinstance(numbers, dict) else None
    return f"Cell In[{number}], line {step.tb_lineno}" if number is not None else None
