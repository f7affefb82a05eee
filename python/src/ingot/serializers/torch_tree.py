"""Describes a module of torch as data: which classes it is made of, their plain attributes, and where the tensors are.

The other half, which builds the module again, is ``_worker/flavors/_torch_tree.py``. Nothing here calls the user's code.
What cannot be said raises :class:`Unsayable` with the path of the attribute.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from .._worker.flavors._torch_tree import COMPUTING, STANDARD, is_plain, is_referable, may_be_named
from ..environments.requirements import split_modules, top_modules
from .tensor_file import can_hold, dtype_name

#: What a Lightning module holds while it is trained, and what it is without a trainer.
_OF_TRAINING: dict[str, Any] = {
    "_trainer": None,
    "_fabric": None,
    "_fabric_optimizers": [],
    "_param_requires_grad_state": {},
    "_compiler_ctx": None,
    "_current_fx_name": None,
    "_device_mesh": None,
}
#: What a recurrent net makes again from its parameters.
_SECOND_HAND = frozenset({"_flat_weights", "_flat_weight_refs"})
_LIGHTNING = ("lightning", "pytorch_lightning")


class Unsayable(Exception):
    """Something in the module that data cannot say: ``path`` says where, the message what."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}" if path else why)
        self.path = path


@dataclass
class Described:
    """A module as data."""

    tree: dict[str, Any] = field(default_factory=dict)
    #: Every tensor once, by the name it is stored under.
    tensors: dict[str, Any] = field(default_factory=dict)
    #: Other names of the tensors, as ``state_dict`` has them: name to the name it is stored under.
    shared: dict[str, str] = field(default_factory=dict)
    #: Top-level modules that the classes come from.
    modules: set[str] = field(default_factory=set)
    #: The user's own classes, which are in no installed package: these need source code.
    own: dict[str, type] = field(default_factory=dict)
    #: Whether a tensor lay on another device than the CPU.
    devices: set[str] = field(default_factory=set)


def describe(module: Any, beside: Iterable[str] = ()) -> Described:
    """Describes a module. ``beside`` names the modules of the user's that are stored with the package.

    :raises Unsayable: for hooks, open files, functions of the user's, classes made at run time, sparse tensors, …
    """
    describer = _Describer(set(beside))
    describer.found.tree = describer.module(module, "") or {}
    return describer.found


