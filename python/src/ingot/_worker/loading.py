"""Loads a package's model: the framework's own object.

``load_native(directory, flavor, interface_path, artifact_path)`` knows these flavors, and those of the folder ``flavors``:

``python``
    ``interface_path`` (``interface.py``) is imported under a module name of its own, with its directory on
    ``sys.path``, and its ``load_model()`` is called.
``sklearn``
    ``artifact_path`` is read with skops (``*.skops``), joblib (``*.joblib``) or pickle (anything else; a pickle that
    joblib wrote under another name is recognised).
``function``
    A plain function, described by ``function.json`` at the top of the package::

        {"function": "score", "source": "function.py", "input": "dataframe"}
        {"function": "score", "artifact": "model.pkl", "input": "rows"}

    With ``source`` the module is imported like an interface and the named function taken from it; with ``artifact``
    the file is unpickled (cloudpickle writes such files). Without ``function.json``: the artifact path, else
    ``model.pkl``. ``input`` says what the function takes: ``dataframe`` (pandas), ``array`` (numpy) or ``rows`` (a
    list of dicts); without it: a DataFrame where pandas is installed, else rows.
``onnx``
    An ``onnxruntime.InferenceSession`` (for the SDK; the model server runs ONNX without Python).

Any loaded object may carry the attribute ``ingot_input`` with one of those words.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from . import flavors
from .flavors import InvalidPackage, onnx

__all__ = ["InvalidPackage", "load_native"]

#: Names types, separated by commas, that a skops archive may hold beside those skops trusts by itself.
TRUSTED_TYPES = "INGOT_TRUSTED_TYPES"

_package_directories: list[str] = []


def load_native(
    directory: str | os.PathLike[str],
    flavor: str,
    interface_path: str | None = None,
    artifact_path: str | None = None,
    description: dict[str, Any] | None = None,
) -> Any:
    """Returns the framework's own object. ``description``: what ``flavor.json`` says, read when it is not given.

    Raises InvalidPackage when a file or ``load_model`` is missing; what the package's code raises passes through.
    """
    root = Path(directory).resolve()
    if flavor == "python":
        return _load_interface(root, interface_path or "interface.py")
    if flavor == "sklearn":
        return read_artifact(root, _needed(artifact_path, "an artifact file"))
    if flavor == "function":
        return _load_function(root, artifact_path)
    if flavor == "onnx":
        return onnx.load(root, {"artifact": _needed(artifact_path, "an .onnx file")})
    return flavors.load(root, flavor, description or flavors.describe(root, artifact_path))


def _needed(path: str | None, what: str) -> str:
    if path is None:
        raise InvalidPackage(f"the package names no {what.removeprefix('an ')}")
    return path


def _load_interface(root: Path, path: str) -> Any:
    module = _import_file(root, path)
    load_model = getattr(module, "load_model", None)
    if not callable(load_model):
        raise InvalidPackage(f"{path} has no load_model() function; it must return an object with predict()")
    model = load_model()
    if not callable(getattr(model, "predict", None)) and not callable(model):
        raise InvalidPackage(f"load_model() in {path} returned {type(model).__name__}, which has no predict()")
    return model


def _load_function(root: Path, artifact_path: str | None) -> Any:
    description_file = root / "function.json"
    description = json.loads(description_file.read_text("utf-8")) if description_file.is_file() else {}
    source = description.get("source")
    if source is not None:
        function = getattr(_import_file(root, source), description.get("function", ""), None)
        if not callable(function):
            raise InvalidPackage(f"{source} has no function {description.get('function')!r}, named in function.json")
    else:
        function = read_artifact(root, description.get("artifact") or artifact_path or "model.pkl")
    return _flagged(function, description.get("input"))


def _flagged(function: Any, takes: str | None) -> Any:
    if takes is not None:
        try:
            function.ingot_input = takes
        except AttributeError:  # a builtin or a bound method holds no attributes: it is wrapped
            return _flagged(lambda rows: function(rows), takes)
    return function


def read_artifact(root: Path, path: str) -> Any:
    """Reads a pickle, a joblib file or a skops archive of a package."""
    file = _existing(root, path)
    if file.suffix == ".skops":
        return _read_skops(file)
    if file.suffix == ".joblib":
        return _read_joblib(file)
    allow_imports_from(root)
    try:
        with file.open("rb") as stream:
            return pickle.load(stream)
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, UnicodeDecodeError) as problem:
        if _has_joblib_arrays(file):
            return _read_joblib(file)
        raise InvalidPackage(f"{path} cannot be unpickled: {type(problem).__name__}: {problem}") from problem


def _has_joblib_arrays(file: Path) -> bool:
    """Joblib puts raw arrays between pickle opcodes, or compresses the whole file."""
    head = file.open("rb").read(1 << 20)
    return b"joblib" in head or head[:2] in (b"\x1f\x8b", b"BZ", b"\xfd7", b"x\x9c", b"x\x01", b"x^", b"x\xda", b"ZF")


def _read_joblib(file: Path) -> Any:
    import joblib  # noqa: PLC0415

    return joblib.load(file)


def _read_skops(file: Path) -> Any:
    """Reads a skops archive by an allow-list that comes from whoever loads it, never from the archive itself."""
    import zipfile  # noqa: PLC0415

    from skops import io  # noqa: PLC0415

    trusted = [name.strip() for name in os.environ.get(TRUSTED_TYPES, "").split(",") if name.strip()]
    try:
        untrusted = [name for name in io.get_untrusted_types(file=file) if name not in trusted]
    except (zipfile.BadZipFile, KeyError, ValueError) as problem:
        raise InvalidPackage(f"{file.name} is no skops archive: {type(problem).__name__}: {problem}") from problem
    if untrusted:
        raise InvalidPackage(
            f"{file.name} holds types that are not trusted here: {', '.join(untrusted)}. If you trust them, say so where it "
            f"is loaded: {TRUSTED_TYPES}={','.join([*trusted, *untrusted])}"
        )
    return io.load(file, trusted=trusted)


def _existing(root: Path, path: str) -> Path:
    file = (root / path).resolve()
    if not file.is_relative_to(root):
        raise InvalidPackage(f"{path} lies outside the package")
    if not file.is_file():
        raise InvalidPackage(f"the package has no file {path}")
    return file


def _import_file(root: Path, path: str) -> ModuleType:
    file = _existing(root, path)
    allow_imports_from(file.parent)
    name = f"ingot_package_{hashlib.sha256(os.fsencode(file)).hexdigest()[:16]}"
    loader = _SourceLoader(name, os.fspath(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    if spec is None:
        raise InvalidPackage(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def allow_imports_from(directory: Path) -> None:
    """Puts a package's directory first on ``sys.path`` and forgets same-named modules of packages loaded before."""
    text = os.fspath(directory)
    if not _package_directories:
        sys.path_hooks.insert(0, _package_finder)
    if text not in _package_directories:
        _package_directories.append(text)
        sys.path_importer_cache.pop(text, None)
    if text in sys.path:
        sys.path.remove(text)
    sys.path.insert(0, text)
    others = tuple(other + os.sep for other in _package_directories if not _is_within(text, other))
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if others and not name.startswith("ingot_package_") and isinstance(file, str) and file.startswith(others):
            del sys.modules[name]


def _is_within(path: str, other: str) -> bool:
    """Whether one directory lies in the other: a folder of a package and the package are one."""
    return (path + os.sep).startswith(other + os.sep) or (other + os.sep).startswith(path + os.sep)


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Imports without leaving ``__pycache__`` in the package, whose files are verified and stay as they were pushed."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Writes nothing."""


def _package_finder(path: str) -> importlib.machinery.FileFinder:
    inside = any(path == root or path.startswith(root + os.sep) for root in _package_directories)
    if not inside or not os.path.isdir(path):
        raise ImportError(path)
    return importlib.machinery.FileFinder(
        path,
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
    )
