"""What MLflow's predict is given follows MLflow's own signature."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from ingot._worker.flavors import WrongInput
from ingot._worker.flavors.mlflow import predictor


def asked(specs: list[dict[str, Any]], table: pd.DataFrame) -> Any:
    schema = SimpleNamespace(to_json=lambda: json.dumps(specs))
    signature = SimpleNamespace(inputs=schema, outputs=None)
    native = SimpleNamespace(metadata=SimpleNamespace(signature=signature), predict=lambda data: data)
    return predictor(native, {}).predict(table)


def test_a_text_without_a_name_is_not_given_the_name_that_it_has_in_requests() -> None:
    given = asked([{"type": "string"}], pd.DataFrame({"input": ["good", "bad"]}))
    assert given.to_dict("list") == {0: ["good", "bad"]}


def test_columns_without_names_are_counted_in_the_order_of_the_signature_with_its_types() -> None:
    table = pd.DataFrame({"input_1": [1.0, 2.0], "input_0": [3, 4]})
    given = asked([{"type": "double"}, {"type": "long"}], table)
    assert given.to_dict("list") == {0: [3.0, 4.0], 1: [1, 2]}
    assert [str(kind) for kind in given.dtypes] == ["float64", "int64"]


def test_named_columns_keep_their_names() -> None:
    given = asked([{"type": "double", "name": "age"}], pd.DataFrame({"age": [1]}))
    assert given.to_dict("list") == {"age": [1.0]}


def answering(answer: Any) -> Any:
    """Asks a model without signature, whose predict gives (or raises) what is said."""

    def predict(_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return predictor(SimpleNamespace(metadata=None, predict=predict), {})


def test_a_forecast_answers_its_one_row_with_a_list() -> None:
    span = pd.DataFrame({"start": [80], "end": [82]})
    moments = pd.Series([1.0, 2.0, 3.0], index=[80, 81, 82])
    assert answering(moments).predict(span) == [[1.0, 2.0, 3.0]]
    assert answering(moments.to_frame("sales")).predict(span) == [{"sales": [1.0, 2.0, 3.0]}]
    two = pd.DataFrame({"x": [1, 2]})
    assert answering(moments).predict(two) is moments


def test_what_mlflow_refuses_is_the_mistake_of_the_caller() -> None:
    refusal = type("MlflowException", (Exception,), {"__module__": "mlflow.exceptions"})
    with pytest.raises(WrongInput, match="columns called start and end"):
        answering(refusal("columns called start and end")).predict(pd.DataFrame({"x": [1]}))
    with pytest.raises(ZeroDivisionError):
        answering(ZeroDivisionError()).predict(pd.DataFrame({"x": [1]}))
