"""Models as other systems lay them down are pushed by their path, served, and answer the same."""

from __future__ import annotations

import io
import json
import pickle
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ingot

sys.path.insert(0, str(Path(__file__).parent / "frameworks"))

pytestmark = pytest.mark.engine

SIGNATURE = json.dumps([{"type": "double", "name": name, "required": True} for name in ("age", "spent")])


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, Any]:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(4)
    table = pd.DataFrame({"age": random.normal(40, 10, 60), "spent": random.normal(50, 20, 60)})
    return LogisticRegression().fit(table, table["age"] + table["spent"] > 90), table[:8]


def mlflow(model: Any, place: Path) -> Path:
    place.mkdir()
    (place / "model.pkl").write_bytes(pickle.dumps(model))
    flavors = {
        "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl", "predict_fn": "predict"},
        "sklearn": {"pickled_model": "model.pkl", "serialization_format": "cloudpickle", "code": None},
    }
    outputs = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "bool", "shape": [-1]}}])
    document = {"flavors": flavors, "mlflow_version": "3.17.2", "signature": {"inputs": SIGNATURE, "outputs": outputs}}
    (place / "MLmodel").write_text(json.dumps(document))
    (place / "requirements.txt").write_text("scikit-learn\npandas\n")
    return place


def bentoml(model: Any, place: Path) -> Path:
    version = {
        "name": "churn",
        "version": "nnflv7xf",
        "module": "bentoml.sklearn",
        "context": {"framework_versions": {}, "bentoml_version": "1.4.39"},
        "api_version": "v1",
    }
    archive = place.with_suffix(".bentomodel")
    with tarfile.open(archive, "w:xz") as tar:
        _add(tar, "./model.yaml", json.dumps(version).encode())
        _add(tar, "./saved_model.pkl", pickle.dumps(model))
    return archive


def modelstore(model: Any, place: Path) -> Path:
    folder = place / "churn" / "2026.11.21-18.01.39" / "a1c9"
    folder.mkdir(parents=True)
    file = io.BytesIO()
    import joblib

    joblib.dump(model, file)
    with tarfile.open(folder / "artifacts.tar.gz", "w:gz") as tar:
        _add(tar, "model-info.json", b'{"library": "sklearn", "type": "LogisticRegression"}')
        _add(tar, "model.joblib", file.getvalue())
    return folder / "artifacts.tar.gz"


def openlayer(model: Any, place: Path) -> Path:
    place.mkdir()
    (place / "model.pkl").write_bytes(pickle.dumps(model))
    (place / "model_config.yaml").write_text("featureNames: [age, spent]\nclassNames: [stays, leaves]\n")
    (place / "prediction_interface.py").write_text(
        "import pickle\nfrom pathlib import Path\n\n\nclass Model:\n    def __init__(self):\n"
        "        self.model = pickle.loads((Path(__file__).parent / 'model.pkl').read_bytes())\n\n"
        "    def predict_proba(self, input_data_df):\n        return self.model.predict_proba(input_data_df)\n\n\n"
        "def load_model():\n    return Model()\n"
    )
    return place


def wheel(model: Any, place: Path) -> Path:
    archive = place.parent / f"{place.name}-1.2.0-py3-none-any.whl"
    module = "import pickle, pathlib\n\n\ndef load_model():\n    return pickle.loads((pathlib.Path(__file__).parent / 'model.pkl').read_bytes())\n"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("leaving/__init__.py", module)
        file.writestr("leaving/model.pkl", pickle.dumps(model))
        file.writestr("leaving-1.2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: leaving\nVersion: 1.2.0\n\n")
    return archive


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


SYSTEMS: list[Callable[[Any, Path], Path]] = [mlflow, bentoml, modelstore, openlayer, wheel]


def test_a_model_of_another_system_is_served_and_answers_the_same(fitted: tuple[Any, Any], tmp_path: Path) -> None:
    from matrix import Server

    model, table = fitted
    store = tmp_path / "store"
    wanted = {system.__name__: model.predict(table) for system in SYSTEMS} | {"openlayer": model.predict_proba(table)}
    for system in SYSTEMS:
        name = system.__name__
        version = ingot.push(system(model, tmp_path / name), name, store=store)
        assert ingot.push(system(model, tmp_path / f"{name}-again"), name, store=store).number == version.number
        loaded = ingot.load(name, store=store)
        np.testing.assert_allclose(np.asarray(loaded.predict(table), dtype=float), wanted[name].astype(float))
    server = Server(list(wanted), store, tmp_path)
    try:
        for name, expected in wanted.items():
            rows = table.to_dict("records")
            if ingot.show(name, store=store).signature is None:
                rows = [{"x0": row["age"], "x1": row["spent"]} for row in rows] if name != "wheel" else rows
            answer = server.post(f"/predict/{name}", rows)["predictions"]
            np.testing.assert_allclose(np.asarray(answer, dtype=float), expected.astype(float))
    finally:
        server.close()
