"""Saves Keras 3 models as ``.keras`` archives: data only, except where a model has classes of its own or a Lambda layer."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..environments.requirements import split_modules, top_modules
from ..errors import InvalidPackage
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
        custom, modules = _custom(model, config, directory, beside)
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
                config = _renumbered(json.loads(content), {})
                content = json.dumps(config).encode()  # noqa: PLW2901
            if name == "metadata.json":
                content = _without_time(content)  # noqa: PLW2901
            archive.writestr(zipfile.ZipInfo(name, _ANY_TIME), content)
    fresh.replace(path)
    return config


def _renumbered(config: Any, numbers: dict[int, int]) -> Any:
    """What is shared carries its address in memory, which no two runs have in common: it is counted in its place."""
    if isinstance(config, list):
        return [_renumbered(value, numbers) for value in config]
    if not isinstance(config, dict):
        return config
    told = {key: _renumbered(value, numbers) for key, value in config.items()}
    address = config.get("shared_object_id")
    return {**told, "shared_object_id": numbers.setdefault(address, len(numbers))} if isinstance(address, int) else told


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


def _custom(model: Any, config: dict[str, Any], directory: Path, code: tuple[Path, ...]) -> tuple[dict[str, Any], set[str]]:
    """Names what is not Keras's own, and sees that it comes along; also gives the modules that this imports."""
    found = {name: _locate(model, name) for name in _foreign_names(config)}
    if not found:
        return {}, set()
    beside = {path.resolve().stem if path.is_file() else path.resolve().name for path in code}
    local = split_modules({value.__module__.split(".")[0] for value in found.values()})[1] | {"__main__"}
    homeless = {name: value for name, value in found.items() if value.__module__.split(".")[0] in local - beside}
    modules = top_modules(value.__module__ for name, value in found.items() if name not in homeless)
    custom = {name: {"module": value.__module__, "name": value.__qualname__} for name, value in found.items()}
    if not homeless:
        return custom, set(modules) - beside
    source = extract_classes(homeless.values())
    if source is None:
        listed = ", ".join(f"{value.__module__}.{value.__qualname__}" for value in homeless.values())
        raise InvalidPackage(
            f"the model uses {listed}, whose source cannot be taken along", code="invalid-package", hint="pass code=[…] with its file"
        )
    (directory / SOURCE).write_text(source.text, encoding="utf-8")
    moved = {name: {"module": Path(SOURCE).stem, "name": value.__name__} for name, value in homeless.items()}
    return {**custom, **moved}, {*modules, *top_modules(source.modules)} - beside


def _foreign_names(config: dict[str, Any]) -> list[str]:
    """The registered names of classes and functions that Keras does not bring."""
    names: dict[str, None] = {}
    for part in _parts(config):
        module, kind, registered = part.get("module"), part.get("class_name"), part.get("registered_name")
        if kind == "function":
            name = part.get("config") if registered in (None, "function") else registered
            if isinstance(name, str) and not _is_own_function(name):
                names[name] = None
        elif kind != "__lambda__" and isinstance(registered, str):
            if not (isinstance(module, str) and module.split(".")[0] in _OWN):
                names[registered] = None
    return list(names)


def _is_own_function(name: str) -> bool:
    import keras

    homes = (keras.activations, keras.losses, keras.metrics, keras.initializers, keras.regularizers, keras.ops)
    return any(callable(getattr(home, name, None)) for home in homes)


def _locate(model: Any, registered: str) -> Any:
    """Finds the class or function of a registered name: in Keras's register, or among what the model is made of."""
    import keras

    value = keras.saving.get_registered_object(registered)
    if value is None:
        value = next((kind for kind in _made_of(model) if keras.saving.get_registered_name(kind) == registered), None)
    if value is not None:
        return value
    raise InvalidPackage(
        f"the model uses {registered}, which cannot be found any more",
        code="invalid-package",
        hint="decorate it with @keras.saving.register_keras_serializable()",
    )


def _made_of(model: Any) -> Iterator[Any]:
    """Classes and functions of the model, its layers, and of what it was compiled with."""
    parts = [model, *model._flatten_layers(), *(getattr(model, name, None) for name in ("optimizer", "loss"))]
    parts += list(getattr(model, "metrics", None) or [])
    for part in parts:
        if inspect.isfunction(part):
            yield part
            continue
        yield type(part)
        for value in list(getattr(part, "__dict__", {}).values()):
            if inspect.isfunction(value):
                yield value
            elif getattr(type(value), "get_config", None) is not None:
                yield type(value)
                yield from (inner for inner in vars(value).values() if inspect.isfunction(inner)) if hasattr(value, "__dict__") else ()


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


