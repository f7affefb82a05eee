"""Pushes one model of every kind, loads it again, asks a real server for the same answers, and once more in isolation."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ingot
from ingot._worker import flavors
from ingot.commands import finding
from ingot.serializers import choose

#: How long a server may take for one answer: it loads the model first.
ANSWER_SECONDS = 180

#: What a step that was not tried begins with; why follows.
SKIPPED = "skipped: "


@dataclass(frozen=True, eq=False)
class Case:
    """One model of a framework.

    ``make`` gives the model and data to push it with and to ask it. Predictions are compared exactly, or within a relative
    ``tolerance``. ``answer`` is the framework's own way to ask, where that is not ``model.predict(data)``.
    """

    framework: str
    name: str
    make: Callable[[], tuple[Any, Any]]
    tolerance: float = 0.0
    answer: Callable[[Any, Any], Any] | None = None
    #: Whether ``model.predict(data)`` gives what is served; Prophet's gives some twenty columns, and draws its interval anew.
    own_predict: bool = True
    #: More arguments for push: ``serializer=``, ``code=``.
    push: Mapping[str, Any] = field(default_factory=dict)
    #: Types that whoever loads the version allows a skops archive to hold.
    trusted: tuple[str, ...] = ()
    #: Full name of the class that is given back, where it is another one than that of what is pushed.
    comes_back: str | None = None
    #: Why a server cannot answer for it (a transformer without predict); None: it must.
    not_served: str | None = None
    #: Modules without which the case is skipped, beside those that ``make`` imports.
    modules: tuple[str, ...] = ()
    #: Whether its framework has no wheel, so that an environment of its own is built from source (``INGOT_ALLOW_SOURCE``).
    from_source: bool = False
    #: Other distributions whose versions matter beside those of the requirements.
    distributions: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Names the case in a test's name."""
        return f"{self.framework}: {self.name}"


@dataclass
class Result:
    """What came of a case: for each step ``ok``, why it was skipped, or how it failed."""

    case: Case
    ref: str = ""
    flavor: str = ""
    executes_code: bool = False
    files: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    #: How long each step took.
    seconds: dict[str, float] = field(default_factory=dict)
    expected: Any = None
    data: Any = None
    #: Features of the stored version, known when it was loaded.
    inputs: tuple[Any, ...] = ()

    @property
    def is_skipped(self) -> bool:
        """Says whether it could not be tried here at all."""
        return self.steps["save"].startswith(SKIPPED)

    def failures(self) -> dict[str, str]:
        """Gives the steps that went wrong, each with what was wrong."""
        return {step: said for step, said in self.steps.items() if said != "ok" and not said.startswith(SKIPPED)}

    def record(self) -> dict[str, Any]:
        """Gives what the generated page shows."""
        return {
            "framework": self.case.framework,
            "case": self.case.name,
            "flavor": self.flavor,
            **({"serializer": self.case.push["serializer"]} if "serializer" in self.case.push else {}),
            "files": self.files,
            "executesCode": self.executes_code,
            "tolerance": self.case.tolerance,
            "versions": self.versions,
            "steps": self.steps,
            "seconds": {step: round(seconds, 1) for step, seconds in self.seconds.items()},
        }


def all_cases() -> list[Case]:
    """Reads every ``cases_*.py`` beside this file."""
    found: list[Case] = []
    for file in sorted(Path(__file__).parent.glob("cases_*.py")):
        found += importlib.import_module(file.stem).CASES
    return found


def first_of_each(cases: list[Case], count: int = 1) -> list[Case]:
    """Gives the first cases of every framework."""
    kept: dict[str, list[Case]] = {}
    for case in cases:
        kept.setdefault(case.framework, []).append(case)
    return [case for case in cases if case in kept[case.framework][:count]]


