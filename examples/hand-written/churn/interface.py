import pickle
from pathlib import Path

import pandas as pd

PACKAGE = Path(__file__).parent


class ChurnModel:
    def __init__(self) -> None:
        with open(PACKAGE / "model.pkl", "rb") as file:
            self.model = pickle.load(file)

    def predict(self, rows: pd.DataFrame):
        return self.model.predict_proba(rows)[:, 1]


def load_model() -> ChurnModel:
    return ChurnModel()
