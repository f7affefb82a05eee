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
    beside = {part.stem if part.is_file() else part.name for part in code}
    failed = _dump(pickle, model, path)
    modules = frozenset() if failed else _modules(path)
    local = _local(path, modules) - beside if not failed else {"__main__"}
    if not local:
        return modules, ()
    cloudpickle = find_cloudpickle()
    if cloudpickle is None:
        raise InvalidPackage(
            f"the {type(model).__name__} holds code that only exists here ({_named(local, failed)}), so it would not load elsewhere",
            code="invalid-package",
            hint="pip install cloudpickle   (or move the code to a file and pass code=[…])",
        )
    with by_value(cloudpickle, local):
        failed = _dump(cloudpickle, model, path)
    if failed:
        raise InvalidPackage(f"the {type(model).__name__} cannot be pickled: {failed}", code="invalid-package")
    notice = f"code that only exists here is stored inside the pickle: {', '.join(sorted(local))}"
    return _modules(path), (notice,)


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


def _local(path: Path, modules: frozenset[str]) -> set[str]:
    main = {"__main__"} if any(module in {"__main__", "__mp_main__"} for module, _ in pickle_globals(path)) else set()
    return split_modules(modules)[1] | main


def _named(local: set[str], failed: str | None) -> str:
    return failed or ", ".join(sorted(local))


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
