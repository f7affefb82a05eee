"""Writes a module as one pickle that loads elsewhere: its tensors on the CPU, code that only exists here inside."""

from __future__ import annotations

import importlib
import pickle
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from ..environments.requirements import pickle_globals, split_modules, top_modules
from ..errors import InvalidPackage
from .pickling import by_value, find_cloudpickle

_FAILURES = (pickle.PicklingError, TypeError, AttributeError, RuntimeError)


def write_torch_pickle(module: Any, path: Path, code: tuple[Path, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Writes ``torch.save(module)``; gives the modules that loading imports, and what the user should know.

    :raises InvalidPackage: when it cannot be pickled.
    """
    beside = {part.resolve().stem if part.is_file() else part.resolve().name for part in code}
    failed = _save(module, path, pickle)
    local = set() if failed else _local(path) - beside
    if not failed and not local:
        return imported_modules(path), ()
    cloudpickle = find_cloudpickle()
    if cloudpickle is None:
        raise InvalidPackage(
            f"the {type(module).__name__} holds code that only exists here ({failed or ', '.join(sorted(local))})",
            code="invalid-package",
            hint="pip install cloudpickle   (or move the code to a file and pass code=[…])",
        )
    with by_value(cloudpickle, local):
        again = _save(module, path, _for_torch(cloudpickle))
    if again:
        raise InvalidPackage(
            f"the {type(module).__name__} cannot be pickled: {again}",
            code="invalid-package",
            hint="take out what is no part of the model (loggers, open files, locks), or push module.state_dict()",
        )
    stored = ", ".join(sorted(local)) or "functions and classes made at run time"
    return imported_modules(path), (f"code that only exists here is stored inside the pickle: {stored}",)


def _save(module: Any, path: Path, pickler: Any) -> str | None:
    torch = importlib.import_module("torch")
    try:
        torch.save(module, path, pickle_module=pickler)
    except _FAILURES as error:
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return None


def _for_torch(cloudpickle: ModuleType) -> Any:
    """torch derives a class from a module's ``Pickler`` and gives it ``protocol`` by name."""
    made = ModuleType("cloudpickle_for_torch")
    made.__dict__.update(Pickler=cloudpickle.CloudPickler, dump=cloudpickle.dump, dumps=cloudpickle.dumps)
    return made


def _local(path: Path) -> set[str]:
    found = _globals(path)
    main = {"__main__"} if any(module in {"__main__", "__mp_main__"} for module, _ in found) else set()
    return split_modules(top_modules(module for module, _ in found))[1] | main


def imported_modules(path: Path) -> frozenset[str]:
    """Gives the top-level modules that loading a file of ``torch.save`` imports; nothing is loaded."""
    return frozenset(top_modules(module for module, _ in _globals(path)))


def _globals(path: Path) -> set[tuple[str, str]]:
    with zipfile.ZipFile(path) as archive, TemporaryDirectory(prefix="ingot-torch-") as scratch:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        found = pickle_globals(Path(archive.extract(name, scratch)))
    # Protocol 2, which torch writes, calls the built-in functions as Python 2 did.
    return {(module, name) for module, name in found if module != "__builtin__"}
