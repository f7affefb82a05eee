"""Saves Keras 3 models as ``.keras`` archives: data only, except where a model has classes of its own or a Lambda layer."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from ..requirements import split_modules, top_modules
from .base import Saved
from .class_source import extract_classes

MODEL = "model.keras"
SOURCE = "model_code.py"
#: Where Keras keeps what it comes with.
_OWN = ("keras", "keras_hub", "keras_cv", "keras_nlp", "tensorflow", "builtins")
#: The earliest time a zip can say: the same model gives the same bytes at any time.
_ANY_TIME = (1980, 1, 1, 0, 0, 0)


class KerasSerializer:
    """Sequential, functional and subclassed models of Keras 3, on any backend."""

    name = "keras"
    unsafe = False

    def can_handle(self, model: Any) -> bool:
        """An object whose classes come from Keras's ``Model``."""
        return any(
            kind.__name__ == "Model" and kind.__module__.split(".")[0] == "keras" for kind in type(model).__mro__
        )

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes ``model.keras``; classes of one's own travel as source, or in the files of ``code``.

        :raises InvalidPackage: for a model that was not built, and for classes whose source cannot be found.
        """
        import keras

        if not model.built:
            raise InvalidPackage(
                f"the {type(model).__name__} has no weights yet", code="invalid-package", hint="call it once: model(X[:1])"
            )
        path = directory / MODEL
        try:
            model.save(path)
        except (NotImplementedError, TypeError, ValueError) as problem:
            raise InvalidPackage(
                f"Keras cannot save this {type(model).__name__}: {problem}",
                code="invalid-package",
                hint="give its classes get_config() (and from_config)",
            ) from problem
        config = make_lasting(path)
        beside = tuple(code)
        custom, modules = _custom(config, directory, beside)
        has_lambda = any(part.get("class_name") == "__lambda__" for part in _parts(config))
        description: dict[str, Any] = {"artifact": MODEL, "backend": keras.backend.backend(), "class": _class(model)}
        if custom:
            description["custom"] = custom
        if has_lambda:
            description["safe_mode"] = False
        reason = "a Lambda layer holds Python code" if has_lambda else "it carries the source of its classes" if custom else None
        notices = ("a Lambda layer holds Python bytecode, which only this version of Python runs: a Layer subclass lasts",)
        return Saved(
            flavor="keras",
            modules=frozenset({"keras", _BACKENDS.get(keras.backend.backend(), "tensorflow"), *modules}),
            takes="array" if _has_one_input(model) else "tensors",
            executes_code=reason is not None,
            reason=reason,
            description=description,
            params=_params(model),
            notices=notices if has_lambda else (),
        )

    def pip_names(self, model: Any) -> list[str]:
        """Keras and what computes for it."""
        import keras

        return ["keras", _distribution(keras.backend.backend()), "numpy"]


_BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def _distribution(backend: str) -> str:
    """TensorFlow comes under several names."""
    if backend != "tensorflow":
        return backend
    installed = importlib.metadata.packages_distributions().get("tensorflow", [])
    return next((name for name in ("tensorflow", "tensorflow-cpu") if name in installed), "tensorflow")


def _class(model: Any) -> str:
    """The public name of Keras's own classes: ``keras.Sequential``."""
    kind = type(model)
    if kind.__module__.startswith("keras.src.models"):
        return f"keras.{'Model' if kind.__name__ == 'Functional' else kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def _has_one_input(model: Any) -> bool:
    if isinstance(getattr(model, "_inputs_struct", None), dict):
        return len(model._inputs_struct) == 1
    try:
        return len(model.inputs or ()) <= 1
    except (AttributeError, ValueError):
        return True


def make_lasting(path: Path) -> dict[str, Any]:
    """Takes times out of a ``.keras`` archive, so that equal models are equal files; gives its configuration."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in sorted(archive.namelist())]
    config: dict[str, Any] = {}
    fresh = path.with_suffix(".lasting")
    with zipfile.ZipFile(fresh, "w") as archive:
        for name, content in entries:
            if name == "config.json":
                config = json.loads(content)
            if name == "metadata.json":
                content = _without_time(content)  # noqa: PLW2901
            archive.writestr(zipfile.ZipInfo(name, _ANY_TIME), content)
    fresh.replace(path)
    return config


def _without_time(metadata: bytes) -> bytes:
    told = json.loads(metadata)
    return json.dumps({**told, "date_saved": "1980-01-01@00:00:00"}).encode()


def _parts(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialized object within a configuration."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _custom(config: dict[str, Any], directory: Path, code: tuple[Path, ...]) -> tuple[dict[str, Any], set[str]]:
    """Names what is not Keras's own, and sees that it comes along; also gives the modules that this imports."""
    found: dict[str, tuple[str, str]] = {}
    for part in _parts(config):
        module, name = part.get("module"), part.get("class_name")
        if name == "function":
            name = part.get("config")
        registered = part.get("registered_name") or name
        if isinstance(module, str) and isinstance(name, str) and module.split(".")[0] not in _OWN:
            found[str(registered)] = (module, name)
    if not found:
        return {}, set()
    beside = {path.resolve().stem if path.is_file() else path.resolve().name for path in code}
    local = split_modules({module.split(".")[0] for module, _ in found.values()})[1]
    homeless = {name: place for name, place in found.items() if place[0].split(".")[0] in local - beside or place[0] == "__main__"}
    modules = top_modules(module for name, (module, _) in found.items() if name not in homeless)
    custom = {name: {"module": module, "name": kind} for name, (module, kind) in found.items()}
    if not homeless:
        return custom, set(modules)
    source = extract_classes([_kind(*place) for place in homeless.values()])
    if source is None:
        listed = ", ".join(f"{module}.{kind}" for module, kind in homeless.values())
        raise InvalidPackage(
            f"the model uses {listed}, whose source cannot be taken along", code="invalid-package", hint="pass code=[…] with its file"
        )
    (directory / SOURCE).write_text(source.text, encoding="utf-8")
    moved = {name: {"module": Path(SOURCE).stem, "name": kind} for name, (_, kind) in homeless.items()}
    return {**custom, **moved}, {*modules, *top_modules(source.modules)}


def _kind(module: str, name: str) -> Any:
    value = getattr(sys.modules.get(module), name, None)
    if inspect.isclass(value) or inspect.isfunction(value):
        return value
    raise InvalidPackage(
        f"the model uses {module}.{name}, which is not there any more", code="invalid-package", hint="pass code=[…] with its file"
    )


def _params(model: Any) -> dict[str, Any]:
    """How it was compiled, and how large it is."""
    params: dict[str, Any] = {"parameters": int(model.count_params())}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        config = optimizer.get_config()
        rate = config.get("learning_rate")
        params["optimizer"] = type(optimizer).__name__.lower()
        if isinstance(rate, int | float):
            params["learning_rate"] = float(rate)
    loss = getattr(model, "loss", None)
    if isinstance(loss, str):
        params["loss"] = loss
    return params


