"""Wraps the fitted model: how it is loaded, and what it answers."""

import pickle
from pathlib import Path

import pandas as pd

PACKAGE = Path(__file__).parent
NAMES = ["malignant", "benign"]


class Diagnosis:
    def __init__(self) -> None:
        with open(PACKAGE / "model.pkl", "rb") as file:
            self.model = pickle.load(file)

    def predict(self, rows: pd.DataFrame) -> list[str]:
        return [NAMES[number] for number in self.model.predict(rows)]


def load_model() -> Diagnosis:
    return Diagnosis()
