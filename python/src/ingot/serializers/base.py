"""What a serializer is: turns a fitted object into files, and says what these files do and need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Saved:
    """What :meth:`Serializer.save` wrote into the package directory."""

    #: Decides what loads it: ``sklearn``, ``xgboost``, …, ``python`` for a package with an interface.py; any other name is
    #: that of an entry point of the group ``ingot.flavors``.
    flavor: str
    #: Top-level modules that loading the files imports.
    modules: frozenset[str] = frozenset()
    #: Whether loading executes code, and why: shown to whoever decides to trust the version.
    executes_code: bool = False
    reason: str | None = None
    #: What ``predict`` takes: ``dataframe``, ``array``, ``rows``, ``texts`` or ``tensors``.
    takes: str | None = None
    #: The object that was saved, where it differs from the one given (the best estimator of a search).
    model: Any = None
    #: Things the user should know.
    notices: tuple[str, ...] = ()
    #: What ``flavor.json`` says beside the flavor: ``artifact``, ``class``, ``input`` and the flavor's own keys. Without it
    #: no such file is written.
    description: Mapping[str, Any] = field(default_factory=dict)
    #: Hyperparameters that the object tells in its own way (``Booster.save_config``).
    params: Mapping[str, Any] = field(default_factory=dict)
    #: Numbers that training left in the object (``best_score``).
    metrics: Mapping[str, float] = field(default_factory=dict)
    #: References or addresses of the models this one was made from (the base of an adapter).
    parents: tuple[str, ...] = ()
    #: Of several models: what was saved of the one that ``predict`` asks.
    main: Saved | None = None


@runtime_checkable
class Serializer(Protocol):
    """Saves objects of some kinds. Offered to :func:`ingot.push` by an entry point of the group ``ingot.serializers``.

    The name of the entry point is what ``push(serializer="…")`` takes. What loads the files again is the module that the
    same distribution offers as an entry point of the group ``ingot.flavors``, with the functions ``load(root, description)``
    and ``predictor(native, description)``; :func:`ingot.testing.check_serializer` tries both.

    >>> class AbacusSerializer:
    ...     name, unsafe = "abacus", False
    ...     def can_handle(self, model): return type(model).__module__.partition(".")[0] == "abacus"
    ...     def save(self, model, directory, *, data=None, code=()):
    ...         (directory / "beads.txt").write_text(str(model.beads))
    ...         return Saved(flavor="abacus", takes="rows", description={"artifact": "beads.txt"})
    ...     def pip_names(self, model): return []
    >>> isinstance(AbacusSerializer(), Serializer)
    True
    """

    name: str
    #: Whether loading what it writes executes code from the package.
    unsafe: bool

    def can_handle(self, model: Any) -> bool:
        """Says whether it saves this object, without importing the framework to find out."""
        ...

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the object's files into an empty directory. ``data`` is ``X`` of the push, ``code`` the files beside it."""
        ...

    def pip_names(self, model: Any) -> list[str]:
        """Names distributions that loading needs beside those of the imported modules (``["onnxruntime"]``)."""
        ...
