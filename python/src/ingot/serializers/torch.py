"""Saves modules of PyTorch: as data where that tells all, else as one pickle; TorchScript, exported programs, bare weights.

A module becomes ``model.safetensors`` with every parameter and buffer, and ``module.json``, which says what it is made of
(see ``torch_tree``). Classes of installed packages are named; the user's own travel as source, in ``model_code.py``.
Lightning modules are modules: their trainer stays behind, their hyperparameters are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..captured.tensor_data import arguments_of
from ..environments.requirements import top_modules
from ..errors import InvalidPackage
from ..kinds import is_array, is_dataframe, is_series, loaded, plain
from .base import Saved
from .class_source import extract_classes
from .tensor_file import can_hold, dtype_name, write_tensors
from .torch_tree import Described, Unsayable, describe

STRUCTURE = "module.json"
SOURCE = "model_code.py"
WEIGHTS = "model.safetensors"
#: Before this release a crafted checkpoint could run code even with ``weights_only=True`` (CVE-2026-24747).
SAFE_CHECKPOINTS = (2, 10)


class TorchSerializer:
    """What fits each object best; ``serializer="torch-pickle"`` always writes one pickle."""

    name = "torch"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """Modules (scripted ones, too), exported programs, and dicts of tensors."""
        return is_module(model) or _is_exported(model) or is_state_dict(model)

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the object; see the module's documentation for the files."""
        if is_state_dict(model):
            return _save_weights(model, directory)
        if _is_exported(model):
            return _save_exported(model, directory, data)
        if _is(model, "torch.jit._script", "ScriptModule"):
            return _save_scripted(model, directory, data)
        return save_module(model, directory, data, tuple(code))

    def pip_names(self, model: Any) -> list[str]:
        """PyTorch and what it is asked with."""
        return ["torch", "numpy"]


class TorchPickleSerializer:
    """One file as ``torch.save(model)`` writes it. Loading it executes what it holds."""

    name = "torch-pickle"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """Never by itself: only where it is asked for by name."""
        return False

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.pt``."""
        return save_pickle(model, directory, data, tuple(code))

    def pip_names(self, model: Any) -> list[str]:
        """PyTorch and what it is asked with."""
        return ["torch", "numpy"]


def is_module(model: Any) -> bool:
    """Says whether it is an object of a class that derives from ``torch.nn.Module``."""
    return not isinstance(model, type) and _is(model, "torch.nn.modules.module", "Module")


def is_state_dict(model: Any) -> bool:
    """Says whether it is a dict that holds tensors of torch, nested or not (a checkpoint)."""
    if not isinstance(model, Mapping) or not model or not all(isinstance(key, str) for key in model):
        return False
    return any(_is_tensor(value) or is_state_dict(value) for value in model.values())


def _is_tensor(value: Any) -> bool:
    return _is(value, "torch", "Tensor") or _is(value, "torch._tensor", "Tensor")


def _is_exported(model: Any) -> bool:
    return _is(model, "torch.export.exported_program", "ExportedProgram")


def _is(value: Any, module: str, name: str) -> bool:
    return any(base.__module__ == module and base.__name__ == name for base in type(value).__mro__)


def class_name(value: Any) -> str:
    """Gives the full name of a value's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def save_module(module: Any, directory: Path, data: Any, code: tuple[Path, ...]) -> Saved:
    """Writes a module as data where that tells all, else as a pickle, and says why."""
    module, unwrapped = unwrap(module)
    _check_values(module.state_dict())
    try:
        found, source = described(module, code)
    except Unsayable as why:
        saved = save_pickle(module, directory, data, code)
        notice = f"this {type(module).__name__} is stored as a pickle, because data cannot say all of it: {why}"
        return replace(saved, notices=(*saved.notices, *unwrapped, notice))
    modules = write_module(found, source, directory)
    return Saved(
        flavor="torch",
        modules=modules,
        executes_code=bool(source or code),
        reason="it carries the source of its classes" if source or code else None,
        takes=takes(data),
        model=module,
        notices=(*unwrapped, *moved(found.devices)),
        params=hyperparameters(module),
        description={
            "kind": "module",
            "artifact": WEIGHTS,
            "structure": STRUCTURE,
            **({"source": SOURCE} if source else {}),
            "class": class_name(module),
            **asked_with(module, data),
        },
    )


