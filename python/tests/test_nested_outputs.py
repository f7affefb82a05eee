"""Numbers of numpy inside of rows of objects are served as numbers."""

from __future__ import annotations

import json

import numpy

from ingot._worker.outputs import to_tensors


def test_the_score_of_an_entity_stays_a_number() -> None:
    rows = [[{"word": "the", "score": numpy.float32(0.5), "at": numpy.arange(2)}], []]
    [answer] = to_tensors(rows, 2, [], "predict")
    assert [json.loads(text) for text in answer.values()] == [[{"word": "the", "score": 0.5, "at": [0, 1]}], []]
