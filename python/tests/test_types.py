"""User code under the two strict type checkers: what is right passes, what is wrong is found before it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import ingot
from ingot import loading, pushing
from ingot.keywords import LoadOptions, PushOptions

SOURCE = Path(ingot.__file__).parents[1]
PYRIGHT = SOURCE.parents[1] / "node_modules" / "pyright" / "index.js"

RIGHT = """
from typing import Any

import ingot


class Forest:
    def predict(self, rows: list[dict[str, float]]) -> list[float]:
        return [0.5 for _ in rows]


def score(rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] for row in rows]


version: ingot.Version = ingot.push(Forest(), "churn", X=[{"x": 1.0}], metrics={"auc": 0.9}, alias=["production"])
ingot.push(score)
ingot.push("model.onnx", label="1.2.0")
model: ingot.Model[list[dict[str, float]], list[float]] = ingot.load(version.ref)
answers: list[float] = model.predict([{"x": 1.0}])
any_model: ingot.Model = ingot.load("churn@production", check="strict")
anything: Any = any_model.native
numbers: dict[str, int] = ingot.aliases("churn")
names: list[str] = ingot.models()
auc: float = ingot.versions("churn")[0].metrics["auc"]
why: str | None = ingot.history("churn")[-1].reason
moved: ingot.Version = ingot.alias("churn", "candidate", version)
ingot.alias("churn", "candidate", None)
with ingot.autolog("churn") or ingot.autolog("other") or exit() as logged:
    pushed: list[ingot.Version] = logged.versions


def use(model: ingot.Model[dict[str, float], float]) -> float:
    return model.predict({"x": 1.0})


async def service() -> float:
    await ingot.apush(Forest(), "churn", X=[{"x": 1.0}])
    model: ingot.Model[dict[str, float], float] = await ingot.aload("churn", check="off")
    return await model.apredict({"x": 1.0})


try:
    ingot.show("churn")
except ingot.NotFound as error:
    hint: str | None = error.hint
"""

WRONG = """
import ingot


class Forest: ...


ingot.push(Forest())  # line 7: an object has no name of its own
ingot.push(Forest(), "churn", metrics=0.9)  # line 8
ingot.load("churn", check="maybe")  # line 9
model: ingot.Model[dict[str, float], float] = ingot.load("churn")
model.predict([1, 2])  # line 11
answer: str = model.predict({"x": 1.0})  # line 12
ingot.rollback("churn", to=1.5)  # line 13
gone: ingot.Version = ingot.alias("churn", "candidate", None)  # line 14
ingot.push(Forest(), "churn", metrcis={"auc": 0.9})  # line 15
"""
WRONG_LINES = {7, 8, 9, 11, 12, 13, 14, 15}


def _mypy(file: Path) -> set[int]:
    pytest.importorskip("mypy", reason="mypy is in requirements-dev.txt")
    # Read through the installed, typed package, as a user's checker does, not as a file that is checked too.
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(file.parent / "cache"), "--config-file", "", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=file.parent, check=False)
    assert done.returncode in {0, 1}, done.stderr + done.stdout
    return {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}


def _pyright(file: Path) -> set[int]:
    node = shutil.which("node")
    if node is None or not PYRIGHT.is_file():
        pytest.skip("pyright comes with `npm ci` of the clone")
    settings = {"typeCheckingMode": "strict", "include": [file.name], "extraPaths": [str(SOURCE)], "reportUnusedExpression": False}
    (file.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [node, str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, "-p", str(file.parent)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=file.parent, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error" and each["file"].endswith(file.name)}


@pytest.mark.parametrize("check", [_mypy, _pyright], ids=["mypy", "pyright"])
def test_what_is_right_passes_and_what_is_wrong_is_found_by_its_line(tmp_path: Path, check: object) -> None:
    assert callable(check)
    for name, code, lines in (("right.py", RIGHT, set()), ("wrong.py", WRONG, WRONG_LINES)):
        where = tmp_path / name.removesuffix(".py")
        where.mkdir()
        (where / name).write_text(code.lstrip("\n"))
        assert check(where / name) == lines, name


@pytest.mark.parametrize(("call", "options"), [(pushing.push, PushOptions), (loading.load, LoadOptions)])
def test_the_options_that_are_handed_on_are_those_of_the_function(call: object, options: type) -> None:
    import inspect

    parameters = inspect.signature(call).parameters.values()  # type: ignore[arg-type]
    by_name = {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    assert set(get_type_hints(options)) == by_name


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(ingot.__file__).parent / "py.typed").is_file()