def push_case(case: Case, store: Path) -> Result:
    """Pushes a case's model; it is skipped where its framework is not installed."""
    result = Result(case)
    missing = next((module for module in case.modules if importlib.util.find_spec(module) is None), None)
    if missing is not None:
        result.steps["save"] = f"{SKIPPED}{missing} is not installed"
        return result
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, result.data = case.make()
    except ImportError as error:
        result.steps["save"] = f"{SKIPPED}{error}"
        return result
    result.seconds["make"] = time.monotonic() - began
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = ingot.push(model, _model_name(case), X=result.data, store=store, **case.push)
            result.seconds["save"] = time.monotonic() - began
            result.expected = (type_of(_given_back(model)), _own_answer(case, model, result.data))
    except Exception as error:  # noqa: BLE001 - the page tells what failed
        result.steps["save"] = _told(error)
        return result
    result.steps["save"] = "ok"
    result.ref, result.flavor, result.executes_code = version.ref, version.flavor, version.executes_code
    result.files = sorted(file.path for file in version.files)[:12]
    wanted = [line.partition("==")[0].strip() for line in (version.environment or {}).get("requirements", [])]
    result.versions = _versions([*wanted, *case.distributions])
    return result


def _told(error: Exception) -> str:
    """Gives what went wrong in one line; where, on stderr, which pytest shows of a run that fails."""
    traceback.print_exception(error)
    return " ".join(f"{type(error).__name__}: {error}".split())[:600]


def _model_name(case: Case) -> str:
    text = "".join(letter if letter.isalnum() else "-" for letter in case.id.lower())
    return "-".join(part for part in text.split("-") if part)[:80]


