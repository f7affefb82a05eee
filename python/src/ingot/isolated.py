"""A model that runs in an environment of its own and is asked like one of this process."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import leases
from .errors import UsageError
from .isolation import IsolatedProcess
from .model import Model, ModelInfo


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
        process = IsolatedProcess(prepare)
        document = process.start()
        self._process = process
        self.info = ModelInfo.from_document(document)
        held = leases.hold(_places(document))
        self._finalizer = weakref.finalize(self, _close, process, held)

    @property
    def native(self) -> Any:
        """Is in another process: asking for it is an error that says so."""
        raise UsageError(
            f"the object of {self.info.ref} lives in another process, because it was loaded with env=\"isolated\"",
            code="usage",
            hint=f'ingot.load("{self.info.ref}").native',
        )

    @property
    def python(self) -> str:
        """Version of the Python that runs it: ``3.12.1``."""
        return str(self._process.loaded.get("python", ""))

    def close(self) -> None:
        """Ends its process. Calls after that are errors."""
        self._finalizer()

    def __getattr__(self, name: str) -> Any:
        process = self.__dict__.get("_process")
        if process is not None and name in process.loaded.get("methods", ()):
            return lambda rows: self._call(name, rows)
        raise AttributeError(f"the isolated model {self.__dict__.get('info')!r} has no {name!r}")

    def __repr__(self) -> str:
        return f"<Model {self.info.ref} {self.info.flavor} {self._process.loaded.get('kind', '')} in Python {self.python}>"

    def __reduce__(self) -> Any:
        raise TypeError(f'a model of env="isolated" cannot be pickled; load it again: ingot.load("{self.info.ref}", env="isolated")')

    def _call(self, method: str, rows: Any) -> Any:
        return self._process.call(method, rows)


def _close(process: IsolatedProcess, held: tuple[Path, ...]) -> None:
    process.close()
    leases.release(held)


def _places(document: Mapping[str, Any]) -> list[Path]:
    """The package and the environment in the cache."""
    return [Path(document["path"]).parent, Path(document["environment"]["python"]).parent.parent.parent]
