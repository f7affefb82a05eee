"""The conformance test for serializers of other distributions: run it in your own test suite.

>>> import ingot.testing
>>> def test_abacus():                                             # doctest: +SKIP
...     ingot.testing.check_serializer(AbacusSerializer(), abacus, [{"x": 1.0}])
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ._worker import flavors
from .serializers import GROUP
from .serializers.base import Saved, Serializer
from .serializers.describing import FLAVORS, settled, write_flavor

__all__ = ["check_serializer"]

#: Things that no serializer of a framework should take for one of its models.
_FOREIGN: tuple[Any, ...] = (None, 0, 1.5, "text", b"bytes", [], {}, (), object(), object, len)

_LOADER = r"""
import importlib.util, os, pickle, sys
sys.modules["ingot"] = None   # a model server has no SDK
here, package, data, result = sys.argv[1:5]
spec = importlib.util.spec_from_file_location("_ingot_worker", os.path.join(here, "__init__.py"), submodule_search_locations=[here])
module = importlib.util.module_from_spec(spec)
sys.modules["_ingot_worker"] = module
spec.loader.exec_module(module)
import pathlib
from _ingot_worker import flavors
from _ingot_worker.loading import load_native
root = pathlib.Path(package)
described = flavors.describe(root)
native = load_native(root, described["flavor"], None, described.get("artifact"), described)
asked = flavors.predictor(native, described["flavor"], described)
with open(data, "rb") as file:
    rows = pickle.load(file)
answer = asked.predict(rows) if hasattr(asked, "predict") else asked(rows)
kind = type(native).__module__ + "." + type(native).__qualname__
with open(result, "wb") as file:
    pickle.dump((kind, answer), file)
"""


def check_serializer(
    serializer: Serializer,
    model: Any,
    data: Any,
    *,
    tolerance: float = 0.0,
    deterministic: bool = True,
    others: Iterable[Any] = (),
) -> None:
    """Checks that a serializer and the loader of its flavor keep to their contract, with one model of the framework.

    :param model: a fitted model that the serializer is for.
    :param data: what the loaded model's ``predict`` takes; must pickle, because a process without the SDK gets it.
    :param tolerance: how far a prediction may be off, relatively. Default: not at all.
    :param deterministic: whether saving twice gives the same bytes, so that pushing the same model again is no new version.
    :param others: objects that the serializer must leave to others, beside those every serializer must.
    :raises AssertionError: naming the rule that is broken, and how.
    """
    _check_shape(serializer)
    _check_choice(serializer, model, others)
    with tempfile.TemporaryDirectory(prefix="ingot-check-") as scratch:
        directory = Path(scratch, "package")
        saved = _check_saving(serializer, model, directory, data)
        if deterministic:
            again = Path(scratch, "again")
            _check_saving(serializer, model, again, data)
            _require(_digests(directory) == _digests(again), "saving the same model twice gives other bytes (deterministic=False allows that)")
        _check_loading(saved, model, directory, data, tolerance, Path(scratch))


def _require(condition: bool, rule: str) -> None:
    if not condition:
        raise AssertionError(rule)


def _check_shape(serializer: Serializer) -> None:
    _require(isinstance(serializer, Serializer), "a serializer has name, unsafe, can_handle, save and pip_names")
    _require(bool(re.fullmatch(r"[a-z][a-z0-9-]{0,40}", serializer.name)), f'the name "{serializer.name}" is not lower case letters, digits and -')
    _require(isinstance(serializer.unsafe, bool), "unsafe is True or False")
    offered = [entry for entry in importlib.metadata.entry_points(group=GROUP) if entry.name == serializer.name]
    _require(bool(offered), f'no installed distribution offers "{serializer.name}" as an entry point of {GROUP}')
    _require(
        any(entry.load() is type(serializer) for entry in offered), f'the entry point "{serializer.name}" of {GROUP} is another class'
    )


def _check_choice(serializer: Serializer, model: Any, others: Iterable[Any]) -> None:
    before = set(sys.modules)
    for foreign in (*_FOREIGN, *others):
        _require(serializer.can_handle(foreign) is False, f"can_handle({foreign!r}) is not False")
    _require(serializer.can_handle(model) is True, f"can_handle is not True for the {type(model).__name__}")
    imported = sorted(set(sys.modules) - before)
    _require(not imported, f"can_handle imports {', '.join(imported[:5])}; it looks at type(model).__mro__ instead")
    names = serializer.pip_names(model)
    _require(isinstance(names, list) and all(isinstance(name, str) for name in names), "pip_names gives a list of distributions")


def _check_saving(serializer: Serializer, model: Any, directory: Path, data: Any) -> Saved:
    directory.mkdir()
    saved = serializer.save(model, directory, data=data, code=())
    _require(isinstance(saved, Saved), "save gives a Saved")
    _require(any(directory.iterdir()), "save writes at least one file")
    _require(serializer.unsafe or not saved.executes_code, "unsafe is False, and yet what was saved executes code")
    _require(not saved.executes_code or bool(saved.reason), "a Saved that executes code says why (reason)")
    _require(bool(saved.description), "a Saved has a description: what flavor.json says")
    try:
        json.dumps(dict(saved.description), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(f"the description is not JSON: {error}") from error
    artifact = saved.description.get("artifact", ".")
    _require((directory / str(artifact)).exists(), f'the artifact "{artifact}" of the description was not written')
    told = settled(saved, serializer.name)
    write_flavor(told, directory)
    return told


def _digests(directory: Path) -> dict[str, str]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return {file.relative_to(directory).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _check_loading(saved: Saved, model: Any, directory: Path, data: Any, tolerance: float, scratch: Path) -> None:
    _require(saved.flavor in FLAVORS, f"nothing loads the flavor {saved.flavor}")
    native = flavors.load(directory, saved.flavor, flavors.describe(directory))
    _require(type(native) is type(model), f"loading gives a {type(native).__qualname__}, not a {type(model).__qualname__}")
    kind, answer = _ask_without_sdk(directory, data, scratch)
    wanted = f"{type(model).__module__}.{type(model).__qualname__}"
    _require(kind == wanted, f"a process without the SDK loads a {kind}, not a {wanted}")
    own = flavors.predictor(model, saved.flavor, flavors.describe(directory))
    expected = own.predict(data) if hasattr(own, "predict") else own(data)
    _require(_alike(answer, expected, tolerance), f"the loaded model answers {answer!r}, the saved one {expected!r}")


def _ask_without_sdk(directory: Path, data: Any, scratch: Path) -> tuple[str, Any]:
    """Loads the package as a model server does: in a process of its own, where the SDK cannot be imported."""
    given, result = scratch / "data.pkl", scratch / "result.pkl"
    given.write_bytes(pickle.dumps(data))
    worker = Path(flavors.__file__).resolve().parent.parent
    command = [sys.executable, "-c", _LOADER, str(worker), str(directory), str(given), str(result)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    _require(done.returncode == 0, f"a process without the SDK cannot load or ask it:\n{done.stderr[-2000:]}")
    kind, answer = pickle.loads(result.read_bytes())
    return str(kind), answer


def _alike(one: Any, other: Any, tolerance: float) -> bool:
    if hasattr(one, "tolist") and hasattr(other, "tolist"):
        one, other = one.tolist(), other.tolist()
    if hasattr(one, "to_dict") and hasattr(other, "to_dict"):
        one, other = one.to_dict("list"), other.to_dict("list")
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_alike(left, right, tolerance) for left, right in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other) or abs(one - other) <= tolerance * max(abs(one), abs(other))
    return bool(one == other)
