"""What MLflow's predict is given follows MLflow's own signature."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pandas as pd

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
