"""PyTorch: modules (data and a tree, or one pickle), TorchScript, exported programs, skorch nets, and bare weights.

``flavor.json`` says by ``kind`` what the artifact is; without it the artifact itself tells:

``module``
    ``artifact`` is a safetensors file with every tensor, ``structure`` the tree that :mod:`._torch_tree` rebuilds,
    ``source`` the file with the user's own classes, where there are some.
``skorch``
    The same for the net's module; ``net`` describes the net itself.
``pickle``, ``script``, ``export``
    What ``torch.save(model)``, ``torch.jit.save`` and ``torch.export.save`` write.
``weights``
    A dict of tensors (safetensors), or a checkpoint, read with ``weights_only=True``. It answers nothing.

A model stands on the CPU and in evaluation mode after loading; it is asked without gradients.
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import flavors
from . import InvalidPackage, existing
from ._documents import read_json
from ._tensors import Asked

__all__ = ["OF_TRAINING", "load", "predictor"]

#: Parameters of a skorch net that decide how it is trained, not what it answers.
OF_TRAINING = ("callbacks", "train_split", "iterator_train", "iterator_valid", "dataset", "optimizer", "torch_load_kwargs", "compile")


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the module, script module, exported program, net, or dict of tensors.

    Raises InvalidPackage for a file that is none of these.
    """
    artifact = existing(root, description["artifact"])
    kind = description.get("kind") or _kind_of(artifact)
    if kind in ("module", "skorch"):
        module = _rebuilt(root, artifact, description)
        return module if kind == "module" else _net(module, root, description)
    if kind == "weights":
        return _weights(artifact, description)
    import torch  # noqa: PLC0415

    if kind == "script":
        return torch.jit.load(str(artifact), map_location="cpu").eval()
    if kind == "export":
        return torch.export.load(str(artifact))
    if kind == "pickle":
        return _unpickled(root, artifact)
    raise InvalidPackage(f"flavor.json names the kind {kind!r} of a torch model, which is not known here")


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers arrays (``array``: rows of numbers; ``tensors``: one array, or a dict of them by argument)."""
    if description.get("kind") == "skorch":
        return _AskedNet(native, description)
    if hasattr(native, "graph_module") and callable(getattr(native, "module", None)):
        return Asked(native.module(), description)
    if callable(native):
        return Asked(native, description)
    return _OnlyWeights(description)


class _OnlyWeights:
    """Stands for a dict of tensors, which cannot answer."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.ingot_input = "tensors"
        #: A server refuses to load what cannot answer.
        self.ingot_unanswering = (
            f"{description.get('artifact')} holds weights and no architecture, so nothing can be computed with it; push the "
            "module itself from Python, or export it: torch.export.save(torch.export.export(model, example), 'model.pt2')"
        )

    def predict(self, data: Any) -> Any:
        """Says that weights alone answer nothing."""
        raise InvalidPackage(self.ingot_unanswering)


def _kind_of(artifact: Path) -> str:
    if artifact.suffix == ".safetensors":
        return "weights"
    if artifact.suffix == ".pt2":
        return "export"
    if artifact.is_file() and zipfile.is_zipfile(artifact):
        with zipfile.ZipFile(artifact) as archive:
            names = archive.namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            return "script"
        if any(name.endswith("archive_format") for name in names):
            return "export"
    return "weights"


def _weights(artifact: Path, description: Mapping[str, Any]) -> Any:
    if artifact.suffix == ".safetensors":
        tensors = read_tensors(artifact)
        shared = {str(name): str(kept) for name, kept in (description.get("shared") or {}).items()}
        everything = {**tensors, **{name: tensors[kept] for name, kept in shared.items()}}
        order = description.get("order") or list(everything)
        ordered = {name: everything[name] for name in order}
        if description.get("class") != "collections.OrderedDict":
            return ordered
        import collections  # noqa: PLC0415

        return collections.OrderedDict(ordered)
    import pickle  # noqa: PLC0415

    import torch  # noqa: PLC0415

    try:
        return torch.load(artifact, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(artifact))
    except pickle.UnpicklingError:
        if description.get("kind") == "weights":
            raise
        return _unpickled(artifact.parent, artifact)


