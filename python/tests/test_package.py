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
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_importing_ingot_imports_no_framework() -> None:
    code = "import sys, ingot; print([m for m in ('numpy', 'pandas', 'sklearn', 'fastapi', 'onnx', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
