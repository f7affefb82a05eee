"""Models are asked as a server asks them: text for categories, whole numbers as floats, columns in any order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases_series
import cases_tabular
import cases_text
import numpy as np
import pytest

import ingot
from ingot._worker import flavors
from ingot.serializers import choose
from ingot.serializers.describing import write_flavor


def brought_back(model: Any, directory: Path, data: Any = None) -> tuple[Any, Any]:
    """Gives the loaded object and what answers for it."""
    saved = choose(model).save(model, directory, data=data)
    write_flavor(saved, directory)
    description = flavors.describe(directory)
    native = flavors.load(directory, saved.flavor, description)
    return native, flavors.predictor(native, saved.flavor, description)


def as_a_server_sends(table: Any) -> Any:
    """Gives the same rows with text in categorical columns, floats for whole numbers, and columns turned around."""
    loose = table.copy()
    for name in ("plan", "region"):
        loose[name] = loose[name].astype(str).astype(object)
    loose["age"] = loose["age"].astype("float64")
    return loose[list(loose.columns)[::-1]]


@pytest.mark.parametrize(
    ("framework", "make"),
    [
        ("xgboost", cases_tabular.xgboost_classifier),
        ("xgboost", cases_tabular.xgboost_booster),
        ("lightgbm", cases_tabular.lightgbm_classifier_text_labels),
        ("lightgbm", cases_tabular.lightgbm_booster),
        ("catboost", cases_tabular.catboost_classifier),
    ],
)
def test_rows_of_json_have_the_answers_of_the_table_of_training(framework: str, make: Callable[[], Any], tmp_path: Path) -> None:
    pytest.importorskip(framework)
    model, table = make()
    _, asked = brought_back(model, tmp_path)
    loose = as_a_server_sends(table)
    assert asked.predict(loose).tolist() == asked.predict(table).tolist()
    loose.loc[loose.index[:3], "plan"] = [None, "never seen", float("nan")]
    assert len(asked.predict(loose)) == len(table)
    assert [feature["name"] for feature in asked.ingot_signature["inputs"]] == list(table.columns)


@pytest.mark.parametrize(
    "make", [cases_tabular.xgboost_classifier, cases_tabular.lightgbm_classifier_truth, cases_tabular.lightgbm_early_stopped]
)
def test_a_wrapper_comes_back_with_all_it_was_given_and_learned(make: Callable[[], Any], tmp_path: Path) -> None:
    for framework in ("xgboost", "lightgbm"):
        pytest.importorskip(framework)
    model, table = make()
    native, asked = brought_back(model, tmp_path)
    assert type(native) is type(model)
    assert str(native.get_params()) == str(model.get_params())
    assert native.classes_.dtype == model.classes_.dtype and list(native.classes_) == list(model.classes_)
    assert native.n_features_in_ == 4 and list(native.feature_names_in_) == list(table.columns)
    assert native.predict(table).dtype == model.predict(table).dtype
    assert (native.predict_proba(table) == model.predict_proba(table)).all()
    assert (asked.predict_proba(as_a_server_sends(table)) == model.predict_proba(table)).all()
    results = ("evals_result_" if hasattr(model, "booster_") else "evals_result")
    if hasattr(model, "booster_"):
        assert getattr(native, results) == getattr(model, results)
        assert native.best_iteration_ == model.best_iteration_
    else:
        assert native.evals_result() == model.evals_result()
        assert native.best_iteration == model.best_iteration


def test_a_lightgbm_model_with_an_objective_of_ones_own_is_pickled_and_says_so(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    table = cases_tabular._table(categories=False)

    def squared(labels: Any, guesses: Any) -> tuple[Any, Any]:
        return guesses - labels, guesses * 0 + 1

    model = lightgbm.LGBMRegressor(n_estimators=3, objective=squared, verbose=-1, n_jobs=1).fit(table, table["age"])
    saved = choose(model).save(model, tmp_path)
    assert (saved.flavor, saved.executes_code) == ("sklearn", True)


@pytest.mark.parametrize(("module", "kind"), [("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier"), ("catboost", "CatBoostClassifier")])
def test_a_model_that_was_not_trained_is_refused(module: str, kind: str, tmp_path: Path) -> None:
    model = getattr(pytest.importorskip(module), kind)()
    with pytest.raises(ingot.InvalidPackage, match=f"this {kind} is not fitted yet"):
        choose(model).save(model, tmp_path)


def test_a_time_series_answers_steps_and_spans_and_wants_exogenous_values_without_gaps(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    model, _ = cases_series.statsmodels_arima()
    (tmp_path / "arima").mkdir()
    _, asked = brought_back(model, tmp_path / "arima")
    second = asked.predict([{"step": 2}])[0]
    assert asked.predict([{}, {}])[1] == second
    assert asked.predict([{"steps": 3}])[0]["mean"][1] == second["mean"]
    assert second["lower"] < second["mean"] < second["upper"]
    with pytest.raises(ValueError, match="lies not after the data"):
        asked.predict([{"step": -1}])
    model, _ = cases_series.statsmodels_sarimax()
    (tmp_path / "sarimax").mkdir()
    _, asked = brought_back(model, tmp_path / "sarimax")
    with pytest.raises(ValueError, match="needs price of step 1, too"):
        asked.predict([{"step": 2, "price": 10.0}])


def test_words_have_neighbours_and_inference_is_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    (tmp_path / "words").mkdir()
    (tmp_path / "documents").mkdir()
    _, words = brought_back(cases_text.gensim_word2vec()[0], tmp_path / "words")
    found = words.predict_similar(["bank", "unheard"])
    assert len(found["words"][0]) == len(found["scores"][0]) == 8
    assert set(found["words"][1]) == {""}
    _, documents = brought_back(cases_text.gensim_doc2vec()[0], tmp_path / "documents")
    assert documents.predict(["a river"]).tolist() == documents.predict(["a river"]).tolist()


def test_a_spacy_component_of_ones_own_needs_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spacy = pytest.importorskip("spacy")
    source = "from spacy.language import Language\n\n\n@Language.component('shouting')\ndef shouting(doc):\n    return doc\n"
    (tmp_path / "own_components.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("own_components")
    pipeline = spacy.blank("en")
    pipeline.add_pipe("shouting")
    (tmp_path / "package").mkdir()
    with pytest.raises(ingot.InvalidPackage, match='the component "shouting" is code of own_components.py'):
        choose(pipeline).save(pipeline, tmp_path / "package")
    saved = choose(pipeline).save(pipeline, tmp_path / "package", code=[tmp_path / "own_components.py"])
    assert saved.executes_code and saved.description["imports"] == ["own_components"]


BARE: list[tuple[str, Callable[[], Any], Callable[[Any, Path], Any], str]] = [
    ("xgboost", cases_tabular.xgboost_classifier, lambda model, file: model.save_model(file), "model.ubj"),
    ("xgboost", cases_tabular.xgboost_booster, lambda model, file: model.save_model(file), "model.json"),
    ("lightgbm", cases_tabular.lightgbm_booster, lambda model, file: model.save_model(file), "model.txt"),
    ("catboost", cases_tabular.catboost_classifier, lambda model, file: model.save_model(str(file)), "model.cbm"),
    ("spacy", cases_text.spacy_blank, lambda model, file: model.to_disk(file), "pipeline"),
]


@pytest.mark.engine
@pytest.mark.parametrize(("framework", "make", "write", "name"), BARE, ids=[name for *_, name in BARE])
def test_a_file_of_the_framework_itself_is_known_without_a_word(
    framework: str, make: Callable[[], Any], write: Callable[[Any, Path], Any], name: str, tmp_path: Path
) -> None:
    pytest.importorskip(framework)
    model, data = make()
    write(model, tmp_path / name)
    version = ingot.push(tmp_path / name, "bare", store=tmp_path / "store")
    assert version.flavor == framework and not version.executes_code
    back = ingot.load("bare", store=tmp_path / "store", check="off")
    _, asked = brought_back(model, _folder(tmp_path))
    if framework == "spacy":
        assert back.predict(data) == asked.predict(data)
        return
    assert [feature.name for feature in version.signature.inputs] == list(data.columns)
    rows = json.loads(as_a_server_sends(data).to_json(orient="records"))
    if framework == "catboost":
        rows = [{**row, "region": str(row["region"])} for row in rows]
    assert back.predict(rows) == asked.predict(data).tolist()


def _folder(tmp_path: Path) -> Path:
    (tmp_path / "again").mkdir()
    return tmp_path / "again"


@pytest.mark.engine
def test_an_explainer_beside_its_model_explains_the_rows_that_predict_answers(tmp_path: Path) -> None:
    pytest.importorskip("shap")
    pytest.importorskip("xgboost")
    models, table = cases_text.shap_beside_model()
    ingot.push(models, "explained", X=table, store=tmp_path)
    back = ingot.load("explained", store=tmp_path, check="off")
    assert type(back.native["explainer"]) is type(models["explainer"])
    rows = json.loads(table.to_json(orient="records"))
    assert back.predict(rows) == models["model"].predict(table).tolist()
    told = back.explain(table)
    assert told["values"].tolist() == models["explainer"](table).values.tolist()
    assert len(back.explain(rows)) == len(rows) and set(back.explain(rows)[0]) == {"values", "base_values"}


@pytest.mark.parametrize("make", [getattr(cases_series, f"statsmodels_{kind}") for kind in ("ols", "formula", "logit", "arima")])
def test_what_is_advised_about_the_data_inside_keeps_predicting(make: Any, tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    results, asked = make()
    before = choose(results).save(results, tmp_path)
    (notice,) = before.notices
    assert re.search(r"hold the \d+ rows they were fitted on \([\d.]+ (kB|bytes)\)", notice), notice
    assert "None" not in notice
    if "remove_data" in notice:
        answer = flavors.predictor(results, "statsmodels", before.description).predict(asked)
        results.remove_data()
        again = choose(results).save(results, tmp_path)
        found = flavors.load(tmp_path, "statsmodels", again.description)
        np.testing.assert_allclose(flavors.predictor(found, "statsmodels", again.description).predict(asked), answer)


def test_a_text_has_the_same_vector_in_every_process(tmp_path: Path) -> None:
    model, texts = cases_text.gensim_doc2vec()
    saved = choose(model).save(model, tmp_path)
    here = flavors.predictor(model, saved.flavor, saved.description).predict(texts)
    code = (
        "import json, pathlib; from ingot._worker import flavors; "
        f"root, said = pathlib.Path({str(tmp_path)!r}), {saved.description!r}; "
        f"print(json.dumps(flavors.predictor(flavors.load(root, 'gensim', said), 'gensim', said).predict({texts!r}).tolist()))"
    )
    environ = {**os.environ, "PYTHONHASHSEED": "7"}
    told = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True).stdout
    np.testing.assert_array_equal(np.array(json.loads(told), dtype="float32"), here)


def test_moments_count_by_place_whatever_the_tables_index(tmp_path: Path) -> None:
    pytest.importorskip("prophet")
    model, asked = cases_series.prophet_plain()
    _, asking = brought_back(model, tmp_path)
    expected = asking.predict(asked)
    for index in (range(1000, 1000 + len(asked)), range(len(asked))[::-1], ["x"] * len(asked)):
        np.testing.assert_array_equal(asking.predict(asked.set_axis(index)), expected)
