"""Rebuilds a module of torch from data: a tree that names classes and plain attributes, and a file of tensors.

``module.json`` holds one node a module::

    {"class": "torch.nn.modules.linear:Linear", "attributes": {"in_features": 4, "out_features": 2},
     "parameters": {"weight": {"tensor": "weight", "grad": true}, "bias": null}, "buffers": {}, "modules": {}}

A module that stands in two places is described once; elsewhere ``{"same": "encoder.0"}``. No constructor runs: attributes
are put back as they were, which is what unpickling a module does. What a file can name is bounded: classes of modules,
functions of torch that compute (never ``torch.load``), plain classes whose state is data; of the package's own source
file, or of installed distributions.
"""

from __future__ import annotations

import collections
import enum
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["COMPUTING", "STANDARD", "Malformed", "is_plain", "is_referable", "made_by_name", "may_be_named", "rebuild"]

#: Where functions that only compute live; their names, but for these, may be attributes of a module.
COMPUTING = ("torch", "torch.nn.functional", "torch._C._nn", "torch._C._special", "torch.special")
_NOT_COMPUTING = frozenset({"compile", "load", "save", "import_ir_module", "import_module"})
#: Keys that stand beside the one that says a value's form.
_BESIDE = ("class", "grad", "positional", "named")
#: What every module has beside its own attributes.
STANDARD = frozenset(
    """training _parameters _buffers _non_persistent_buffers_set _modules _backward_pre_hooks _backward_hooks
    _is_full_backward_hook _forward_hooks _forward_hooks_with_kwargs _forward_hooks_always_called _forward_pre_hooks
    _forward_pre_hooks_with_kwargs _state_dict_hooks _state_dict_pre_hooks _load_state_dict_pre_hooks
    _load_state_dict_post_hooks""".split()
)
#: Plain classes of the standard library whose objects are their attributes.
_NAMESPACES = frozenset({"types:SimpleNamespace", "argparse:Namespace"})
#: The only other classes of the standard library that a tree names: types of plain data.
_PLAIN = frozenset(f"builtins:{kind}" for kind in ("bool", "bytes", "complex", "dict", "float", "int", "list", "set", "str", "tuple"))
#: Where torch has classes that are parts of models. Its other modules trace, compile, load and run.
_OF_TORCH = ("torch.nn.", "torch.ao.nn.", "torch.optim.", "torch.distributions.")
#: Methods by which a class does more with its attributes than hold them.
_OWN_WAYS = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")


class Malformed(ValueError):
    """The tree names something that is no part of a model."""


def may_be_named(module: str, name: str) -> bool:
    """Says whether a tree may name this class: parts of models, and plain classes of installed packages; not what runs things."""
    top = module.partition(".")[0]
    if top == "torch":
        return module.startswith(_OF_TORCH)
    reference = f"{module}:{name}"
    return top not in sys.stdlib_module_names or reference in _NAMESPACES or reference in _PLAIN


def is_plain(kind: type) -> bool:
    """Says whether objects of a class are nothing but their attributes, so that they can be made without its code."""
    if f"{kind.__module__}:{kind.__qualname__}" in _NAMESPACES:
        return True
    usual = all(getattr(kind, name, None) is getattr(object, name, None) for name in _OWN_WAYS)
    acts = any(name in vars(base) for base in kind.__mro__ for name in ("__call__", "__del__"))
    return usual and not acts and kind.__new__ is object.__new__


def is_referable(kind: type) -> bool:
    """Says whether an attribute may be this class itself: a kind of module, optimizer or choice, or a type of plain data."""
    names = {f"{base.__module__}:{base.__qualname__}" for base in kind.__mro__}
    own = f"{kind.__module__}:{kind.__qualname__}"
    return own in _PLAIN or bool(names & {"torch.nn.modules.module:Module", "torch.optim.optimizer:Optimizer", "enum:Enum"})


def made_by_name(reference: str) -> bool:
    """Says whether a class may be made by its constructor, which is code: torch's own modules, and the package's source."""
    return reference.startswith((".:", "torch.nn."))


def rebuild(tree: Mapping[str, Any], tensors: Mapping[str, Any], source: Any = None) -> Any:
    """Gives the module that a tree describes. ``source`` is the package's own module of source code, where it has one."""
    return _Builder(tensors, source).module(tree, "")


def _parametrized(module: Any, names: Any) -> Any:
    """Makes weights computed from others again (``weight_norm``), as ``register_parametrization`` does."""
    if names:
        from torch.nn.utils import parametrize  # noqa: PLC0415

        parametrize._inject_new_class(module)
        for name in names:
            parametrize._inject_property(module, name)
    return module


