"""Pushes small scikit-learn models one after the other, and prints what each took as JSON.

python push.py ingot|modelstore|mlflow PLACE TIMES

Importing and fitting come before; what is timed is the one call that a user writes. Processor time counts the processes
that the call starts, though not those of a server.
"""

import json
import os
import sys
import time
import warnings

# Its own folder lies on the path first.
sys.path.pop(0)
warnings.simplefilter("ignore")

from sklearn.datasets import load_iris  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

X, y = load_iris(return_X_y=True)


def with_ingot(place):
    import ingot

    return lambda model: ingot.push(model, "iris", X=X, y=y, metrics={"accuracy": 0.97}, store=place)


def with_modelstore(place):
    from modelstore import ModelStore

    os.makedirs(place, exist_ok=True)
    store = ModelStore.from_file_system(root_directory=place)
    return lambda model: store.upload("iris", model=model)


def with_mlflow(place):
    import mlflow
    import mlflow.sklearn
    from mlflow.models import infer_signature

    mlflow.set_tracking_uri(place)
    mlflow.set_experiment("bench")

    def push(model):
        with mlflow.start_run():
            mlflow.log_metric("accuracy", 0.97)
            signature = infer_signature(X, model.predict(X))
            mlflow.sklearn.log_model(model, name="model", registered_model_name="iris", signature=signature)

    return push


def cpu():
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main(tool, place, times):
    push = {"ingot": with_ingot, "modelstore": with_modelstore, "mlflow": with_mlflow}[tool](place)
    taken = []
    for index in range(int(times)):
        # Another number each time, so that no content is there already.
        model = LogisticRegression(C=time.time() % 1 + index + 0.5, max_iter=500).fit(X, y)
        wall, used = time.perf_counter(), cpu()
        push(model)
        taken.append({"wall": time.perf_counter() - wall, "cpu": cpu() - used})
    print(json.dumps(taken))


main(*sys.argv[1:])
