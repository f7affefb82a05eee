"""BentoML with its defaults around the same pickle."""

import os
import pickle
from pathlib import Path

import bentoml
import numpy as np


@bentoml.service(workers=1)
class Forest:
    def __init__(self) -> None:
        with open(Path(os.environ["BENCH_MODELS"]) / "array" / "model.pkl", "rb") as file:
            self.model = pickle.load(file)

    @bentoml.api
    def array(self, rows: list[list[float]]) -> list[int]:
        return self.model.predict(np.asarray(rows)).tolist()
