from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import ingot
from ingot.captured.document import capture
from ingot.captured.example import rows_of, synthetic_row
from ingot.model import Model, ModelInfo
from ingot.serializers import Saved, choose
from ingot.signature import Feature, Signature, infer_inputs, infer_outputs


def framed() -> tuple[pd.DataFrame, pd.Series[int]]:
    data = pd.DataFrame({"age": [20, 30, 40, 50], "income": [1.0, 2.0, 3.0, 4.0]})
    return data, pd.Series([0, 0, 1, 1], name="churned")


def loaded(native: Any, signature: Signature | None = None, flavor: str = "sklearn", takes: str | None = None) -> Model:
    return Model(native, ModelInfo.unpublished(flavor, signature or Signature()), takes=takes)


def test_rows_give_plain_values_one_a_row_and_a_single_row_a_single_value() -> None:
    data, target = framed()
    model = loaded(LogisticRegression().fit(data, target), Signature(infer_inputs(data)))
    assert model.predict([{"age": 20, "income": 1.0}, {"income": 4.0, "age": 50}]) == [0, 1]
    assert model.predict({"age": 50, "income": 4.0}) == 1
    assert type(model.predict({"age": 50, "income": 4.0})) is int
    assert model.predict({"age": [20, 50], "income": [1.0, 4.0]}) == [0, 1]


def test_frames_and_arrays_give_what_the_framework_gives() -> None:
    data, target = framed()
    model = loaded(LogisticRegression().fit(data, target), Signature(infer_inputs(data)))
    assert isinstance(model.predict(data), np.ndarray)
    assert model.predict(data[["income", "age"]]).tolist() == model.predict(data).tolist()
    plain = loaded(LinearRegression().fit(data.to_numpy(), target))
    assert isinstance(plain.predict(data.to_numpy()), np.ndarray)


def test_probabilities_are_there_only_when_the_model_has_them() -> None:
    data, target = framed()
    classifier = loaded(LogisticRegression().fit(data, target), Signature(infer_inputs(data)))
    assert len(classifier.predict_proba({"age": 20, "income": 1.0})) == 2
    regressor = loaded(LinearRegression().fit(data, target))
    assert not hasattr(regressor, "predict_proba")


def test_rows_that_do_not_fit_name_what_is_missing_and_what_is_extra() -> None:
    data, target = framed()
    model = loaded(LogisticRegression().fit(data, target), Signature(infer_inputs(data)))
    with pytest.raises(ingot.SignatureMismatch, match="missing 'income'; unknown 'incom'") as caught:
        model.predict([{"age": 20, "incom": 1.0}])
    assert caught.value.nearest == "income"
    with pytest.raises(ingot.SignatureMismatch, match="lacks 'income'"):
        model.predict(data[["age"]])


def test_missing_values_reach_the_model_as_nan() -> None:
    seen: list[Any] = []

    def peek(frame: pd.DataFrame) -> list[int]:
        seen.append(frame)
        return [0] * len(frame)

    signature = Signature((Feature("age", "integer"), Feature("income", "float"), Feature("city", "string")))
    loaded(peek, signature, "function", "dataframe").predict([{"age": None, "income": None, "city": None}])
    assert seen[0].isna().all(axis=None)


def test_several_outputs_come_back_as_one_object_a_row() -> None:
    model = loaded(lambda rows: {"score": [0.1, 0.2], "rank": [1, 2]}, flavor="function", takes="rows")
    assert model.predict([{"x": 1}, {"x": 2}]) == [{"score": 0.1, "rank": 1}, {"score": 0.2, "rank": 2}]


def test_an_example_is_made_up_and_never_a_row_of_the_data() -> None:
    data = pd.DataFrame({"age": [20, 31, 47, 58, 90], "name": ["Ann", "Bob", "Cid", "Dee", "Eve"], "plan": ["pro"] * 5})
    row = synthetic_row(data, infer_inputs(data))
    assert row == {"age": 47, "name": "text", "plan": "pro"}
    assert row not in data.to_dict("records")


def test_an_example_may_be_given_in_any_form() -> None:
    names = ["age", "plan"]
    rows = [{"age": 41, "plan": "pro"}]
    assert rows_of({"age": 41, "plan": "pro"}, names) == rows
    assert rows_of([[41, "pro"]], names) == rows
    assert rows_of(pd.DataFrame(rows), names) == rows
    assert rows_of(pd.DataFrame(rows).iloc[0], names) == rows


def capture_of(model: Any, data: Any = None, target: Any = None, **more: Any) -> dict[str, Any]:
    saved = Saved("sklearn", frozenset({"sklearn"}), executes_code=True, reason="a pickle", takes="array")
    return capture(model, saved, serializer="sklearn", environment={"requirements": []}, data=data, target=target, **more)