class _Builder:
    def __init__(self, tensors: Mapping[str, Any], source: Any) -> None:
        self._tensors = tensors
        self._source = source
        self._modules: dict[str, Any] = {}
        self._parameters: dict[tuple[str, bool], Any] = {}

    def module(self, node: Mapping[str, Any] | None, path: str) -> Any:
        import torch  # noqa: PLC0415

        if node is None:
            return None
        if "same" in node:
            return self._modules[node["same"]]
        kind = self._class(node["class"])
        if not issubclass(kind, torch.nn.Module):
            raise Malformed(f"{node['class']} is no torch.nn.Module")
        made = kind.__new__(kind)
        torch.nn.Module.__init__(made)
        self._modules[path] = made
        for name, value in node.get("attributes", {}).items():
            self._check_attribute(kind, name, value)
            made.__dict__[name] = self.value(value)
        for name, found in node.get("parameters", {}).items():
            made._parameters[name] = self._parameter(found)
        for name, found in node.get("buffers", {}).items():
            made._buffers[name] = None if found is None else self._tensors[found["tensor"]]
        made._non_persistent_buffers_set = set(node.get("transient", ()))
        for name, child in node.get("modules", {}).items():
            made._modules[name] = self.module(child, f"{path}.{name}" if path else name)
        made.training = False
        if callable(getattr(made, "_init_flat_weights", None)):
            made._init_flat_weights()  # a recurrent net keeps its weights a second time, in a list
        return _parametrized(made, node.get("parametrized", ()))

    def _check_attribute(self, kind: type, name: str, value: Any) -> None:
        calls = isinstance(value, dict) and not {"reference", "partial", "object"}.isdisjoint(value)
        takes_over = name in STANDARD or (calls and callable(getattr(kind, name, None)))
        if takes_over or name.startswith("__"):
            raise Malformed(f"the attribute {name!r} of a {kind.__name__} is not data")

    def _parameter(self, found: Mapping[str, Any] | None) -> Any:
        import torch  # noqa: PLC0415

        if found is None:
            return None
        key = (found["tensor"], bool(found.get("grad", True)))
        if key not in self._parameters:
            data = self._tensors[key[0]]
            self._parameters[key] = torch.nn.Parameter(data, requires_grad=key[1])
        return self._parameters[key]

    def value(self, value: Any) -> Any:
        """Gives back one attribute."""
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        form, inner = next((key, item) for key, item in value.items() if key not in _BESIDE)
        decode: Callable[[Any, dict[str, Any]], Any] | None = getattr(self, f"_{form}_value", None)
        if decode is None:
            raise Malformed(f"a value of the form {form!r} is not known here; a newer Ingot wrote it")
        return decode(inner, value)

    def _float_value(self, inner: str, _: Any) -> float:
        return float(inner)

    def _tuple_value(self, inner: list[Any], _: Any) -> tuple[Any, ...]:
        return tuple(self.value(item) for item in inner)

    def _set_value(self, inner: list[Any], _: Any) -> set[Any]:
        return {self.value(item) for item in inner}

    def _size_value(self, inner: list[int], _: Any) -> Any:
        import torch  # noqa: PLC0415

        return torch.Size(inner)

    def _dtype_value(self, inner: str, _: Any) -> Any:
        import torch  # noqa: PLC0415

        found = getattr(torch, inner, None)
        if not isinstance(found, torch.dtype):
            raise Malformed(f"torch has no dtype {inner}")
        return found

    def _device_value(self, inner: str, _: Any) -> Any:
        import torch  # noqa: PLC0415

        return torch.device(inner)

    def _tensor_value(self, inner: str, whole: dict[str, Any]) -> Any:
        return self._parameter(whole) if "grad" in whole else self._tensors[inner]

    def _dict_value(self, inner: list[Any], whole: dict[str, Any]) -> Any:
        items = [(self.value(key), self.value(item)) for key, item in inner]
        name = whole.get("class")
        if name is None:
            return dict(items)
        kind = collections.OrderedDict if name == "collections:OrderedDict" else self._class(name)
        if not issubclass(kind, dict):
            raise Malformed(f"{name} is no dict")
        made = kind.__new__(kind)
        for key, item in items:
            dict.__setitem__(made, key, item)
        return made

    def _reference_value(self, inner: str, _: Any) -> Any:
        module, _, name = inner.partition(":")
        if module in COMPUTING:
            if name in _NOT_COMPUTING or "." in name:
                raise Malformed(f"{inner} does not compute")
            return getattr(importlib.import_module(module), name)
        kind = self._class(inner)
        if module != "." and not is_referable(kind):
            raise Malformed(f"{inner} is neither a kind of module nor a type of data")
        return kind

    def _partial_value(self, inner: str, whole: dict[str, Any]) -> Any:
        import functools  # noqa: PLC0415

        import torch  # noqa: PLC0415

        kind = self._class(inner)
        if not issubclass(kind, torch.nn.Module):
            raise Malformed(f"{inner} is no torch.nn.Module")
        return functools.partial(kind, *self.value(whole["positional"]), **self.value(whole["named"]))

    def _enum_value(self, inner: str, whole: dict[str, Any]) -> Any:
        kind = self._class(whole["class"], "enum")
        if not issubclass(kind, enum.Enum):
            raise Malformed(f"{whole['class']} is no Enum")
        return kind[inner]

    def _object_value(self, inner: dict[str, Any], whole: dict[str, Any]) -> Any:
        kind = self._class(whole["class"])
        if not is_plain(kind):
            raise Malformed(f"an object of {whole['class']} is more than its attributes")
        made = object.__new__(kind)
        for name, item in inner.items():
            object.__setattr__(made, name, self.value(item))
        return made

    def _class(self, reference: str, what: str = "") -> Any:
        module, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
        if module != "." and not all(part.isidentifier() for part in module.split(".")):
            raise Malformed(f"{reference!r} names no class")
        if module == ".":
            found: Any = self._source
        elif may_be_named(module, name):
            found = _imported(module, reference)
        elif what == "enum" and module in sys.modules:
            found = sys.modules[module]
        else:
            raise Malformed(f"{reference} is no part of a model")
        for part in name.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, type):
            raise Malformed(f"{reference} is no class")
        return found


def _imported(module: str, reference: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        # A package that is not installed is said as such; a name that is none is the tree's fault.
        if isinstance(problem, ModuleNotFoundError) and module.partition(".")[0] == problem.name:
            raise
        raise Malformed(f"{reference} cannot be imported: {problem}") from problem