class _Describer:
    def __init__(self, beside: set[str]) -> None:
        self.found = Described()
        self._beside = beside
        self._seen: dict[int, str] = {}
        self._stored: dict[tuple[Any, ...], str] = {}
        self._alive: list[Any] = []
        self._inside: list[int] = []

    def module(self, module: Any, path: str) -> dict[str, Any] | None:
        if module is None:
            return None
        if id(module) in self._seen:
            return {"same": self._seen[id(module)]}
        self._seen[id(module)] = path
        _check_plain(module, path)
        inside = f"{path}." if path else ""
        kind, computed = _before_parametrizations(module)
        node: dict[str, Any] = {"class": self.reference(kind, path)}
        attributes = {name: self.value(value, f"{inside}{name}") for name, value in _attributes(module)}
        parts: dict[str, Any] = {
            "attributes": attributes,
            "parameters": {name: self._parameter(item, f"{inside}{name}") for name, item in module._parameters.items()},
            "buffers": {name: self._buffer(item, f"{inside}{name}") for name, item in module._buffers.items()},
            "transient": sorted(module._non_persistent_buffers_set),
            "modules": {name: self.module(item, f"{inside}{name}") for name, item in module._modules.items()},
        }
        if computed:
            parts["parametrized"] = computed
        return {**node, **{key: part for key, part in parts.items() if part}}

    def _parameter(self, parameter: Any, path: str) -> dict[str, Any] | None:
        if parameter is None:
            return None
        if type(parameter).__name__ not in {"Parameter", "Buffer"}:
            raise Unsayable(path, f"a parameter of the class {type(parameter).__name__}")
        return {"tensor": self.tensor(parameter, path), "grad": bool(parameter.requires_grad)}

    def _buffer(self, buffer: Any, path: str) -> dict[str, Any] | None:
        return None if buffer is None else {"tensor": self.tensor(buffer, path)}

    def tensor(self, tensor: Any, path: str) -> str:
        """Notes a tensor; the same memory is stored once."""
        if not can_hold(tensor):
            raise Unsayable(path, f"a tensor of {dtype_name(tensor)} ({tensor.layout}, on {tensor.device}) has no place in safetensors")
        self.found.devices.add(tensor.device.type)
        place = (tensor.device, tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)
        known = self._stored.get(place) if tensor.numel() else None
        if known is None:
            self._stored[place] = path
            self.found.tensors[path] = tensor
            return path
        if known != path:
            self.found.shared[path] = known
        return known

    def value(self, value: Any, path: str) -> Any:
        """Says one attribute as JSON can."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if id(value) in self._inside:
            raise Unsayable(path, "it holds itself")
        self._inside.append(id(value))
        try:
            return self._composed(value, path)
        finally:
            self._inside.pop()

    def _composed(self, value: Any, path: str) -> Any:
        kind = type(value)
        if kind in (list, tuple, set):
            listed = [self.value(item, f"{path}[{index}]") for index, item in enumerate(_in_order(value))]
            return listed if kind is list else {kind.__name__: listed}
        if isinstance(value, dict):
            return self._dict(value, path)
        if isinstance(value, enum.Enum):
            return {"enum": value.name, "class": self.reference(kind, path)}
        if _is_from_torch(kind):
            return self._of_torch(value, path)
        if kind is functools.partial:
            return self._partial(value, path)
        if isinstance(value, type) or callable(value) and not _is_object(value):
            return {"reference": self._function(value, path)}
        if _is_object(value):
            inside = {name: self.value(item, f"{path}.{name}") for name, item in vars(value).items()}
            return {"object": inside, "class": self.reference(kind, path)}
        raise Unsayable(path, f"a {kind.__module__}.{kind.__qualname__} is no plain data")

    def _dict(self, value: Mapping[Any, Any], path: str) -> dict[str, Any]:
        items = [[self.value(key, path), self.value(item, f"{path}[{key!r}]")] for key, item in value.items()]
        if type(value) is dict:
            return {"dict": items}
        if vars(value) if hasattr(value, "__dict__") else False:
            raise Unsayable(path, f"a {type(value).__name__} with attributes of its own")
        if hasattr(value, "default_factory"):
            raise Unsayable(path, "a defaultdict")
        name = "collections:OrderedDict" if type(value) is OrderedDict else self.reference(type(value), path)
        return {"dict": items, "class": name}

    def _of_torch(self, value: Any, path: str) -> dict[str, Any]:
        import torch

        if isinstance(value, torch.nn.Module):
            raise Unsayable(path, "a module in a plain list or dict; use torch.nn.ModuleList or ModuleDict")
        if isinstance(value, torch.nn.Parameter):
            return {"tensor": self.tensor(value, path), "grad": bool(value.requires_grad)}
        if type(value) is torch.Tensor:
            return {"tensor": self.tensor(value, path)}
        if isinstance(value, torch.Size):
            return {"size": list(value)}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": "cpu"}
        raise Unsayable(path, f"a torch {type(value).__name__} is no plain data")

    def _partial(self, value: Any, path: str) -> dict[str, Any]:
        import torch

        if not (isinstance(value.func, type) and issubclass(value.func, torch.nn.Module)):
            raise Unsayable(path, "a functools.partial of a function")
        positional, named = self.value(list(value.args), path), self.value(dict(value.keywords), path)
        return {"partial": self.reference(value.func, path), "positional": positional, "named": named}

    def _function(self, value: Any, path: str) -> str:
        if isinstance(value, type):
            named = self.reference(value, path)
            if not (named.startswith(".:") or is_referable(value)):
                raise Unsayable(path, f"the class {value.__module__}.{value.__qualname__} is neither a kind of module nor a type of data")
            return named
        name = _computing(value)
        if name is None:
            raise Unsayable(path, f"the function {getattr(value, '__qualname__', type(value).__name__)}")
        return name

    def reference(self, kind: type, path: str) -> str:
        """Names a class as ``module:Class``; ``.:Class`` where it only exists in the user's own code."""
        module, name = kind.__module__, kind.__qualname__
        if "<" in name:
            raise Unsayable(path, f"the class {name} is defined inside a function")
        top = module.partition(".")[0]
        own = top in {"__main__", "__mp_main__"} or bool(split_modules(top_modules([module]))[1] - self._beside)
        if own:
            if "." in name or self.found.own.setdefault(name, kind) is not kind:
                raise Unsayable(path, f"the class {name} is not told apart by its name")
            return f".:{name}"
        if _find(module, name) is not kind:
            raise Unsayable(path, f"the class {module}.{name} cannot be imported by its name")
        if not (may_be_named(module, name) or issubclass(kind, enum.Enum)):
            raise Unsayable(path, f"the class {module}.{name} is no part of a model")
        self.found.modules.add(module)
        return f"{module}:{name}"