def test_a_capture_has_the_signature_the_example_and_where_it_came_from() -> None:
    data, target = framed()
    document = capture_of(LogisticRegression().fit(data, target), data, target, metrics={"auc": np.float64(0.9)}, tags={"team": 1})
    assert [feature["name"] for feature in document["signature"]["inputs"]] == ["age", "income"]
    assert document["signature"]["outputs"] == [{"name": "churned", "type": "integer"}]
    assert document["example"]["inputs"] == [{"age": 40, "income": 3.0}]
    assert document["example"]["predictions"] == [1]
    assert (document["metrics"], document["tags"]) == ({"auc": 0.9}, {"team": "1"})
    assert document["params"]["C"] == 1.0
    assert document["model"]["class"] == "sklearn.linear_model._logistic.LogisticRegression"
    assert document["serializer"] == {"name": "sklearn", "executesCode": True, "reason": "a pickle"}


def test_without_data_the_signature_is_partial() -> None:
    data, target = framed()
    signature = capture_of(LogisticRegression().fit(data, target))["signature"]
    assert signature["partial"] is True
    assert [feature["name"] for feature in signature["inputs"]] == ["age", "income"]
    assert signature["outputs"] == [{"name": "prediction", "type": "integer"}]


def test_a_metric_that_is_no_number_is_refused() -> None:
    data, target = framed()
    with pytest.raises(ingot.UsageError, match='metric "auc" is nan'):
        capture_of(LogisticRegression().fit(data, target), metrics={"auc": float("nan")})


def test_a_text_pipeline_takes_texts() -> None:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(["good film", "bad film"], [1, 0])
    document = capture_of(model, ["good film", "bad film"])
    assert document["signature"]["inputs"] == [{"name": "text", "type": "tensor", "dtype": "BYTES", "shape": [-1]}]
    again = loaded(model, Signature.from_json(document["signature"]))
    assert again.predict([{"text": "good"}]) == [1]


def test_onnx_is_known_by_its_first_byte_and_by_its_class() -> None:
    assert choose(b"\x08\x0a").name == "onnx"
    with pytest.raises(ingot.InvalidPackage):
        choose(b"PK")


def test_a_list_is_one_row_of_a_model_that_takes_vectors() -> None:
    signature = Signature((Feature("x", "tensor", dtype="FP64", shape=(-1, 2)),))
    model = loaded(lambda array: array.sum(axis=1), signature, flavor="function", takes="array")
    assert model.predict({"x": [1.0, 2.0]}) == 3.0
    assert model.predict({"x": [[1.0, 2.0], [3.0, 4.0]]}) == [3.0, 7.0]
    assert model.predict([{"x": [1.0, 2.0]}]) == [3.0]


def test_times_come_to_the_model_in_the_zone_it_learned_from() -> None:
    when = pd.Series(pd.date_range("2026-03-28 22:00", periods=6, freq="h", tz="Europe/Berlin"), name="when")
    (feature,) = infer_inputs(when.to_frame())
    assert feature.timezone == "Europe/Berlin"
    model = loaded(lambda frame: frame["when"].dt.hour, Signature((feature,)), flavor="function", takes="dataframe")
    hours = when.dt.hour.tolist()
    # The clocks go forward in that night, so the offsets differ.
    assert model.predict([{"when": moment.isoformat()} for moment in when]) == hours
    assert model.predict([{"when": moment.tz_convert("UTC").isoformat()} for moment in when]) == hours
    assert model.predict([{"when": moment} for moment in when]) == hours
    assert model.predict([{"when": "2026-06-01T07:00"}, {"when": "2026-03-29T02:30"}]) == [7, 3]


def test_times_without_a_zone_stay_as_they_are() -> None:
    (feature,) = infer_inputs(pd.DataFrame({"when": pd.date_range("2026-01-01", periods=3)}))
    model = loaded(lambda frame: frame["when"].dt.tz is None, Signature((feature,)), flavor="function", takes="dataframe")
    assert "timezone" not in feature.to_json()
    assert model.predict([{"when": "2026-01-31"}, {"when": "2026-01-31T10:00:00"}, {"when": None}]) is True


def test_lists_and_arrays_get_the_names_and_types_that_the_model_learned() -> None:
    frame = pd.DataFrame({"when": pd.date_range("2026-01-01", periods=3), "age": [1, 2, 3], "plan": ["a", "b", "c"]})
    signature = Signature(infer_inputs(frame))
    model = loaded(lambda data: data["when"].dt.day + data["age"], signature, flavor="function", takes="dataframe")
    rows = [["2026-01-05", 1, "a"], ("2026-01-06", 2, "b")]
    assert model.predict(rows).tolist() == [6, 8]
    assert model.predict(np.array(rows, dtype=object)).tolist() == [6, 8]
    with pytest.raises(ingot.SignatureMismatch, match="row 1 has 2 values; the model takes 3"):
        model.predict([rows[0], ["2026-01-05", 1]])


def test_a_class_list_without_classes_makes_no_categories() -> None:
    class Ranker:
        classes_ = np.array([])

    assert infer_outputs([0.5, 0.25], Ranker())[0].to_json() == {"name": "prediction", "type": "float"}
