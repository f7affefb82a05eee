"""The whole way with the real engine and a store of its own: push, load, move, roll back."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ingot
from ingot.commands import engine

pytestmark = pytest.mark.engine


def wine(seed: int = 0) -> tuple[Any, Any, Any]:
    data, target = load_wine(return_X_y=True, as_frame=True)
    return RandomForestClassifier(n_estimators=5, random_state=seed).fit(data, target), data, target


def test_three_lines_go_the_whole_way(store: Path) -> None:
    model, data, target = wine()
    version = ingot.push(model, "wine", X=data, y=target, metrics={"accuracy": 0.97}, alias="production")
    assert (version.ref, version.existed) == ("wine:1", False)
    rows = data.iloc[:3].to_dict("records")
    assert ingot.load("wine@production").predict(rows) == model.predict(data.iloc[:3]).tolist()


def test_a_version_tells_all_that_was_captured(store: Path) -> None:
    model, data, target = wine()
    ingot.push(model, "wine", X=data, y=target, metrics={"accuracy": 0.97}, tags={"team": "cellar"}, message="first", label="1.2.0")
    version = ingot.show("wine:1.2.0")
    assert version.signature.inputs[0].name == "alcohol" and version.signature.inputs[0].min == pytest.approx(11.03)
    assert version.metrics == {"accuracy": 0.97} and version.tags == {"team": "cellar"}
    assert version.params["n_estimators"] == 5
    assert version.executes_code
    assert {file.path for file in version.files} == {"model.pkl", "requirements.txt"}
    names = [line.partition("==")[0] for line in version.environment["requirements"]]
    assert "scikit-learn" in names and "pandas" in names and "ingot" not in names
    assert version.captured["example"]["inputs"][0] not in data.to_dict("records")
    assert version.captured["model"]["class"].endswith("RandomForestClassifier")


def test_the_same_content_again_is_the_same_version_and_still_moves_aliases(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, data, _ = wine()
    first = ingot.push(model, "wine", X=data)
    again = ingot.push(model, "wine", X=data, alias="candidate", metrics={"f1": 0.9}, tags={"seen": "twice"})
    assert (again.number, again.digest, again.existed) == (1, first.digest, True)
    assert "nothing new was published" in capsys.readouterr().err
    shown = ingot.show("wine@candidate")
    assert shown.metrics["f1"] == 0.9 and shown.tags["seen"] == "twice"
    assert len(ingot.versions("wine")) == 1


def test_a_loaded_copy_pushed_again_answers_the_same(store: Path) -> None:
    model, data, _ = wine()
    ingot.push(model, "wine", X=data)
    loaded = ingot.load("wine")
    assert type(loaded.native) is RandomForestClassifier
    assert np.array_equal(loaded.native.predict_proba(data), model.predict_proba(data))
    assert loaded.predict_proba(data.iloc[:2].to_dict("records")) == model.predict_proba(data.iloc[:2]).tolist()
    assert loaded.info.ref == "wine:1" and loaded.info.digest.startswith("sha256:")


def test_promote_and_roll_back_leave_a_history_with_reasons(store: Path) -> None:
    for seed in (1, 2):
        model, data, _ = wine(seed)
        ingot.push(model, "wine", X=data).promote(reason=f"seed {seed}")
    assert ingot.load("wine@production").info.number == 2
    back = ingot.rollback("wine", reason="drift")
    assert (back.number, back.aliases) == (1, ("production",))
    assert ingot.load("wine@production").info.number == 1
    assert ingot.rollback("wine", to=2).number == 2
    assert ingot.promote("wine:1", "candidate").aliases == ("candidate",)
    assert ingot.aliases("wine") == {"candidate": 1, "production": 2}
    assert ingot.alias("wine", "candidate", None) is None
    reasons = [entry.reason for entry in ingot.history("wine") if entry.reason]
    assert {"seed 1", "seed 2", "drift"} <= set(reasons)
    assert [version.number for version in ingot.versions("wine")] == [2, 1]
    assert ingot.models() == ["wine"]


def test_mixed_columns_go_through_a_pipeline_and_back(store: Path) -> None:
    data = pd.DataFrame({"age": [20, 35, 50, 65] * 5, "plan": ["pro", "free", "pro", "team"] * 5, "spend": [1.5, 2.5, 3.5, 4.5] * 5})
    target = pd.Series(["stay", "leave", "stay", "leave"] * 5, name="outcome")
    columns = make_column_transformer((StandardScaler(), ["age", "spend"]), (OneHotEncoder(handle_unknown="ignore"), ["plan"]))
    model = make_pipeline(columns, LogisticRegression()).fit(data, target)
    version = ingot.push(model, "churn", X=data, y=target)
    assert [(feature.name, feature.type) for feature in version.signature.inputs] == [
        ("age", "integer"),
        ("plan", "string"),
        ("spend", "float"),
    ]
    assert version.signature.outputs[0].categories == ("leave", "stay")
    row = {"age": 20, "plan": "pro", "spend": 1.5}
    assert ingot.load("churn").predict(row) == "stay"


def test_arrays_and_regressors_work_too(store: Path) -> None:
    digits, labels = load_digits(return_X_y=True)
    ingot.push(LogisticRegression(max_iter=50).fit(digits[:300], labels[:300]), "digits", X=digits)
    assert ingot.load("digits").predict(digits[:2]).shape == (2,)
    data, target = load_diabetes(return_X_y=True, as_frame=True)
    version = ingot.push(Ridge().fit(data, target), "diabetes", X=data, y=target)
    assert version.signature.outputs[0].type == "float"
    assert isinstance(ingot.load("diabetes").predict(data.iloc[0].to_dict()), float)


def test_without_data_the_signature_is_partial(store: Path) -> None:
    data, target = load_breast_cancer(return_X_y=True)
    version = ingot.push(LogisticRegression(max_iter=5000).fit(data, target), "cancer")
    assert version.signature.partial and len(version.signature.inputs) == 30


def double(rows: list[dict[str, float]]) -> list[float]:
    return [row["x"] * 2 for row in rows]


def test_a_function_is_stored_as_source_and_loads(store: Path) -> None:
    version = ingot.push(double, "double", X=[{"x": 1.5}, {"x": 2.5}])
    assert {file.path for file in version.files} == {"function.json", "function.py"}
    assert version.flavor == "function"
    assert ingot.load("double").predict([{"x": 2.0}]) == [4.0]


def test_an_onnx_model_is_stored_as_data_only(store: Path) -> None:
    pytest.importorskip("skl2onnx", reason="skl2onnx is in requirements-dev.txt")
    pytest.importorskip("onnxruntime", reason="onnxruntime is in requirements-dev.txt")
    from skl2onnx import to_onnx

    data, target = load_wine(return_X_y=True)
    model = LogisticRegression(max_iter=5000).fit(data, target)
    graph = to_onnx(model, data[:1].astype("float32"), options={"zipmap": False})
    version = ingot.push(graph, "wine-onnx", metrics={"accuracy": 1})
    assert (version.flavor, version.executes_code) == ("onnx", False)
    assert version.signature.origin == "graph"
    loaded = ingot.load("wine-onnx")
    answer = loaded.predict(data[:3])
    assert answer[next(iter(answer))].tolist() == model.predict(data[:3]).tolist()


def test_a_frame_goes_into_an_onnx_graph_with_an_input_a_column(store: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is in requirements-dev.txt")
    pytest.importorskip("onnxruntime", reason="onnxruntime is in requirements-dev.txt")
    data = pd.DataFrame({"age": [20.0, 35, 50, 65] * 5, "plan": ["pro", "free"] * 10}).astype({"age": "float32"})
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["plan"]))
    model = make_pipeline(columns, LogisticRegression()).fit(data, [0, 1] * 10)
    ingot.push(skl2onnx.to_onnx(model, data[:1], options={"zipmap": False}), "mixed")
    loaded = ingot.load("mixed")
    assert loaded.predict(data[:4])["label"].tolist() == model.predict(data[:4]).tolist()
    assert loaded.predict({"plan": "free", "age": 35})["label"] == 1


def test_a_path_is_stored_as_it_is(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "churn"
    folder.mkdir()
    (folder / "interface.py").write_text(
        "from pathlib import Path\nclass M:\n    def predict(self, rows):\n        return [len(rows.columns)] * len(rows)\n"
        "def load_model():\n    return M()\n"
    )
    (folder / "metadata.yaml").write_text("name: churn\ninput_features:\n- {name: age, type: float}\n- {name: spend, type: float}\n")
    version = ingot.push(folder, "churn", metrics={"auc": 0.9}, description="by hand")
    assert version.metrics["auc"] == 0.9
    assert ingot.show("churn").description == "by hand"
    assert ingot.load("churn").predict({"age": 1, "spend": 2}) == 2
    written = version.download(tmp_path / "copy")
    assert sorted(path.name for path in written.iterdir()) == ["interface.py", "metadata.yaml"]


def test_code_passed_along_is_imported_from_the_package(store: Path, tmp_path: Path) -> None:
    from helpers_for_tests import Doubler

    data, target = load_wine(return_X_y=True)
    model = make_pipeline(Doubler(), Ridge()).fit(data, target)
    ingot.push(model, "doubled", X=data, code=Path(__file__).with_name("helpers_for_tests.py"))
    code = f"import ingot; print(ingot.load('doubled').predict({data[:1].tolist()!r}).shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.strip() == "(1,)", done.stderr


def test_a_dry_run_stores_nothing(store: Path) -> None:
    model, data, _ = wine()
    version = ingot.push(model, "wine", X=data, dry_run=True)
    assert (version.number, version.flavor) == (0, "sklearn")
    assert version.signature.inputs[0].name == "alcohol"
    with pytest.raises(ingot.NotFound):
        ingot.versions("wine")


def test_errors_name_the_nearest_and_the_fix(store: Path) -> None:
    model, data, _ = wine()
    ingot.push(model, "wine", X=data, alias="production")
    with pytest.raises(ingot.NotFound) as caught:
        ingot.load("wine@prodction")
    assert caught.value.code == "alias-not-found" and "production" in str(caught.value)
    with pytest.raises(ingot.NotFound) as caught:
        ingot.show("wien")
    assert caught.value.code == "model-not-found" and "wine" in str(caught.value)
    with pytest.raises(ingot.UsageError):
        ingot.push(model, "../wine", X=data)
    with pytest.raises(ingot.Conflict):
        other, _, _ = wine(7)
        ingot.push(model, "wine", X=data, label="1.0", metrics={"a": 1})
        ingot.push(other, "wine", X=data, label="one")
        third, _, _ = wine(8)
        ingot.push(third, "wine", X=data, label="one")
    with pytest.raises(ingot.NotFound, match="no-such-folder"):
        ingot.push("no-such-folder", "x")


def test_a_missing_package_is_named_before_anything_is_unpickled(store: Path) -> None:
    model, data, _ = wine()
    ingot.push(model, "wine", X=data, env=["no-such-package==1.0"])
    with pytest.raises(ingot.EnvironmentMismatch, match="no-such-package 1.0 wanted, not installed"):
        ingot.load("wine")
    ingot.push(model, "old", X=data, env=["scikit-learn==0.1"])
    with pytest.warns(ingot.EnvironmentWarning, match="scikit-learn 0.1 wanted"):
        ingot.load("old")
    with pytest.raises(ingot.EnvironmentMismatch):
        ingot.load("old", check="strict")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ingot.load("old", check="off")


def test_a_plain_file_can_be_stored_and_fetched_but_not_loaded(store: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    version = ingot.push(note, "note")
    assert version.flavor == "file"
    with pytest.raises(ingot.InvalidPackage, match="plain file"):
        ingot.load("note")
    assert (version.download(tmp_path / "out") / "note.txt").read_text() == "hello"


def test_the_commit_is_captured_and_dirtiness_too(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q"], check=True)
    (work / "a.txt").write_text("1")
    subprocess.run([*git, "add", "a.txt"], check=True)
    subprocess.run([*git, "commit", "-qm", "a"], check=True)
    subprocess.run([*git, "remote", "add", "origin", "https://me:secret@example.org/a.git"], check=True)
    (work / "a.txt").write_text("2")
    version = ingot.push(double, "double")
    state = ingot.show("double").lineage["git"]
    assert version.lineage["git"] == state
    assert state["dirty"] is True and state["branch"] == "main" and len(state["commit"]) == 40
    assert state["remote"] == "https://example.org/a.git"


def test_the_card_compares_with_production(store: Path) -> None:
    model, data, _ = wine(1)
    ingot.push(model, "wine", X=data, metrics={"accuracy": 0.9}, alias="production")
    model, data, _ = wine(2)
    html = ingot.push(model, "wine", X=data, metrics={"accuracy": 0.95})._repr_html_()
    assert "against wine:1" in html and "+0.05 ▲ better" in html


def test_a_notebook_shows_the_card(store: Path) -> None:
    formatters = pytest.importorskip("IPython.core.formatters", reason="ipython is in requirements-dev.txt")
    model, data, _ = wine()
    version = ingot.push(model, "wine", X=data, metrics={"accuracy": 0.9})
    shown, _ = formatters.DisplayFormatter().format(version)
    assert "ingot-card" in shown["text/html"] and "<Version wine:1" in shown["text/plain"]
    json.dumps(shown)


def test_a_loaded_service_lives_through_the_loss_of_its_store(store: Path) -> None:
    from ingot.follow import Models

    model, data, _ = wine()
    ingot.push(model, "wine", X=data, alias="production")
    row = data.iloc[0].to_dict()
    told = engine.run(["pull", "wine@production", "--cached"])
    assert told["captured"]["example"]["predictions"], "a service warms a version up with its own example"
    with Models(["wine@production"]) as models:
        assert models.get("wine").predict(row) == 0
        store.rename(store.with_name("gone"))
        assert models.get("wine").predict(row) == 0
    with Models(["wine@production"]) as models:
        assert models.get("wine").predict(row) == 0
        assert models.get("wine").info.stale_since


def test_no_value_of_the_data_is_stored_but_least_and_greatest_and_these_only_if_allowed(store: Path) -> None:
    values = [73114.123 + index for index in range(20)]
    data = pd.DataFrame({"salary": values, "name": [f"person{index}" for index in range(20)]})
    model = make_pipeline(make_column_transformer(("passthrough", ["salary"])), Ridge()).fit(data, range(20))

    def found() -> set[str]:
        content = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
        return {text for text in [*map(repr, values), *data["name"]] if text.encode() in content}

    ingot.push(model, "without", X=data, ranges=False)
    assert found() == set()
    ingot.push(model, "with", X=data)
    assert found() == {repr(values[0]), repr(values[-1])}


def test_a_damaged_copy_in_the_cache_is_fetched_again_before_it_is_unpickled(store: Path) -> None:
    model, data, _ = wine()
    ingot.push(model, "wine", X=data)
    path = ingot.load("wine").info.path
    assert path is not None
    file = path / "model.pkl"
    path.chmod(0o700), file.chmod(0o600)
    file.write_bytes(b"cos\nsystem\n." + file.read_bytes()[13:])
    assert type(ingot.load("wine").native) is RandomForestClassifier
    file.chmod(0o600)
    file.write_bytes(b"cos\nsystem\n." + file.read_bytes()[13:])
    store.rename(store.with_name("gone"))
    with pytest.raises(ingot.IngotError):
        ingot.load("wine")
