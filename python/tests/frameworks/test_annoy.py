"""An index of annoy takes vectors in every form that a table, a request or a program gives them."""

from __future__ import annotations

from typing import Any

import cases_text
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("annoy")

from ingot._worker import flavors  # noqa: E402

VECTORS = np.random.default_rng(2).normal(size=(4, 8)).astype("float32")
COLUMNS = {f"x{place}": VECTORS[:, place] for place in range(8)}


@pytest.mark.parametrize(
    "form",
    [
        VECTORS.tolist(),
        list(VECTORS),
        {"vector": VECTORS},
        {"vector": list(VECTORS)},
        COLUMNS,
        pd.DataFrame(COLUMNS),
        [{"vector": row} for row in VECTORS],
        [{name: float(values[place]) for name, values in COLUMNS.items()} for place in range(4)],
    ],
    ids=["lists", "arrays", "tensor", "list of arrays", "columns", "table", "rows of vectors", "rows of numbers"],
)
def test_vectors_come_in_many_forms(form: Any) -> None:
    index, _ = cases_text.annoy_angular()
    asked = flavors.predictor(index, "annoy", {})
    assert asked.predict(form)["neighbors"] == asked.predict(VECTORS)["neighbors"]
    assert len(asked.predict(form)["neighbors"]) == 4