def _versions(names: list[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def type_of(value: Any) -> str:
    """Gives the full name of a value's class; two classes of one name may be copies that were stored by value."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _given_back(model: Any) -> Any:
    """Gives the object that a version holds: of a search its best estimator."""
    return model.best_estimator_ if hasattr(model, "best_estimator_") and hasattr(model, "cv_results_") else model


def _own_answer(case: Case, model: Any, data: Any) -> Any:
    """Gives what the pushed object itself answers: its framework's way, else that of its flavor's predictor."""
    if case.answer is not None:
        return comparable(case.answer(model, data))
    asked = _given_back(model)
    if case.own_predict and not isinstance(asked, dict | tuple | list) and callable(getattr(asked, "predict", None)):
        try:
            return comparable(asked.predict(data))
        except Exception:  # noqa: BLE001 - its own predict takes something else than data (a DMatrix)
            pass
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        saved = choose(model, case.push.get("serializer")).save(model, Path(scratch), data=data)
        description = {"artifact": ".", **saved.description}
        part, flavor, described = flavors.asked_part(asked, saved.flavor, description)
        if flavor == "onnx":
            return None
        predictor = flavors.predictor(part, flavor, described)
        return comparable(predictor.predict(data) if hasattr(predictor, "predict") else predictor(data))


def load_case(result: Result, store: Path, *, env: str = "current") -> str:
    """Loads a pushed case and compares class and predictions with the object's own; gives ``ok`` or what differs."""
    case, (wanted, answer) = result.case, result.expected
    try:
        model = ingot.load(result.ref, env=env, store=store)  # type: ignore[arg-type]
        if env == "current":
            result.inputs = model.info.signature.inputs
            if type_of(model.native) != (case.comes_back or wanted):
                return f"gave back a {type_of(model.native)}, not a {wanted}"
        if case.not_served is not None and case.answer is None:
            return "ok"
        if env == "current" and case.answer is not None:
            found = case.answer(model.native, result.data)
        elif case.not_served is not None:
            return "ok"
        else:
            found = model.predict(result.data)
        return "ok" if answer is None else difference(comparable(found), answer, case.tolerance)
    except Exception as error:  # noqa: BLE001 - the page tells what failed
        return _told(error)


@contextlib.contextmanager
def allowing(cases: Iterable[Case]) -> Iterator[None]:
    """Allows what some cases need to be allowed, as an operator does: by variables of the environment."""
    kept = list(cases)
    wanted = {"INGOT_TRUSTED_TYPES": ",".join(sorted({name for case in kept for name in case.trusted}))}
    if any(case.from_source for case in kept):
        wanted["INGOT_ALLOW_SOURCE"] = "1"
    held = {name: os.environ.pop(name, None) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in held.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def comparable(value: Any) -> Any:
    """Turns an answer into lists, numbers and texts: DataFrames and dicts of columns into rows, NaN and infinity into None."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if hasattr(value, "toarray"):
        value = value.toarray()
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return [comparable(row) for row in value.to_dict("records")]
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if hasattr(value, "numpy") and callable(value.numpy):
        value = value.numpy()
    if hasattr(value, "tolist"):
        return comparable(value.tolist())
    if isinstance(value, Mapping):
        return _mapping({str(key): comparable(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        # A dict in a list is a row already, whatever it holds.
        return [{str(key): comparable(each) for key, each in item.items()} if isinstance(item, Mapping) else comparable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def _mapping(columns: dict[str, Any]) -> Any:
    lengths = {len(column) if isinstance(column, list) else -1 for column in columns.values()}
    if len(lengths) == 1 and lengths != {-1}:
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return columns


def difference(found: Any, wanted: Any, tolerance: float) -> str:
    """Gives ``ok`` for equal answers, else where they differ first."""
    where = _first_difference(found, wanted, tolerance, "")
    return "ok" if where is None else f"other predictions: {where}"


def _first_difference(found: Any, wanted: Any, tolerance: float, at: str) -> str | None:
    found, wanted = _unwrapped(found, wanted)
    if isinstance(wanted, list) and isinstance(found, list):
        if len(found) != len(wanted):
            return f"{len(found)} in place of {len(wanted)} at {at or 'the top'}"
        pairs = enumerate(zip(found, wanted, strict=True))
        return next((said for index, (one, other) in pairs if (said := _first_difference(one, other, tolerance, f"{at}[{index}]"))), None)
    if isinstance(wanted, dict) and isinstance(found, dict):
        if found.keys() != wanted.keys():
            return f"names {sorted(found)} in place of {sorted(wanted)} at {at or 'the top'}"
        return next((said for key in wanted if (said := _first_difference(found[key], wanted[key], tolerance, f"{at}.{key}"))), None)
    if _equal(found, wanted, tolerance):
        return None
    return f"{found!r} in place of {wanted!r} at {at or 'the top'}"


def _unwrapped(found: Any, wanted: Any) -> tuple[Any, Any]:
    """A column of one may come as a list of lists of one, or of dicts with one name, or of dicts in lists of one."""
    inner = _unwrapped_once(found, wanted)
    return inner if inner[0] is found and inner[1] is wanted else _unwrapped(*inner)


def _unwrapped_once(found: Any, wanted: Any) -> tuple[Any, Any]:
    if isinstance(found, str) and found.startswith(("[", "{")) and isinstance(wanted, list | dict):
        # What is no tensor (entities of a text, scores by label) is served as a text of JSON.
        return json.loads(found), wanted
    if isinstance(wanted, list) and len(wanted) == 1 and not isinstance(found, list):
        if not isinstance(found, dict) or isinstance(wanted[0], dict):
            return found, wanted[0]
    if isinstance(found, list) and len(found) == 1 and not isinstance(wanted, list | dict):
        return found[0], wanted
    if isinstance(found, dict) and isinstance(wanted, list):
        # Columns that the answer did not name have the names of the signature when they are served.
        return list(found.values()), wanted
    if isinstance(found, dict) and len(found) == 1 and not isinstance(wanted, dict):
        return next(iter(found.values())), wanted
    if isinstance(wanted, dict) and len(wanted) == 1 and not isinstance(found, dict):
        return found, next(iter(wanted.values()))
    return found, wanted


def _equal(found: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(found, float | int) and isinstance(wanted, float | int) and not isinstance(wanted, bool):
        return found == wanted or math.isclose(found, wanted, rel_tol=max(tolerance, 0.0), abs_tol=tolerance)
    return bool(found == wanted) or (found is None and isinstance(wanted, str) and not wanted)


class Server:
    """One real ``ingot serve --load on-demand --env current`` with the Python that runs the tests."""

    def __init__(self, refs: list[str], store: Path, scratch: Path) -> None:
        self._log = (scratch / "serve.log").open("w+")
        bin_directory = Path(sys.executable).parent
        environ = {**os.environ, "PATH": f"{bin_directory}{os.pathsep}{os.environ.get('PATH', '')}", "PYTHON": sys.executable}
        words = ["serve", *refs, "--load", "on-demand", "--env", "current", "--port", "0", "--spare", "0", "--memory", "6GB"]
        command = [*finding.find_engine(), *words, "--timeout", str(ANSWER_SECONDS), "--json", "--registry", str(store)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, env=environ, text=True)
        self.url = self._address()

    def _address(self) -> str:
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            said += line
            start = said.find("http://")
            if start >= 0:
                return said[start:].split('"')[0].split()[0].rstrip("/")
        self._process.wait()
        self._log.seek(0)
        raise RuntimeError(f"the server did not start: {said}{self._log.read()}")

    def post(self, path: str, body: Any) -> Any:
        """Sends JSON and gives the answer's JSON; an error document becomes an exception with its sentence."""
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.code} {error.read().decode()[:600]}") from None

    def close(self) -> None:
        """Stops the server and waits for its end."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def serve_case(result: Result, server: Server) -> str:
    """Asks the server with the case's data and compares; gives ``ok``, why it cannot be asked, or what differs."""
    if result.case.not_served is not None:
        return f"{SKIPPED}{result.case.not_served}"
    name = result.ref.partition(":")[0]
    try:
        rows = as_rows(result.data, result.inputs)
        if rows is not None:
            answer = server.post(f"/predict/{name}", rows)["predictions"]
        else:
            outputs = server.post(f"/v2/models/{name}/infer", {"inputs": list(as_tensors(result.data))})["outputs"]
            answer = _outputs(outputs)
        wanted = result.expected[1]
        if wanted is None:
            return "ok" if answer else "an empty answer"
        # JSON carries what the signature declares: a float that was float32 may come as the nearest double.
        return difference(comparable(answer), wanted, max(result.case.tolerance, 1e-6))
    except Exception as error:  # noqa: BLE001 - the page tells what failed
        return _told(error)


def _outputs(outputs: list[dict[str, Any]]) -> Any:
    columns = {output["name"]: _shaped(output["data"], output["shape"]) for output in outputs}
    return next(iter(columns.values())) if len(columns) == 1 else _mapping(columns)


def _shaped(data: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        data = [data[start : start + size] for start in range(0, len(data), size)] if size else data
    return data


def as_rows(data: Any, inputs: tuple[Any, ...]) -> list[dict[str, Any]] | None:
    """Gives data as the rows that ``/predict`` takes, None where only tensors can say it."""
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        return [{str(key): comparable(value) for key, value in row.items()} for row in data.to_dict("records")]
    names = [feature.name for feature in inputs]
    if isinstance(data, Mapping):
        columns = {str(key): comparable(value) for key, value in data.items()}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] if set(columns) == set(names) else None
    if hasattr(data, "toarray"):
        data = data.toarray()
    listed = comparable(data)
    if listed and all(isinstance(row, dict) for row in listed):
        return listed  # type: ignore[no-any-return]
    if len(names) == 1 and (inputs[0].type == "tensor" or not isinstance(listed[0], list)):
        return [{names[0]: value} for value in listed]
    if names and isinstance(listed[0], list) and len(listed[0]) == len(names):
        return [dict(zip(names, row, strict=True)) for row in listed]
    return None


def as_tensors(data: Any) -> Iterator[dict[str, Any]]:
    """Gives data as tensors of the Open Inference Protocol, for models that declare nothing."""
    for name, value in data.items() if isinstance(data, Mapping) else [("input", data)]:
        import numpy as np

        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
        kinds = {"f": f"FP{8 * array.itemsize}", "i": f"INT{8 * array.itemsize}", "u": f"UINT{8 * array.itemsize}", "b": "BOOL"}
        datatype = kinds.get(array.dtype.kind, "BYTES")
        yield {"name": str(name), "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()}


def processor_seconds() -> float:
    """Gives the processor time of this process and of those it has waited for, which is the same on a busy machine."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def document(results: list[Result], group: str) -> dict[str, Any]:
    """Gives the recorded document of one run."""
    return {
        "group": group,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "ingot": ingot.__version__,
        "processorSeconds": round(processor_seconds()),
        "results": [result.record() for result in results],
    }
