"""Data and models as strangers bring them: odd columns, dicts, text, transformers, functions of every kind."""

from __future__ import annotations

import importlib.util
import math
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers_for_tests import ByName
from scipy import sparse
from sklearn.cluster import DBSCAN
from sklearn.feature_extraction import DictVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import ingot
from ingot._worker.flavors import predictor
from ingot._worker.outputs import to_tensors
from ingot.captured.document import capture
from ingot.convert import as_made
from ingot.environments import requirements
from ingot.kinds import plain
from ingot.model import Model, ModelInfo, open_model
from ingot.serializers import choose
from ingot.signature import Signature, infer_inputs, infer_outputs

NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [4, 3, 2, 1]})


def stored_and_loaded(model: Any, directory: Path, data: Any) -> tuple[Model, dict[str, Any]]:
    """Saves and loads a model without a store, with the signature that a push would capture."""
    serializer = choose(model)
    saved = serializer.save(model, directory, data=data)
    document = capture(model, saved, serializer=serializer.name, environment={"requirements": []}, data=data)
    package = {"flavor": saved.flavor, "signature": document.get("signature"), "artifactPath": "model.pkl"}
    loaded = {"model": "m", "version": 1, "digest": "sha256:1", "path": str(directory), "package": package}
    return open_model(loaded), document


def test_a_dict_vectorizer_gets_dicts_and_keys_that_may_be_missing(tmp_path: Path) -> None:
    rows = [{"city": "x", "age": 1.0}, {"city": "y"}] * 4
    model = make_pipeline(DictVectorizer(), LogisticRegression()).fit(rows, [0, 1] * 4)
    loaded, document = stored_and_loaded(model, tmp_path, rows)
    assert loaded.predict(rows[:2]) == [0, 1]
    assert document["example"]["predictions"] == [0]
    assert not hasattr(model, "ingot_input"), "the user's own object stays as it is"
    with pytest.raises(ingot.SignatureMismatch, match="missing 'city'"):
        loaded.predict({"age": 1.0})


def test_an_own_transformer_that_names_columns_gets_a_dataframe(tmp_path: Path) -> None:
    model = make_pipeline(ByName(), Ridge()).fit(NUMBERS, [1, 2, 3, 4])
    loaded, _ = stored_and_loaded(model, tmp_path, NUMBERS)
    assert loaded.predict(NUMBERS.to_dict("records")) == model.predict(NUMBERS).tolist()


@pytest.mark.parametrize("columns", [[0, 1], [("a", "x"), ("a", "y")]])
def test_columns_that_are_not_text_are_known_by_their_text(tmp_path: Path, columns: list[Any]) -> None:
    frame = pd.DataFrame(NUMBERS.to_numpy(), columns=pd.Index(columns))
    model = Ridge().fit(frame.to_numpy(), [1, 2, 3, 4])
    loaded, _ = stored_and_loaded(model, tmp_path, frame)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert loaded.predict(frame).tolist() == model.predict(frame.to_numpy()).tolist()
        assert loaded.predict(frame[columns[::-1]]).tolist() == model.predict(frame.to_numpy()).tolist()


def test_columns_of_one_name_become_features_of_their_own() -> None:
    frame = pd.DataFrame([[1, 2.5, True]], columns=["a", "b", "a"])
    assert [(feature.name, feature.type) for feature in infer_inputs(frame)] == [("a", "integer"), ("b", "float"), ("a_2", "boolean")]


def test_sparse_results_are_rows_of_numbers(tmp_path: Path) -> None:
    assert plain(sparse.csr_matrix([[0, 1], [2, 0]])) == [[0, 1], [2, 0]]
    model = OneHotEncoder().fit(NUMBERS[["b"]])
    loaded, _ = stored_and_loaded(model, tmp_path, NUMBERS[["b"]])
    assert loaded.transform({"b": 4}) == [0.0, 0.0, 0.0, 1.0]


def test_what_cannot_predict_is_stored_with_a_notice(tmp_path: Path) -> None:
    saved = choose(DBSCAN()).save(DBSCAN().fit(NUMBERS), tmp_path)
    assert any("no predict()" in notice for notice in saved.notices)


