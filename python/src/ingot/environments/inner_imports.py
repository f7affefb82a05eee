"""What code that is stored by value imports when it runs: ``import pandas`` inside a function shows in no pickle."""

from __future__ import annotations

import dis
from collections.abc import Collection, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

#: Objects that are looked at, so that a model of a million parts costs nothing.
_MOST = 2000


def inner_imports(model: Any, stored: Collection[str]) -> set[str]:
    """Gives the modules that functions and classes of an object import inside their bodies.

    :param stored: top-level modules whose code is stored by value; what others import is their distributions' business.

    >>> def double(rows):
    ...     import numpy as np
    ...     return np.asarray(rows) * 2
    >>> sorted(inner_imports(double, {double.__module__}))
    ['numpy']
    """
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [model]
    while waiting and len(seen) < _MOST:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, FunctionType):
            found.update(_imports(part.__code__))
        waiting.extend(_parts(part, stored))
    return found


def _parts(part: Any, stored: Collection[str]) -> Iterator[Any]:
    """What belongs to an object and is stored by value with it."""
    if isinstance(part, MethodType):
        yield from (part.__func__, part.__self__)
    elif isinstance(part, FunctionType):
        inside = (part.__globals__.get(name) for name in _names(part.__code__))
        cells = (cell.cell_contents for cell in part.__closure__ or () if _is_filled(cell))
        yield from (each for each in (*inside, *cells) if _is_stored(each, stored))
    elif isinstance(part, type):
        members = (getattr(each, "__func__", None) or getattr(each, "fget", None) or each for each in vars(part).values())
        yield from (each for each in (*members, *part.__bases__) if _is_stored(each, stored))
    elif _is_stored(type(part), stored):
        yield type(part)
        yield from (each for each in vars(part).values() if _is_stored(each, stored)) if hasattr(part, "__dict__") else ()


def _is_stored(part: Any, stored: Collection[str]) -> bool:
    owner = part if isinstance(part, (FunctionType, MethodType, type)) else type(part)
    # What is made inside a function has no name to be found by, wherever it is: it is always stored by value.
    inner = "<l" in str(getattr(owner, "__qualname__", ""))
    return inner or str(getattr(owner, "__module__", "")).partition(".")[0] in {"__main__", *stored}


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - an empty cell raises
    except ValueError:
        return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _names(code: CodeType) -> set[str]:
    return {name for each in _codes(code) for name in each.co_names}


def _imports(code: CodeType) -> Iterator[str]:
    for each in _codes(code):
        yield from (str(step.argval) for step in dis.get_instructions(each) if step.opname == "IMPORT_NAME" and step.argval)