def _unpickled(root: Path, artifact: Path) -> Any:
    import torch  # noqa: PLC0415

    from ..loading import allow_imports_from  # noqa: PLC0415

    allow_imports_from(root)
    made = torch.load(artifact, map_location="cpu", weights_only=False)
    return made.eval() if hasattr(made, "eval") else made


def read_tensors(artifact: Path) -> dict[str, Any]:
    """Gives the tensors of a safetensors file; they are mapped, so that only what is used is read."""
    from safetensors.torch import load_file  # noqa: PLC0415

    # What state_dict() gives.
    return OrderedDict(load_file(str(artifact)))


def _rebuilt(root: Path, artifact: Path, description: Mapping[str, Any]) -> Any:
    from ._torch_tree import Malformed, rebuild  # noqa: PLC0415

    structure = existing(root, description.get("structure", "module.json"))
    try:
        tree = read_json(structure)
        return rebuild(tree, read_tensors(artifact), own_source(root, description))
    except (Malformed, KeyError, TypeError, AttributeError, StopIteration, RecursionError) as problem:
        raise InvalidPackage(f"{structure.name} does not describe the module: {problem}") from problem


def own_source(root: Path, description: Mapping[str, Any]) -> Any:
    """Gives the user's own classes: those of this process where they are the same, else the package's file, imported.

    None where the package has no such file.
    """
    from ..loading import _import_file, allow_imports_from  # noqa: PLC0415

    allow_imports_from(root)
    source = description.get("source")
    if source is None:
        return None
    if flavors.live_classes is not None:
        here = flavors.live_classes(existing(root, source).read_text("utf-8"), str(description.get("class", "")))
        if here is not None:
            return here
    return _import_file(root, source)


def _net(module: Any, root: Path, description: Mapping[str, Any]) -> Any:
    from ._torch_tree import Malformed, _Builder  # noqa: PLC0415

    builder = _Builder({}, own_source(root, description))
    try:
        said = description["net"]
        kind = builder._class(said["class"])
        _check_net(kind, said["params"])
        params = {name: builder.value(value) for name, value in said["params"].items()}
    except (Malformed, KeyError, TypeError, AttributeError) as problem:
        raise InvalidPackage(f"flavor.json does not describe the net: {problem}") from problem
    net = kind(**params)
    net.initialize()
    net.module_.load_state_dict(module.state_dict())
    net.module_.eval()
    for name, value in said.get("learned", {}).items():
        setattr(net, name, _array(value))
    return net


def _check_net(kind: type, params: Mapping[str, Any]) -> None:
    """A net makes objects of what its parameters name: those have to be modules of torch, or the package's own classes."""
    from ._torch_tree import Malformed, made_by_name  # noqa: PLC0415

    if not any(base.__module__ == "skorch.net" and base.__name__ == "NeuralNet" for base in kind.__mro__):
        raise Malformed(f"{kind.__module__}.{kind.__qualname__} is no net of skorch")
    for name, value in params.items():
        if name in OF_TRAINING or name.startswith(("callbacks__", "iterator_", "dataset__", "optimizer__")):
            raise Malformed(f"the parameter {name} only belongs to training")
        reference = value.get("reference") if isinstance(value, dict) else None
        if name in ("module", "criterion") and not (isinstance(reference, str) and made_by_name(reference)):
            raise Malformed(f"the {name} {reference or value!r} is neither torch's nor in the package's source")


def _array(value: Any) -> Any:
    import numpy as np  # noqa: PLC0415

    return np.asarray(value) if isinstance(value, list) else value


class _AskedNet:
    """A skorch net takes arrays of exactly the type that its module was trained with."""

    def __init__(self, net: Any, description: Mapping[str, Any]) -> None:
        self.ingot_input = str(description.get("input", "array"))
        self._net = net
        self._dtype = str(description.get("dtype") or "float32")
        if hasattr(net, "predict_proba") and hasattr(net, "classes_inferred_"):
            self.predict_proba = lambda data: net.predict_proba(self._cast(data))

    def predict(self, data: Any) -> Any:
        """Gives what the net's own predict gives."""
        return self._net.predict(self._cast(data))

    def _cast(self, data: Any) -> Any:
        import numpy as np  # noqa: PLC0415

        if isinstance(data, dict):
            return {name: self._cast(value) for name, value in data.items()}
        values = np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
        return values.astype(self._dtype) if values.dtype.kind in "biuf" else values
