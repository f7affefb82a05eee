"""Writes pickles that load elsewhere: what only exists here (notebooks, local modules) is stored by value."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import InvalidPackage
from ..requirements import pickle_globals, split_modules, top_modules

PROTOCOL = 5
#: Where cloudpickle may be found: on its own, or the copy inside joblib, which scikit-learn brings.
_CLOUDPICKLES = ("cloudpickle", "joblib.externals.cloudpickle")


def write_pickle(model: Any, path: Path, *, code: Iterable[Path] = ()) -> tuple[frozenset[str], tuple[str, ...]]:
    """Pickles an object and gives the top-level modules that loading it imports, and what the user should know.

    :raises InvalidPackage: when it cannot be pickled, naming the class that refuses.
    """
    beside = {part.resolve().stem if part.is_file() else part.resolve().name for part in code}
    failed = _dump(pickle, model, path)
    local = set() if failed else _local(path) - beside
    if not failed and not local:
        return _modules(path), ()
    cloudpickle = find_cloudpickle()
    if cloudpickle is None:
        raise InvalidPackage(
            f"the {type(model).__name__} holds code that only exists here ({failed or _listed(local)}), so it would not load elsewhere",
            code="invalid-package",
            hint="pip install cloudpickle   (or move the code to a file and pass code=[…])",
        )
    stored = _dump_by_value(cloudpickle, model, path, local, beside)
    notice = f"code that only exists here is stored inside the pickle: {_listed(stored)}"
    return _modules(path), (notice,) if stored else ()


def _dump_by_value(cloudpickle: ModuleType, model: Any, path: Path, local: set[str], beside: set[str]) -> set[str]:
    """Writes the file with local modules inside; what these modules import from others may show only then."""
    stored: set[str] = set()
    while True:
        stored |= local
        with by_value(cloudpickle, stored):
            failed = _dump(cloudpickle, model, path)
        if failed:
            raise InvalidPackage(f"the {type(model).__name__} cannot be pickled: {failed}", code="invalid-package")
        local = _local(path) - beside
        if local <= stored:
            return stored


def _dump(pickler: Any, model: Any, path: Path) -> str | None:
    """Writes the file; gives what went wrong when the object cannot be pickled."""
    try:
        with path.open("wb") as file:
            pickler.dump(model, file, protocol=PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _modules(path: Path) -> frozenset[str]:
    return frozenset(top_modules(module for module, _ in pickle_globals(path)))


def _local(path: Path) -> set[str]:
    """Gives the top-level modules a pickle names that no installed distribution brings."""
    found = pickle_globals(path)
    main = {"__main__"} if any(module in {"__main__", "__mp_main__"} for module, _ in found) else set()
    return split_modules(top_modules(module for module, _ in found))[1] | main


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


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
