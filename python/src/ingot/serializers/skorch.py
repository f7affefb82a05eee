"""Saves skorch nets: the module as data, and the net as its class and parameters. What only training needs stays behind."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._worker.flavors._torch_tree import made_by_name
from ..errors import InvalidPackage
from ..kinds import plain
from .base import Saved
from .class_source import extract_classes
from .pickling import write_pickle
from .torch import SOURCE, STRUCTURE, WEIGHTS, class_name, moved, write_module
from .torch_tree import Unsayable, _Describer

#: Parameters that decide how a net is trained, not what it answers.
_OF_TRAINING = ("callbacks", "train_split", "iterator_train", "iterator_valid", "dataset", "optimizer", "warm_start", "torch_load_kwargs", "verbose", "device", "compile")


class SkorchSerializer:
    """NeuralNetClassifier, NeuralNetRegressor and other nets with one module."""

    name = "skorch"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """Any net of skorch."""
        return any(base.__module__ == "skorch.net" and base.__name__ == "NeuralNet" for base in type(model).__mro__)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes weights, tree and source like a module's; a pickle where data cannot say the net.

        :raises InvalidPackage: for a net that was not fitted.
        """
        if not getattr(model, "initialized_", False):
            raise InvalidPackage(
                f"this {type(model).__name__} is not fitted yet", code="invalid-package", hint="call net.fit(X, y) before ingot.push(net, …)"
            )
        try:
            return _save(model, directory, data, tuple(code))
        except Unsayable as why:
            return _save_pickle(model, directory, data, tuple(code), str(why))

    def pip_names(self, model: Any) -> list[str]:
        """skorch and what it runs on."""
        return ["skorch", "torch", "scikit-learn", "numpy", "safetensors"]


def _save(net: Any, directory: Path, data: Any, code: tuple[Path, ...]) -> Saved:
    describer = _Describer({part.resolve().stem if part.is_file() else part.resolve().name for part in code})
    describer.found.tree = describer.module(net.module_, "") or {}
    kept, left = _parameters(net)
    params = {name: describer.value(value, name) for name, value in kept.items()}
    said = {
        "class": describer.reference(type(net), "net"),
        "params": params,
        "learned": {"classes_inferred_": plain(net.classes_inferred_)} if hasattr(net, "classes_inferred_") else {},
    }
    _check_made(params)
    found = describer.found
    source = extract_classes(found.own.values())
    if found.own and source is None:
        raise Unsayable("", f"the source of {', '.join(sorted(found.own))} cannot be read, or refers to something that only exists here")
    modules = write_module(found, source, directory)
    notice = (f"what only training needs is not stored: {', '.join(left)}",) if left else ()
    return Saved(
        flavor="torch",
        modules=frozenset({*modules, "skorch", "sklearn"}),
        executes_code=bool(source or code),
        reason="it carries the source of its classes" if source or code else None,
        takes="array",
        notices=(*notice, *moved(found.devices)),
        description={
            "kind": "skorch",
            "artifact": WEIGHTS,
            "structure": STRUCTURE,
            **({"source": SOURCE} if source else {}),
            "class": class_name(net),
            "net": said,
            "input": "array",
            "dtype": _input_type(net, data),
        },
    )


def _parameters(net: Any) -> tuple[dict[str, Any], list[str]]:
    """Splits a net's own parameters into those that are stored and those that only training needs."""
    defaults = {
        name: item.default
        for base in type(net).__mro__
        for name, item in (inspect.signature(vars(base)["__init__"]).parameters.items() if "__init__" in vars(base) else ())
    }
    kept: dict[str, Any] = {}
    left: list[str] = []
    for name, value in net.get_params(deep=False).items():
        if name in defaults and (defaults[name] is value or _same(defaults[name], value)):
            continue
        training = name in _OF_TRAINING or name.startswith(("callbacks__", "iterator_", "dataset__", "optimizer__"))
        if training and name not in {"device", "verbose", "compile", "warm_start"}:
            left.append(name)
        elif not training:
            kept[name] = value
    kept["module"] = net.module if isinstance(net.module, type) else type(net.module_)
    return kept, left


def _check_made(params: dict[str, Any]) -> None:
    """What the net makes anew when it is loaded is made by constructors, which are code."""
    for name in ("module", "criterion"):
        said = params.get(name)
        reference = said.get("reference") if isinstance(said, dict) else None
        if said is not None and not (isinstance(reference, str) and made_by_name(reference)):
            raise Unsayable(name, f"the constructor of {reference or said} would run when it is loaded")


def _same(default: Any, value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and type(default) is type(value) and default == value


def _input_type(net: Any, data: Any) -> str:
    """What the net was fitted on; torch wants exactly that."""
    if data is not None and hasattr(data, "dtype"):
        return str(data.dtype).removeprefix("torch.")
    first = next((item for item in net.module_.parameters() if item.is_floating_point()), None)
    return "float32" if first is None else str(first.dtype).removeprefix("torch.")


def _save_pickle(net: Any, directory: Path, data: Any, code: tuple[Path, ...], why: str) -> Saved:
    modules, notices = write_pickle(net, directory / "model.pkl", code=code)
    said = f"this {type(net).__name__} is stored as a pickle, because data cannot say all of it: {why}"
    return Saved(
        flavor="sklearn",
        modules=modules,
        executes_code=True,
        reason="a pickle can run any code when it is loaded",
        takes="array",
        notices=(*notices, said),
    )