def test_data_that_cannot_be_described_costs_the_signature_only(tmp_path: Path) -> None:
    class Odd(list):  # type: ignore[type-arg]
        def __getitem__(self, index: Any) -> Any:
            raise TypeError("no items here")

    with pytest.warns(UserWarning, match="X could not be described"):
        _, document = stored_and_loaded(Ridge().fit(NUMBERS, [1, 2, 3, 4]), tmp_path, Odd([1, 2]))
    assert "signature" not in document


def test_wide_rows_are_checked_in_time_that_grows_with_their_width() -> None:
    from ingot.convert import check
    from ingot.signature import Feature

    class Counted(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    row = {Counted(f"c{index}"): 1 for index in range(300)}
    check([row], [Feature(str(name), "float") for name in row])
    assert Counted.compared <= 4 * 300


def predict_infinity(rows: list[dict[str, float]]) -> list[float]:
    return [math.inf for _ in rows]


def test_an_answer_json_cannot_carry_is_left_out_of_the_example(tmp_path: Path) -> None:
    _, document = stored_and_loaded(predict_infinity, tmp_path, [{"x": 1.0}])
    assert "predictions" not in document.get("example", {})


def test_columns_by_name_are_several_outputs() -> None:
    assert [feature.name for feature in infer_outputs({"low": [1.0, 2.0], "high": [3.0, 4.0]})] == ["low", "high"]


def one_answer(rows: list[dict[str, float]]) -> list[float]:
    return [1.0]


def generated(rows: list[dict[str, float]]) -> Iterator[float]:
    yield from (row["x"] for row in rows)


async def later(rows: list[dict[str, float]]) -> list[float]:
    return [1.0]


def test_fewer_answers_than_rows_are_told_at_the_push(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="1 answers to 2 rows"):
        stored_and_loaded(one_answer, tmp_path, [{"x": 1.0}, {"x": 2.0}])


def test_a_generator_answers_its_rows_and_an_async_function_is_refused(tmp_path: Path) -> None:
    loaded, _ = stored_and_loaded(generated, tmp_path, [{"x": 1.0}, {"x": 2.0}])
    assert loaded.predict([{"x": 5.0}, {"x": 6.0}]) == [5.0, 6.0]
    with pytest.raises(ingot.InvalidPackage, match="async"):
        choose(later).save(later, tmp_path)


def test_a_global_named_like_an_attribute_does_not_hide_the_source(tmp_path: Path) -> None:
    file = tmp_path / "scores_by_attribute.py"
    file.write_text(
        "class Scale:\n    def __init__(self, by):\n        self.by = by\n    def of(self, v):\n        return v * self.by\n"
        "def score(rows):\n    return [Scale(2).of(row['x']) for row in rows]\nby = object()\nv = object()\n"
    )
    spec = importlib.util.spec_from_file_location("scores_by_attribute", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scores_by_attribute"] = module
    spec.loader.exec_module(module)
    directory = tmp_path / "package"
    directory.mkdir()
    choose(module.score).save(module.score, directory)
    assert "class Scale" in (directory / "function.py").read_text()


def test_a_helper_from_a_file_beside_it_is_stored_as_source_too(tmp_path: Path) -> None:
    from helpers_for_tests import scaled

    def write() -> Any:
        namespace = {"scaled": scaled, "__name__": "ingot_test_notebook"}
        source = "def score(rows):\n    return [scaled(row['x']) for row in rows]\n"
        import linecache

        linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
        exec(compile(source, "<cell 1>", "exec"), namespace)
        return namespace["score"]

    choose(write()).save(write(), tmp_path)
    text = (tmp_path / "function.py").read_text()
    assert "def scaled" in text and "RATE = 3" in text


def test_a_pickle_with_code_of_another_python_is_refused_before_it_is_read(tmp_path: Path) -> None:
    model = make_pipeline(ByName(), Ridge()).fit(NUMBERS, [1, 2, 3, 4])
    factor = 2
    choose(score := lambda rows: [row["x"] * factor for row in rows]).save(score, tmp_path)
    package = {"flavor": "function", "artifactPath": "model.pkl", "pythonVersion": "3.9.1", "requirements": []}
    document = {"model": "m", "version": 1, "digest": "sha256:1", "path": str(tmp_path), "package": package}
    with pytest.raises(ingot.EnvironmentMismatch, match="compiled by Python 3.9"):
        open_model(document, check="off")
    other = tmp_path / "plain"
    other.mkdir()
    choose(model).save(model, other, code=[Path(__file__).with_name("helpers_for_tests.py")])
    package = {"flavor": "sklearn", "artifactPath": "model.pkl", "pythonVersion": "3.9.1", "requirements": []}
    with pytest.warns(ingot.EnvironmentWarning, match="Python 3.9 wanted"):
        open_model({**document, "path": str(other), "package": package})
    with pytest.raises(ingot.UsageError, match="check="):
        open_model({**document, "path": str(other), "package": package}, check="of")


def test_distributions_are_read_once_and_known_without_top_level_txt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "some_thing-1.0.dist-info"
    note.mkdir()
    (note / "METADATA").write_text("Metadata-Version: 2.1\nName: some-thing\nVersion: 1.0\n")
    (note / "RECORD").write_text("something/__init__.py,,\nsingle.py,,\nsome_thing-1.0.dist-info/RECORD,,\n../../bin/thing,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    known, local = requirements.split_modules({"something", "single", "bin", "sklearn"})
    assert known == {"something": "some-thing", "single": "some-thing", "sklearn": "scikit-learn"} and local == {"bin"}
    before = requirements._brought_modules.cache_info().misses
    requirements.split_modules({"numpy"})
    assert requirements._brought_modules.cache_info().misses == before


def test_unpublished_models_answer_as_told() -> None:
    assert Model(len, ModelInfo.unpublished("function", Signature()), takes="rows").predict([{"x": 1}]) == 1


def test_null_in_a_row_of_a_dict_vectorizer_is_a_key_that_is_not_there(tmp_path: Path) -> None:
    rows = [{"city": "x", "age": 1.0}, {"city": "y"}] * 4
    model = make_pipeline(DictVectorizer(), LogisticRegression()).fit(rows, [0, 1] * 4)
    loaded, _ = stored_and_loaded(model, tmp_path, rows)
    assert loaded.predict({"city": "y", "age": None}) == loaded.predict({"city": "y"}) == 1
    asked = predictor(loaded.native, "sklearn", {})
    assert asked.predict_proba([{"city": "y", "age": math.nan}]).tolist() == model.predict_proba([{"city": "y"}]).tolist()
    assert "predict_proba" in dir(asked)


def test_a_step_that_takes_missing_values_gets_them(tmp_path: Path) -> None:
    rows = [{"age": 1.0}, {"age": math.nan}, {"age": 4.0}] * 4
    model = make_pipeline(DictVectorizer(), SimpleImputer(), Ridge()).fit(rows, [1.0, 2.5, 4.0] * 4)
    assert predictor(model, "sklearn", {}).predict([{"age": math.nan}]).tolist() == model.predict([{"age": math.nan}]).tolist()


@pytest.mark.parametrize("rows", [2, 5])
def test_probabilities_of_several_outputs_are_outputs_of_their_own(rows: int) -> None:
    answers = [np.full((rows, 3), 0.25), np.full((rows, 2), 0.5)]
    tensors = to_tensors(answers, rows, (), "predict_proba")
    assert [(tensor.name, list(tensor.shape)) for tensor in tensors] == [("output_0", [rows, 3]), ("output_1", [rows, 2])]
    alike = to_tensors([np.ones((rows, 2)), np.ones((rows, 2))], rows, (), "predict_proba")
    assert [list(tensor.shape) for tensor in alike] == [[rows, 2], [rows, 2]]


def test_texts_reach_a_model_as_they_are_where_there_is_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert as_made(["a bank", "a river"], "texts", ()) == ["a bank", "a river"]
