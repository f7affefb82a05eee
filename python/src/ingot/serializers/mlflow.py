"""Saves models of MLflow: a ``PythonModel``, or what ``mlflow.pyfunc.load_model`` gave, as MLflow itself saves them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import logging
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import InvalidPackage
from .base import Saved

FOLDER = "model"


class MlflowSerializer:
    """Loading executes code: MLflow pickles Python models, and most of its flavors."""

    name = "mlflow"
    unsafe = True

    def can_handle(self, model: Any) -> bool:
        """An object of a class derived from ``mlflow.pyfunc.PythonModel``, or a ``PyFuncModel``."""
        return any(
            kind.__module__.split(".")[0] == "mlflow" and kind.__name__ in ("PythonModel", "PyFuncModel")
            for kind in type(model).__mro__
        )

    def save(self, model: Any, directory: Path, *, data: Any = None, code: Iterable[Path] = ()) -> Saved:
        """Writes the folder ``model/`` that MLflow reads, with the signature the model has, else the one of ``data``."""
        path = directory / FOLDER
        with _quiet():
            if hasattr(model, "unwrap_python_model"):
                modules = _save_loaded(model, path)
            else:
                modules = _save_python(model, path, data=data, code=tuple(code))
        signature = getattr(getattr(model, "metadata", None), "signature", None)
        tensors = signature is not None and signature.inputs is not None and signature.inputs.is_tensor_spec()
        return Saved(
            flavor="mlflow",
            modules=frozenset({"mlflow", *modules}),
            takes="tensors" if tensors else "dataframe",
            executes_code=True,
            reason="MLflow runs code of the package when it loads it",
            description={"artifact": FOLDER},
        )

    def pip_names(self, model: Any) -> list[str]:
        """MLflow, and what it pickles with."""
        return ["mlflow", "cloudpickle"]


def _save_python(model: Any, path: Path, *, data: Any, code: tuple[Path, ...], signature: Any = None, artifacts: Any = None) -> set[str]:
    import mlflow

    given = signature if signature is not None else _signature(model, data)
    mlflow.pyfunc.save_model(
        str(path),
        python_model=model,
        artifacts=artifacts or None,
        code_paths=[str(part) for part in code] or None,
        signature=given,
        # Found out by what imports what, not by a trial run in another process, which takes a minute.
        pip_requirements=_pins("mlflow", "cloudpickle"),
    )
    return _modules(path)


def _modules(path: Path) -> set[str]:
    """Installed modules that the pickle of a Python model names."""
    from ..environments.requirements import pickle_globals, split_modules, top_modules

    found: set[str] = set()
    for pickle in path.glob("*.pkl"):
        found |= set(top_modules(module for module, _ in pickle_globals(pickle)))
    return found - split_modules(found)[1]


def _signature(model: Any, data: Any) -> Any:
    """A signature needs an answer, too; a model that only answers with a loaded context gets one of its inputs."""
    if data is None:
        return None
    from mlflow.models import infer_signature

    try:
        return infer_signature(data, model.predict(None, data))
    except Exception:  # noqa: BLE001 - whatever the user's predict raises without its context: then outputs are not known
        return infer_signature(data)


def _save_loaded(model: Any, path: Path) -> set[str]:
    """Saves what was loaded again, by the flavor that loaded it.

    :raises InvalidPackage: for a flavor that keeps no model to save.
    """
    metadata = model.metadata
    loader = metadata.flavors["python_function"]["loader_module"]
    if loader == "mlflow.pyfunc.model":
        context = getattr(model._model_impl, "context", None)
        artifacts = {name: str(place) for name, place in (getattr(context, "artifacts", None) or {}).items()}
        return _save_python(
            model.unwrap_python_model(), path, data=None, code=(), signature=metadata.signature, artifacts=artifacts
        )
    module = importlib.import_module(loader)
    raw = model.get_raw_model() if hasattr(model, "get_raw_model") else None
    if raw is None or not hasattr(module, "save_model"):
        raise InvalidPackage(
            f"a model of {loader} cannot be saved again", code="invalid-package", hint="push the folder that MLflow saved it in"
        )
    method = metadata.flavors["python_function"].get("predict_fn", "predict")
    more = {"pyfunc_predict_fn": method} if method != "predict" else {}
    own = loader.rpartition(".")[2]
    module.save_model(raw, str(path), signature=metadata.signature, pip_requirements=_pins("mlflow"), **more)
    return {own} if own != "model" else set()


def _pins(*names: str) -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow warns of what is done here on purpose."""
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
