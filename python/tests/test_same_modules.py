"""A model that wants xgboost is at home where xgboost-cpu is installed: both bring the same modules."""

from __future__ import annotations

import importlib.metadata

import pytest

from ingot._worker.requirements_check import mismatch
from ingot.environments.requirements import mismatches


@pytest.fixture(autouse=True)
def _only_xgboost_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "xgboost-cpu":
            return "3.2.0"
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_either_distribution_satisfies_the_other_at_the_same_version_only() -> None:
    assert mismatch("xgboost==3.2.0") is None
    assert mismatch("XGBoost-CPU==3.2.0") is None
    assert mismatch("xgboost==2.1.0") == "xgboost 2.1.0 wanted, 3.2.0 found"
    assert mismatches(["xgboost==3.2.0", "xgboost==2.1.0", "lightgbm==1.0"]) == (
        ["xgboost 2.1.0 wanted, 3.2.0 found"],
        ["lightgbm 1.0 wanted, not installed"],
    )