def unwrap(module: Any) -> tuple[Any, tuple[str, ...]]:
    """Takes a module out of ``torch.compile``, ``DataParallel`` or ``DistributedDataParallel``, and says so."""
    notices: list[str] = []
    for wrapper, inner in (("OptimizedModule", "_orig_mod"), ("DistributedDataParallel", "module"), ("DataParallel", "module")):
        if type(module).__name__ == wrapper and type(module).__module__.startswith("torch."):
            module = getattr(module, inner)
            notices.append(f"stored is the {type(module).__name__} inside the {wrapper}")
    return module, tuple(notices)


def described(module: Any, code: tuple[Path, ...]) -> tuple[Described, Any]:
    """Gives a module as data, and the source of the user's own classes, None where there are none.

    :raises Unsayable: where data cannot say it, or the source does not tell all.
    """
    beside = {part.resolve().stem if part.is_file() else part.resolve().name for part in code}
    found = describe(module, beside)
    source = extract_classes(found.own.values())
    if found.own and source is None:
        names = ", ".join(sorted(found.own))
        raise Unsayable("", f"the source of {names} refers to something that only exists here, or cannot be read")
    return found, source


def write_module(found: Described, source: Any, directory: Path) -> frozenset[str]:
    """Writes tensors, tree and source; gives the top-level modules that loading imports."""
    write_tensors(found.tensors, directory / WEIGHTS, {"format": "pt", **found.shared})
    tree = json.dumps(found.tree, indent=1, allow_nan=False)  # in the order of the module: a Sequential depends on it
    (directory / STRUCTURE).write_text(tree + "\n", encoding="utf-8")
    if source is not None:
        (directory / SOURCE).write_text(source.text, encoding="utf-8")
    imported = {*found.modules, *(source.modules if source is not None else ()), "torch", "safetensors"}
    return frozenset(top_modules(imported))


def save_pickle(module: Any, directory: Path, data: Any, code: tuple[Path, ...]) -> Saved:
    """Writes ``model.pt`` with ``torch.save``; code that only exists here is stored inside.

    :raises InvalidPackage: when it cannot be pickled, naming the attribute that refuses where torch tells it.
    """
    from .torch_pickle import write_torch_pickle

    _check_values(dict([*module.named_parameters(), *module.named_buffers()]) if is_module(module) else {})
    modules, notices = write_torch_pickle(module, directory / "model.pt", code)
    return Saved(
        flavor="torch",
        modules=frozenset({*modules, "torch"}),
        executes_code=True,
        reason="a pickle can run any code when it is loaded",
        takes=takes(data),
        notices=(*notices, *moved(_devices(module))),
        params=hyperparameters(module),
        description={"kind": "pickle", "artifact": "model.pt", "class": class_name(module), **asked_with(module, data)},
    )


def _save_scripted(module: Any, directory: Path, data: Any) -> Saved:
    import torch

    torch.jit.save(module, str(directory / "model.pt"))
    described_as = {"kind": "script", "artifact": "model.pt", "class": class_name(module)}
    return Saved(
        flavor="torch",
        modules=frozenset({"torch"}),
        executes_code=True,
        reason="TorchScript is a program, which runs when the model answers",
        takes=takes(data),
        notices=moved(_devices(module)),
        description={**described_as, "input": takes(data), **_dtypes(data), "arguments": _scripted_arguments(module)},
    )


def _scripted_arguments(module: Any) -> list[str]:
    try:
        return [argument.name for argument in module.forward.schema.arguments if argument.name != "self"]
    except (AttributeError, RuntimeError):
        return []


def _save_exported(program: Any, directory: Path, data: Any) -> Saved:
    import torch

    torch.export.save(program, str(directory / "model.pt2"))
    names = [str(name) for name in program.graph_signature.user_inputs]
    described_as = {"kind": "export", "artifact": "model.pt2", "class": class_name(program)}
    return Saved(
        flavor="torch",
        modules=frozenset({"torch"}),
        executes_code=True,
        reason="torch evaluates expressions and may unpickle constants of an exported program",
        takes=takes(data),
        description={**described_as, "input": takes(data), **_dtypes(data), "arguments": names},
    )


