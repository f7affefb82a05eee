"""Objects of one's own, several models together, skops, and the table that chooses."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ingot
from ingot._worker import flavors
from ingot._worker.loading import load_native
from ingot.serializers import Saved, choose
from ingot.serializers.describing import FLAVORS, write_flavor

ROOT = Path(__file__).resolve().parents[2]
X, Y = load_iris(return_X_y=True)
ROWS = [{"x": 1.0}, {"x": 3.0}]


class Threshold:
    """A model as people write it in a notebook."""

    def __init__(self, limit: float = 2.0) -> None:
        self.limit = limit

    def predict(self, rows: list[dict[str, float]]) -> list[bool]:
        return [row["x"] > self.limit for row in rows]

    def distance(self, rows: list[dict[str, float]]) -> list[float]:
        return [row["x"] - self.limit for row in rows]


class Doubler(BaseEstimator, TransformerMixin):  # type: ignore[misc]
    def fit(self, data: Any, target: Any = None) -> Doubler:
        self.fitted_ = True
        return self

    def transform(self, data: Any) -> Any:
        return np.asarray(data) * 2


def saved_in(model: Any, directory: Path, serializer: str | None = None, **given: Any) -> tuple[Saved, Any]:
    """Saves a model and gives what answers once it is loaded as a model server loads it."""
    saved = choose(model, serializer).save(model, directory, **given)
    write_flavor(saved, directory)
    described = flavors.describe(directory, "model.skops" if serializer == "skops" else None)
    native = load_native(directory, saved.flavor, None, described["artifact"], described)
    part, flavor, said = flavors.asked_part(native, saved.flavor, described)
    return saved, (native, flavors.predictor(part, flavor, said))


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Threshold(2.0), [False, True]),
        (Threshold, [False, True]),
        (Threshold(2.0).distance, [-1.0, 1.0]),
        (functools.partial(Threshold.distance, Threshold(0.0)), [1.0, 3.0]),
        (functools.partial(sorted, key=len), ROWS),
    ],
)
def test_what_can_be_asked_is_saved_and_answers(tmp_path: Path, model: Any, answer: list[Any]) -> None:
    saved, (native, asked) = saved_in(model, tmp_path)
    assert (saved.flavor, saved.takes, saved.executes_code) == ("object", "rows", True)
    call = getattr(asked, "predict", asked)
    assert call(ROWS) == answer
    assert type(native).__name__ == type(model).__name__


def test_a_method_of_an_estimator_takes_what_the_estimator_takes(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(X, Y)
    saved, (_, asked) = saved_in(model.predict_proba, tmp_path)
    assert saved.takes == "array"
    assert (asked(X) == model.predict_proba(X)).all()


def test_a_class_that_needs_arguments_is_refused_with_what_to_push(tmp_path: Path) -> None:
    class Needs:
        def __init__(self, weights: list[float]) -> None: ...
        def predict(self, rows: list[Any]) -> list[Any]:
            return rows

    with pytest.raises(ingot.InvalidPackage, match="needs weights to be made") as caught:
        choose(Needs).save(Needs, tmp_path)
    assert "Needs(weights=…)" in str(caught.value.hint)


def test_a_predict_of_two_arguments_is_refused(tmp_path: Path) -> None:
    class Two:
        def predict(self, left: Any, right: Any) -> None: ...

    with pytest.raises(ingot.InvalidPackage, match="cannot be called with rows alone"):
        choose(Two()).save(Two(), tmp_path)


def test_several_models_come_back_together_and_the_one_called_model_is_asked(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=500).fit(X, Y)
    parts = {"limits": [1, 2.5, None], "scaler": StandardScaler().fit(X), "model": model, "names": {"a": "b"}, "odd name/": Threshold()}
    saved, (native, asked) = saved_in(parts, tmp_path)
    assert saved.flavor == "models" and saved.takes == "array"
    assert list(native) == list(parts) and native["limits"] == [1, 2.5, None] and native["names"] == {"a": "b"}
    assert (native["scaler"].transform(X) == parts["scaler"].transform(X)).all()
    assert (asked.predict(X) == model.predict(X)).all()
    assert {path.name for path in tmp_path.iterdir()} == {"flavor.json", "model", "scaler", "part-4"}


def test_a_tuple_comes_back_as_one_and_its_first_model_is_asked(tmp_path: Path) -> None:
    _, (native, asked) = saved_in((0.5, Threshold(0.0), Threshold(9.0)), tmp_path)
    assert isinstance(native, tuple) and native[0] == 0.5 and native[2].limit == 9.0
    assert asked.predict(ROWS) == [True, True]


def test_an_array_among_several_is_data_and_not_the_one_that_is_asked(tmp_path: Path) -> None:
    _, (native, asked) = saved_in({"bins": np.arange(4), "second": Threshold()}, tmp_path)
    assert native["bins"].tolist() == [0, 1, 2, 3] and asked.predict(ROWS) == [False, True]


def test_a_part_that_cannot_be_saved_is_named(tmp_path: Path) -> None:
    with pytest.raises(ingot.InvalidPackage, match='part "second": this LogisticRegression is not fitted'):
        saved_in({"first": Threshold(), "second": LogisticRegression()}, tmp_path)


def test_plain_data_alone_is_no_model() -> None:
    for nothing in ({"a": 1}, {}, (), [1, 2], {1: Threshold()}):
        with pytest.raises(ingot.InvalidPackage):
            choose(nothing)


def test_a_description_is_the_same_bytes_for_the_same_thing(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for name, keys in (("one", {"b": 1, "artifact": "é"}), ("two", {"artifact": "é", "b": 1})):
        write_flavor(Saved("xgboost", takes="dataframe", description=keys), tmp_path / name)
    text = (tmp_path / "one" / "flavor.json").read_text("utf-8")
    assert text == (tmp_path / "two" / "flavor.json").read_text("utf-8")
    assert text == '{"artifact": "é", "b": 1, "flavor": "xgboost", "input": "dataframe"}\n'


def test_the_engine_knows_every_flavor_and_every_serializer_is_an_entry_point() -> None:
    listed = re.search(r"export const FLAVORS = \[(.*?)\]", (ROOT / "packages/core/src/package/package.ts").read_text("utf-8"), re.S)
    assert listed is not None and set(re.findall(r"'([^']+)'", listed.group(1))) == FLAVORS
    project = (ROOT / "python/pyproject.toml").read_text("utf-8")
    offered = dict(re.findall(r'^([\w-]+) = "ingot\.serializers\.([^"]+)"$', project, re.M))
    from ingot.serializers import _BUILT_IN, _BY_NAME

    assert offered == {entry.name: entry.place for entry in (*_BUILT_IN, *_BY_NAME)}


def test_skops_says_that_a_linear_pipeline_needs_no_trust(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, Y)
    saved, (native, _) = saved_in(model, tmp_path, "skops")
    assert not saved.executes_code and "types it trusts by itself" in saved.notices[0]
    assert type(native) is type(model) and (native.predict(X) == model.predict(X)).all()
    assert [path.name for path in tmp_path.iterdir()] == ["model.skops"]


def test_skops_loads_other_types_only_where_the_consumer_allows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skops")
    model = make_pipeline(Doubler(), RandomForestClassifier(n_estimators=2)).fit(X, Y)
    with pytest.raises(Exception, match="not trusted here.*Doubler.*INGOT_TRUSTED_TYPES="):
        saved_in(model, tmp_path, "skops")
    untrusted = "sklearn.tree._tree.Tree"
    monkeypatch.setenv("INGOT_TRUSTED_TYPES", untrusted)
    with pytest.raises(Exception, match="not trusted here: [^ ]*Doubler"):
        load_native(tmp_path, "sklearn", None, "model.skops")
    monkeypatch.setenv("INGOT_TRUSTED_TYPES", f"{untrusted}, {Doubler.__module__}.Doubler")
    assert (load_native(tmp_path, "sklearn", None, "model.skops").predict(X) == model.predict(X)).all()


def test_an_archive_that_only_calls_itself_skops_is_never_unpickled(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    (tmp_path / "model.skops").write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "ran") + b"'\ntR.")
    with pytest.raises(Exception, match="model.skops"):
        load_native(tmp_path, "sklearn", None, "model.skops")
    assert not (tmp_path / "ran").exists()


@pytest.mark.engine
def test_parts_share_code_beside_them_and_the_folder_pushed_by_hand_is_the_same_version(store: Path, tmp_path: Path) -> None:
    (tmp_path / "limits.py").write_text("def limit(): return 2.0\n")
    source = "from limits import limit\nclass Above:\n    def predict(self, rows): return [row['x'] > limit() for row in rows]\n"
    (tmp_path / "shop.py").write_text(source)
    program = (
        "import sys, json; sys.path.insert(0, '.')\nimport ingot, shop\n"
        "v = ingot.push({'model': shop.Above(), 'other': shop.Above()}, 'shop', code=['shop.py', 'limits.py'])\n"
        "v.download('copy')\nprint(json.dumps([v.digest, [f.path for f in v.files]]))"
    )
    import os
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest, files = json.loads(done.stdout.splitlines()[-1])
    assert {"flavor.json", "model/model.pkl", "other/model.pkl", "shop.py", "limits.py"} <= set(files)
    model = ingot.load("shop")
    assert model.predict(ROWS) == [False, True] and type(model["other"]) is type(model.native["model"])
    again = ingot.push(tmp_path / "copy", "shop")
    assert (again.digest, again.existed) == (digest, True)
    with pytest.raises(KeyError):
        model["third"]


def test_what_a_method_of_a_class_of_this_file_imports_when_it_runs_is_required(store: Path) -> None:
    class Late:
        def predict(self, rows: list[dict[str, float]]) -> list[float]:
            def column() -> Any:
                import numpy as np

                return np.array([row["x"] for row in rows])

            return [float(value) for value in column()]

    version = ingot.push(Late(), "late")
    assert {line.partition("==")[0] for line in version.environment["requirements"]} == {"cloudpickle", "numpy"}