def _attributes(module: Any) -> list[tuple[str, Any]]:
    lightning = any(base.__module__.partition(".")[0] in _LIGHTNING for base in type(module).__mro__)
    own = [(name, value) for name, value in vars(module).items() if name not in STANDARD and name not in _SECOND_HAND]
    return [(name, _OF_TRAINING.get(name, value) if lightning else value) for name, value in own]


def _check_plain(module: Any, path: str) -> None:
    kind, _ = _before_parametrizations(module)
    for name, value in vars(module).items():
        if name.endswith("_hooks") and name in STANDARD and not all(_is_torchs(hook) for hook in value.values()):
            raise Unsayable(path, f"a {kind.__name__} with hooks ({name.strip('_')})")
    if hasattr(module, "_infer_parameters") and hasattr(module, "has_uninitialized_params") and module.has_uninitialized_params():
        raise Unsayable(path, f"a {kind.__name__} that never saw data has no weights yet")
    for name in ("__reduce__", "__reduce_ex__", *(["__getstate__"] if hasattr(kind, "__getstate__") else [])):
        if not _is_usual(kind, name):
            raise Unsayable(path, f"a {kind.__name__} says by {name} how it is pickled")


def _before_parametrizations(module: Any) -> tuple[type, list[str]]:
    """Gives the class as it was written, and the names of weights that are computed from others (``weight_norm``)."""
    import torch

    if not torch.nn.utils.parametrize.is_parametrized(module):
        return type(module), []
    return torch.nn.utils.parametrize.type_before_parametrizations(module), list(module.parametrizations)


def _is_usual(kind: type, method: str) -> bool:
    """Says whether a class is pickled as every module is: a recurrent net and Lightning only leave things out."""
    owner = next(base.__module__ for base in kind.__mro__ if method in vars(base))
    return owner in {"builtins", "torch.nn.modules.module", "torch.nn.modules.rnn"} or owner.partition(".")[0] in _LIGHTNING


def _is_torchs(hook: Any) -> bool:
    """Hooks of torch's own that read older state dicts do nothing to answers."""
    return str(getattr(hook, "__module__", "")).startswith("torch.nn.utils.")


def _in_order(value: Any) -> Any:
    return sorted(value, key=repr) if isinstance(value, set) else value


def _is_from_torch(kind: type) -> bool:
    return any(base.__module__.partition(".")[0] == "torch" for base in kind.__mro__) and not dataclasses.is_dataclass(kind)


def _is_object(value: Any) -> bool:
    """Says whether an object is nothing but its attributes: what pickle would keep of it by default."""
    kind: Any = type(value)
    if isinstance(value, type | FunctionType) or not hasattr(value, "__dict__") or callable(value):
        return False
    if any("__slots__" in vars(base) and vars(base)["__slots__"] for base in kind.__mro__):
        return False
    return is_plain(kind)


def _computing(function: Any) -> str | None:
    """Gives the name of one of torch's own functions, None for any other."""
    name = getattr(function, "__name__", None)
    if not isinstance(name, str):
        return None
    return next((f"{module}:{name}" for module in COMPUTING if _find(module, name) is function), None)


def _find(module: str, name: str) -> Any:
    import sys

    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


