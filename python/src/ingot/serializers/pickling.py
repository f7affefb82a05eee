"""Writes pickles that load elsewhere: what only exists here (notebooks, local modules) is stored by value."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ..environments.inner_imports import inner_imports
from ..environments.requirements import pickle_globals, split_modules, top_modules
from ..errors import InvalidPackage
from .culprit import find_culprit, what_it_is
from .holdings import check_holdings

PROTOCOL = 5
#: Where cloudpickle may be found: on its own, or the copy inside joblib, which scikit-learn brings.
_CLOUDPICKLES = ("cloudpickle", "joblib.externals.cloudpickle")


class Pickled(NamedTuple):
    """What a pickle imports when it is loaded (top-level modules), and what the user should know of it."""

    modules: frozenset[str]
    notices: tuple[str, ...]


def write_pickle(model: Any, path: Path, *, code: Iterable[Path] = (), holds: str | None = None) -> Pickled:
    """Pickles an object (protocol 5). What only exists here is stored by value where cloudpickle is installed.

    ``holds`` says of the training data inside what the caller knows better than what is found by looking for it.

    :raises InvalidPackage: when it cannot be pickled: names the part that refuses by its path (``model.steps[1][1].func``)
        and what to do; also for a tensor on a GPU.
    """
    found = check_holdings(model)
    held = found if holds is None or not found else (holds,)
    beside = {part.resolve().stem if part.is_file() else part.resolve().name for part in code}
    failed = _dump(pickle, model, path)
    local = set() if failed else _local(path) - beside
    if not failed and not local:
        return Pickled(_modules(path), held)
    cloudpickle = find_cloudpickle()
    if cloudpickle is None:
        raise _without_cloudpickle(model, failed, local)
    stored = _dump_by_value(cloudpickle, model, path, local, beside)
    notice = f"code that only exists here is stored inside the pickle: {_where(stored)}"
    inner = top_modules(inner_imports(model, stored)) - stored
    return Pickled(_modules(path) | inner, (notice, *held) if stored else held)


def _without_cloudpickle(model: Any, failed: Exception | None, local: set[str]) -> InvalidPackage:
    if failed is not None:
        return _refusal(model, pickle, failed)
    return InvalidPackage(
        f"the {type(model).__name__} holds code that only exists here ({_where(local)}), so it would not load elsewhere",
        code="invalid-package",
        hint="pip install cloudpickle   (or move the code to a file and pass code=[…])",
    )


def _refusal(model: Any, pickler: Any, failed: Exception) -> InvalidPackage:
    """Names the part that cannot be pickled, and what to do about it."""
    if isinstance(failed, RecursionError) or isinstance(failed.__cause__, RecursionError) or "recursion" in str(failed):
        return InvalidPackage(
            f"the {type(model).__name__} is nested too deeply to be pickled",
            code="invalid-package",
            hint="sys.setrecursionlimit(100_000) before pushing, and where it is loaded",
        )
    path, part, error = find_culprit(model, lambda part: _dump(pickler, part, None))
    what, advice = what_it_is(part)
    return InvalidPackage(
        f"{path} is {what}, which cannot be pickled ({type(error or failed).__name__}: {_first_line(error or failed)})",
        code="invalid-package",
        hint=advice,
        details={"path": path},
    )


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), "")[:200]


def _dump_by_value(cloudpickle: ModuleType, model: Any, path: Path, local: set[str], beside: set[str]) -> set[str]:
    """Writes the file with local modules inside; what these modules import from others may show only then."""
    stored: set[str] = set()
    while True:
        stored |= local
        with by_value(cloudpickle, stored):
            failed = _dump(cloudpickle, model, path)
            if failed is not None:
                raise _refusal(model, cloudpickle, failed) from failed
        local = _local(path) - beside
        if local <= stored:
            return stored


def _dump(pickler: Any, model: Any, path: Path | None) -> Exception | None:
    """Writes the file (nothing at all without a path); gives what went wrong when the object cannot be pickled."""
    try:
        if path is None:
            pickler.dump(model, _Nowhere(), protocol=PROTOCOL)
        else:
            with path.open("wb") as file:
                pickler.dump(model, file, protocol=PROTOCOL)
    except (OSError, MemoryError):  # the disk or the machine, not the object
        raise
    except Exception as error:  # noqa: BLE001 - an object may refuse with whatever its class raises
        return error
    return None


class _Nowhere:
    """Takes what is written and keeps nothing."""

    def write(self, data: Any) -> int:
        """Says that all was written."""
        return len(data) if isinstance(data, bytes) else memoryview(data).nbytes


def _modules(path: Path) -> frozenset[str]:
    return frozenset(top_modules(module for module, _ in pickle_globals(path)))


def _local(path: Path) -> set[str]:
    """Gives the top-level modules a pickle names that no installed distribution brings."""
    found = pickle_globals(path)
    main = {"__main__"} if any(module in {"__main__", "__mp_main__"} for module, _ in found) else set()
    return split_modules(top_modules(module for module, _ in found))[1] | main


def _where(modules: set[str]) -> str:
    """Names modules as their author knows them."""
    return ", ".join("this notebook or script" if name == "__main__" else name for name in sorted(modules))


def find_cloudpickle() -> ModuleType | None:
    """Gives cloudpickle or joblib's own copy of it, None where neither is installed."""
    for name in _CLOUDPICKLES:
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None


@contextlib.contextmanager
def by_value(cloudpickle: ModuleType, modules: Iterable[str]) -> Iterator[None]:
    """Makes cloudpickle store what these loaded modules define, where by default it would only name it."""
    roots = set(modules)
    marked = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in roots and name != "__main__"]
    marked = [module for module in marked if isinstance(module, ModuleType)]
    for module in marked:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in marked:
            cloudpickle.unregister_pickle_by_value(module)
