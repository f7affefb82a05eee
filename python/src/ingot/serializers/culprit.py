"""Finds which part of an object cannot be pickled, by its path from the model: ``model.steps[1][1].func``."""

from __future__ import annotations

import functools
import inspect
import io
import types
from collections.abc import Callable, Iterator
from typing import Any

_MAX_DEPTH = 32
_MAX_TRIES = 2000

#: Gives what went wrong when an object is pickled alone, None when nothing did.
Attempt = Callable[[Any], Exception | None]


def find_culprit(model: Any, attempt: Attempt) -> tuple[str, Any, Exception | None]:
    """Follows failing parts down to the last one: gives its path, the part itself and why it fails.

    >>> import pickle, threading
    >>> def attempt(part):
    ...     try: pickle.dumps(part)
    ...     except Exception as error: return error
    >>> path, part, error = find_culprit({"scale": [1, threading.Lock()]}, attempt)
    >>> path
    "model['scale'][1]"
    """
    path, part, error = "model", model, attempt(model)
    seen = {id(model)}
    tries = 0
    for _ in range(_MAX_DEPTH):
        for suffix, child in _children(part):
            if id(child) in seen or _is_plain(child) or tries >= _MAX_TRIES:
                continue
            seen.add(id(child))
            tries += 1
            failed = attempt(child)
            if failed is not None:
                path, part, error = path + suffix, child, failed
                break
        else:
            return path, part, error
    return path, part, error


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | bytes | type)


def _children(part: Any) -> Iterator[tuple[str, Any]]:
    """Gives what pickling an object pickles too, each with how it is written behind the object's own path."""
    if isinstance(part, dict):
        yield from ((f"[{key!r}]", value) for key, value in part.items())
    elif isinstance(part, list | tuple | set | frozenset):
        yield from ((f"[{index}]", value) for index, value in enumerate(part))
    elif isinstance(part, functools.partial):
        yield from ((".func", part.func), (".args", part.args), (".keywords", part.keywords))
    elif isinstance(part, types.MethodType):
        yield ".__self__", part.__self__
    elif isinstance(part, types.FunctionType):
        yield from _captured(part)
    else:
        yield from _state(part)


def _captured(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function that is stored by value takes along: closed-over names, and globals it uses."""
    try:
        found = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return
    for name, value in {**found.nonlocals, **found.globals}.items():
        yield f".<{name}>", value


def _state(part: Any) -> Iterator[tuple[str, Any]]:
    try:
        reduced = part.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - whatever refuses to say how it is pickled is looked into by its attributes
        reduced = None
    state = reduced[2] if isinstance(reduced, tuple) and len(reduced) > 2 else None
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
        state = {**(state[0] or {}), **state[1]} if isinstance(state[0], dict | None) else state
    if state is None:
        state = getattr(part, "__dict__", None)
    if isinstance(state, dict):
        yield from ((f".{key}" if str(key).isidentifier() else f"[{key!r}]", value) for key, value in state.items())
    elif isinstance(state, tuple | list):
        yield from ((f".<state>[{index}]", value) for index, value in enumerate(state))
    if isinstance(reduced, tuple) and len(reduced) > 1 and isinstance(reduced[1], tuple):
        yield from ((f".<argument {index}>", value) for index, value in enumerate(reduced[1]))


def what_it_is(part: Any) -> tuple[str, str]:
    """Says in words what a part that cannot be pickled is, and what to do about it."""
    kind = type(part)
    if isinstance(part, types.FunctionType):
        name = "a lambda" if part.__name__ == "<lambda>" else f"the function {part.__qualname__}, which only exists inside another"
        return name, "write it with def at the top of a .py file and pass code=[…], or pip install cloudpickle"
    if isinstance(part, types.GeneratorType) or (hasattr(part, "__next__") and not isinstance(part, io.IOBase)):
        return f"a {kind.__name__}", "keep its values in a list, or make it anew in predict()"
    if isinstance(part, io.IOBase) or hasattr(part, "fileno"):
        named = getattr(part, "name", None)
        return f"an open file ({named})" if isinstance(named, str) else f"an open {kind.__name__}", _leave_out("open it when it is needed")
    if kind.__module__ in {"_thread", "threading", "multiprocessing.synchronize", "asyncio.locks"}:
        return f"a lock ({kind.__module__}.{kind.__qualname__})", _leave_out("make a new one in __setstate__")
    if isinstance(part, types.ModuleType):
        return f"the module {part.__name__}", "import it inside the method that uses it, not into an attribute"
    if "<locals>" in kind.__qualname__:
        return f"an object of the local class {kind.__qualname__}", "move the class to the top of a .py file, or pip install cloudpickle"
    return f"a {kind.__module__}.{kind.__qualname__}", _leave_out("make it anew when it is needed")


def _leave_out(then: str) -> str:
    return f"leave it out of the pickle and {then}: def __getstate__(self): return {{**self.__dict__, 'name': None}}"
