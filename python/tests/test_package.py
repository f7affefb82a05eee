from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import ingot

ROOT = Path(ingot.__file__).parent


def modules() -> list[str]:
    found = (info.name for info in pkgutil.walk_packages([str(ROOT)], "ingot."))
    return [name for name in found if "_worker" not in name and "__main__" not in name]


@pytest.mark.parametrize("name", modules())
def test_the_examples_in_the_docstrings_are_true(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A callback is made of a class of its framework.
        if "callbacks" not in name or str(error.name).startswith("ingot"):
            raise
        pytest.skip(f"{error.name} is not installed")
    assert doctest.testmod(module).failed == 0


def test_importing_ingot_imports_no_framework() -> None:
    code = "import sys, ingot; print([m for m in ('numpy', 'pandas', 'sklearn', 'fastapi', 'onnx', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_ingot_imports_little() -> None:
    """Counted in modules, as seconds differ from machine to machine: at most 0.2 s of processor time are meant."""
    count = "import sys; before = set(sys.modules); import ingot; print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); {count}"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 210
    code = "import sys, ingot; print([m for m in ('asyncio', 'tqdm', 'IPython', 'joblib', 'ssl', 'multiprocessing') if m in sys.modules])"
    code = f"import sys; sys.path.insert(0, {str(ROOT.parent)!r}); {code}"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_callbacks_are_imported_when_they_are_asked_for() -> None:
    assert set(ingot.callbacks.FRAMEWORKS) <= set(dir(ingot.callbacks))
    with pytest.raises(AttributeError, match="there are keras"):
        ingot.callbacks.sklaern  # noqa: B018


def test_the_package_passes_a_strict_type_check() -> None:
    pytest.importorskip("mypy", reason="mypy is in requirements-dev.txt")
    project = ROOT.parents[1]
    if not (project / "pyproject.toml").is_file():
        pytest.skip("only where the source of the package lies beside its pyproject.toml")
    done = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=project, check=False)
    assert done.returncode == 0, done.stdout


def test_every_public_name_is_there_and_described() -> None:
    for name in ingot.__all__:
        assert getattr(ingot, name).__doc__, name


def test_a_users_own_code_passes_a_strict_type_check(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is in requirements-dev.txt")
    code = """
from typing import Annotated

from fastapi import Depends, FastAPI

import ingot
from ingot.fastapi import lifespan, loaded
from ingot.settings import IngotSettings


def score(rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] for row in rows]


version: ingot.Version = ingot.push(score, "score", X=[{"x": 1.0}], metrics={"auc": 0.9}, alias=["production"])
number: int = version.number
names: list[str] = [feature.name for feature in version.signature.inputs]
model: ingot.Model = ingot.load(version.ref)
moved: ingot.Version = ingot.rollback("score", reason="drift")
auc: float = ingot.versions("score")[0].metrics["auc"]
app = FastAPI(lifespan=lifespan("score@production", settings=IngotSettings()))


@app.post("/score")
def answer(rows: list[dict[str, float]], model: Annotated[ingot.Model, Depends(loaded("score"))]) -> list[float]:
    return [float(value) for value in model.predict(rows)]
"""
    file = tmp_path / "users_code.py"
    file.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "--config-file", "", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
