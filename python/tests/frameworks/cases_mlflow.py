"""MLflow: Python models, and what ``mlflow.pyfunc.load_model`` gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from matrix import Case


def _table() -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(11)
    return pd.DataFrame({"tenure": random.integers(0, 60, 30), "charges": random.normal(50, 10, 30)})


def python_model() -> tuple[Any, Any]:
    import mlflow

    class Doubled(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc, unused-ignore]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return (model_input["tenure"] + model_input["charges"]).to_numpy() * 2

    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder, "model"))
        signature = mlflow.models.infer_signature(_table(), _table()["charges"])
        mlflow.pyfunc.save_model(place, python_model=Doubled(), signature=signature, pip_requirements=["mlflow"])
        return mlflow.pyfunc.load_model(place), _table()


def loaded_estimator() -> tuple[Any, Any]:
    import mlflow
    from sklearn.linear_model import LogisticRegression

    table = _table()
    fitted = LogisticRegression().fit(table, table["tenure"] > 30)
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder, "model"))
        signature = mlflow.models.infer_signature(table, fitted.predict(table))
        mlflow.sklearn.save_model(fitted, place, signature=signature, pip_requirements=["mlflow", "scikit-learn"])
        return mlflow.pyfunc.load_model(place), table


CASES = [
    Case("mlflow", "PythonModel", python_model),
    Case("mlflow", "PyFuncModel of scikit-learn", loaded_estimator),
]
