"""Logs, registers and loads a small scikit-learn model several times: `python mlflow_flow.py URI TIMES [NAME]`.

Prints one JSON line: wall and processor seconds of each time, the first one (which imports) apart.
"""

import json
import logging
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import mlflow  # noqa: E402
import numpy as np  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

logging.disable(logging.WARNING)


def once(name, model, rows, signature):
    """One flow; the model is checked by what it answers."""
    with mlflow.start_run(run_name="flow"):
        mlflow.log_metric("auc", 0.9)
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=signature,
            registered_model_name=name,
            pip_requirements=["scikit-learn"],
        )
    loaded = mlflow.sklearn.load_model(f"models:/{name}/{info.registered_model_version}")
    assert (loaded.predict(rows) == model.predict(rows)).all()


def main(address, times, name="flow"):
    mlflow.set_tracking_uri(address)
    rows = np.arange(80.0).reshape(40, 2) % 7
    model = LogisticRegression().fit(rows, rows.sum(axis=1) > 5)
    signature = infer_signature(rows, model.predict(rows))
    taken = []
    for _ in range(int(times)):
        began, before = time.perf_counter(), os.times()
        once(name, model, rows, signature)
        after = os.times()
        cpu = after.user - before.user + after.system - before.system
        taken.append({"wall": time.perf_counter() - began, "cpu": cpu})
    print(json.dumps({"first": taken[0], "later": taken[1:]}))


main(*sys.argv[1:])
