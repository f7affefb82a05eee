from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ingot.signature import Feature, Signature, infer_inputs, infer_outputs


def by_name(features: tuple[Feature, ...]) -> dict[str, Feature]:
    return {feature.name: feature for feature in features}


def test_columns_of_a_dataframe_keep_their_names_types_categories_and_ranges() -> None:
    frame = pd.DataFrame(
        {
            "age": [41, 33, 27],
            "income": [1.5, None, 3.0],
            "plan": pd.Categorical(["pro", "free", "pro"], categories=["free", "pro", "team"]),
            "city": ["Bern", "Oslo", None],
            "active": [True, False, True],
            "since": pd.to_datetime(["2024-01-01", "2024-05-01", None]),
        }
    )
    features = by_name(infer_inputs(frame))
    assert list(features) == ["age", "income", "plan", "city", "active", "since"]
    assert features["age"] == Feature("age", "integer", min=27, max=41)
    assert features["income"] == Feature("income", "float", nullable=True, min=1.5, max=3.0)
    assert features["plan"] == Feature("plan", "categorical", categories=("free", "pro", "team"))
    assert (features["city"].type, features["city"].nullable) == ("string", True)
    assert features["active"].type == "boolean"
    assert (features["since"].type, features["since"].nullable) == ("datetime", True)


def test_nullable_integers_stay_integers() -> None:
    feature = infer_inputs(pd.DataFrame({"visits": pd.array([1, None, 3], dtype="Int64")}))[0]
    assert feature == Feature("visits", "integer", nullable=True, min=1, max=3)


def test_an_integer_column_without_gaps_says_nothing_about_missing_values() -> None:
    assert infer_inputs(pd.DataFrame({"age": [1, 2]}))[0].nullable is None


def test_columns_of_an_array_are_named_by_the_estimator_or_counted() -> None:
    data = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert [feature.name for feature in infer_inputs(data)] == ["x0", "x1"]
    assert [feature.name for feature in infer_inputs(data, ["width", "height"])] == ["width", "height"]


def test_images_and_texts_are_tensors() -> None:
    assert infer_inputs(np.zeros((5, 8, 8), dtype="float32")) == (Feature("x", "tensor", dtype="FP32", shape=(-1, 8, 8)),)
    assert infer_inputs(["good", "bad"]) == (Feature("text", "tensor", dtype="BYTES", shape=(-1,)),)


def test_infinite_values_give_no_range() -> None:
    feature = infer_inputs(np.array([[1.0], [np.inf]]))[0]
    assert (feature.min, feature.max) == (None, None)


def test_named_classes_become_categories_and_numbered_ones_integers() -> None:
    class Classifier:
        classes_ = np.array(["no", "yes"])

    assert infer_outputs(np.array(["no"]), Classifier()) == (Feature("prediction", "categorical", categories=("no", "yes")),)
    assert infer_outputs(np.array([0, 1])) == (Feature("prediction", "integer"),)
    assert infer_outputs(np.array([0.5])) == (Feature("prediction", "float"),)


def test_several_outputs_are_named_after_the_target() -> None:
    answer = np.array([[1.0, 2.0]])
    target = pd.DataFrame({"north": [1.0], "east": [2.0]})
    assert [feature.name for feature in infer_outputs(answer, None, target)] == ["north", "east"]
    assert [feature.name for feature in infer_outputs(answer)] == ["prediction_0", "prediction_1"]
    assert [feature.name for feature in infer_outputs([{"score": 1.0, "why": "age"}])] == ["score", "why"]


@pytest.mark.parametrize(
    "feature",
    [Feature("a", "float", min=0.5, max=2.0, nullable=True), Feature("t", "tensor", dtype="FP32", shape=(-1, 3))],
)
def test_a_signature_survives_json(feature: Feature) -> None:
    signature = Signature((feature,), (Feature("y", "categorical", categories=("a", 1)),), partial=True)
    assert Signature.from_json(signature.to_json()) == signature