def _save_weights(weights: Mapping[str, Any], directory: Path) -> Saved:
    flat = all(_is_tensor(value) and can_hold(value) for value in weights.values())
    notice = "a dict of tensors has no architecture: it can be stored and loaded, but not served; push the module for that"
    _check_values(weights)
    kind = class_name(weights)
    if flat:
        kept, shared = _once(weights)
        write_tensors(kept, directory / WEIGHTS, {"format": "pt", **shared})
        devices = {value.device.type for value in weights.values()}
        return Saved(
            flavor="torch",
            modules=frozenset({"torch", "safetensors"}),
            takes="tensors",
            notices=(notice, *moved(devices)),
            description={
                "kind": "weights",
                "artifact": WEIGHTS,
                "class": kind,
                "input": "tensors",
                "order": list(weights),
                "shared": shared,
            },
        )
    import torch

    torch.save(weights, directory / "checkpoint.pt")
    _check_reads(directory / "checkpoint.pt")
    return Saved(
        flavor="torch",
        modules=frozenset({"torch"}),
        executes_code=torch_version() < SAFE_CHECKPOINTS,
        reason=f"torch {torch.__version__} can be made to run code by a checkpoint (CVE-2026-24747); 2.10 and later cannot"
        if torch_version() < SAFE_CHECKPOINTS
        else None,
        takes="tensors",
        notices=(notice,),
        description={"kind": "weights", "artifact": "checkpoint.pt", "class": kind, "input": "tensors"},
    )


def _check_values(weights: Mapping[str, Any]) -> None:
    """Refuses tensors that only have a shape.

    :raises InvalidPackage: naming the first.
    """
    empty = next((name for name, value in weights.items() if _is_tensor(value) and value.device.type == "meta"), None)
    if empty is not None:
        raise InvalidPackage(
            f"{empty} is on the meta device: it has a shape and no values, so there is nothing to store",
            code="invalid-package",
            hint="load the weights first, then push the model",
        )


def _check_reads(path: Path) -> None:
    import pickle

    import torch

    try:
        torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidPackage(
            f"the checkpoint holds more than tensors and plain values: {str(error).splitlines()[0]}",
            code="invalid-package",
            hint="keep tensors, numbers, texts, lists and dicts in it; push the module itself as a model of its own",
        ) from error


def _once(weights: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Splits a dict into tensors to store and further names of the same memory."""
    kept: dict[str, Any] = {}
    places: dict[tuple[Any, ...], str] = {}
    shared: dict[str, str] = {}
    for name, tensor in weights.items():
        place = (tensor.device, tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)
        if tensor.numel() and place in places:
            shared[name] = places[place]
        else:
            places[place] = name
            kept[name] = tensor
    return kept, shared


def torch_version() -> tuple[int, int]:
    """Gives major and minor version of the torch that is imported; (0, 0) where there is none."""
    text = str(getattr(loaded("torch"), "__version__", "0.0"))
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def moved(devices: Iterable[str]) -> tuple[str, ...]:
    """Says that a model on a GPU was stored from a copy on the CPU."""
    others = sorted(set(devices) - {"cpu"})
    return (f"the model is on {', '.join(others)}; what is stored loads on the CPU, your own object stays where it is",) if others else ()


def _devices(module: Any) -> set[str]:
    return {item.device.type for part in (module.parameters(), module.buffers()) for item in part}


def takes(data: Any) -> str:
    """Says what a module is asked with: ``array`` for columns of numbers, else ``tensors``."""
    listed = isinstance(data, list) and bool(data) and isinstance(data[0], Mapping)
    return "array" if is_dataframe(data) or listed else "tensors"


def asked_with(module: Any, data: Any) -> dict[str, Any]:
    """Says how a module is asked: kind of input, types of whole numbers, names of forward's arguments."""
    return {"input": takes(data), **_dtypes(data), **_as_dict(module, data)}


def _as_dict(module: Any, data: Any) -> dict[str, Any]:
    """Says that ``forward`` takes one dict, where X is a dict that its only argument has to be."""
    needed, names = arguments_of(module)
    if not isinstance(data, Mapping) or len(needed) != 1 or set(data) & set(names):
        return {}
    return {"dict": [str(name) for name in data]}


def _dtypes(data: Any) -> dict[str, Any]:
    if isinstance(data, Mapping):
        named = {str(key): found for key, value in data.items() if (found := _whole(value)) is not None}
        return {"dtype": named} if named else {}
    found = _whole(data)
    return {"dtype": found} if found is not None else {}


def _whole(data: Any) -> str | None:
    """Gives the element type of data that is no floating-point: those follow the weights."""
    if not (is_array(data) or is_series(data) or _is_tensor(data)):
        return None
    name = dtype_name(data)
    return name if name.startswith(("int", "uint", "complex")) else None


def hyperparameters(module: Any) -> dict[str, Any]:
    """Gives what a Lightning module saved by ``save_hyperparameters``; empty for any other."""
    known = getattr(module, "_hparams", None)
    if not isinstance(known, Mapping):
        return {}
    said = {str(key): value for key, value in known.items()}
    return {key: plain(value) for key, value in said.items() if value is None or isinstance(value, bool | int | float | str | list | tuple)}
