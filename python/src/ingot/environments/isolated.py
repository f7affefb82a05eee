"""A model that runs in an environment of its own and is asked like one of this process."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import EnvironmentMismatch, EnvironmentWarning, UsageError
from ..model import Model, ModelInfo
from ..telling import warn
from . import leases
from .check import holds_bytecode
from .isolation import IsolatedProcess


class _Elsewhere(UsageError, AttributeError):
    """What the object of an isolated model is asked for and only its own process has."""


class IsolatedModel(Model[Any, Any]):
    """A version in a process of its own, with exactly the packages (and the Python) it was made with.

    It takes and gives what :class:`ingot.Model` does: rows, DataFrames, arrays, sparse matrices, tensors. They travel as
    descriptions and raw bytes; nothing is unpickled on this side. The process ends with :meth:`close`, with the ``with``
    block, when the model is garbage, and with this process, however that ends. After a crash the next call starts it again.

    >>> with ingot.load("churn@production", env="isolated") as model:  # doctest: +SKIP
    ...     model.predict_proba(frame)
    """

    def __init__(self, prepare: Callable[[], Mapping[str, Any]]) -> None:
        if os.name != "posix":
            raise UsageError('env="isolated" needs Linux or macOS', code="usage", hint="ingot serve …")
        process = IsolatedProcess(lambda: _checked(prepare()))
        document = process.start()
        _warn_of_other_python(document)
        self._process = process
        self.info = ModelInfo.from_document(document)
        held = leases.hold(_places(document))
        self._finalizer = weakref.finalize(self, _close, process, held)

    @property
    def python(self) -> str:
        """Version of the Python that runs it: ``3.12.1``."""
        return str(self._process.loaded.get("python", ""))

    def close(self) -> None:
        """Ends its process. Calls after that are errors."""
        self._finalizer()

    def __getattr__(self, name: str) -> Any:
        process = self.__dict__.get("_process")
        if name == "native" and process is not None:
            raise _Elsewhere(
                f'the object of {self.info.ref} lives in another process, because it was loaded with env="isolated"',
                code="usage",
                hint=f'ingot.load("{self.info.ref}").native',
            )
        if process is not None and name in process.loaded.get("methods", ()):
            return lambda rows: self._call(name, rows)
        raise AttributeError(f"the isolated model {self.__dict__.get('info')!r} has no {name!r}")

    def __repr__(self) -> str:
        return f"<Model {self.info.ref} {self.info.flavor} {self._process.loaded.get('kind', '')} in Python {self.python}>"

    def __reduce__(self) -> Any:
        raise TypeError(f'a model of env="isolated" cannot be pickled; load it again: ingot.load("{self.info.ref}", env="isolated")')

    def _call(self, method: str, rows: Any) -> Any:
        return self._process.call(method, rows)


def _checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuses bytecode of a Python that the environment is not of: it would crash the process."""
    wanted, found = _pythons(document)
    package = document.get("package") or {}
    if wanted != found and holds_bytecode(Path(document["path"]), package.get("artifactPath")):
        raise EnvironmentMismatch(
            f"{document['model']}:{document['version']} holds functions compiled by Python {wanted}, and there is only Python {found}",
            code="environment-mismatch",
            hint=f"uv python install {wanted}",
        )
    return document


def _warn_of_other_python(document: Mapping[str, Any]) -> None:
    wanted, found = _pythons(document)
    if wanted != found:
        name = f"{document['model']}:{document['version']}"
        warn(EnvironmentWarning(f"{name} was made with Python {wanted} and runs in Python {found}   (uv python install {wanted})"))


def _pythons(document: Mapping[str, Any]) -> tuple[str, str]:
    """Gives the minor versions that the package was made with and that runs it; the same where it does not say."""
    found = ".".join(str(document["environment"]["version"]).split(".")[:2])
    wanted = ".".join(str((document.get("package") or {}).get("pythonVersion") or "").split(".")[:2])
    return wanted or found, found


def _close(process: IsolatedProcess, held: tuple[Path, ...]) -> None:
    process.close()
    leases.release(held)


def _places(document: Mapping[str, Any]) -> list[Path]:
    """The package and the environment in the cache."""
    return [Path(document["path"]).parent, Path(document["environment"]["python"]).parent.parent.parent]
