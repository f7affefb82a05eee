"""Pushes small scikit-learn models one after the other, loads the last, and prints what each took as JSON.

python push.py ingot|modelstore|mlflow PLACE TIMES

Importing and fitting come before; what is timed is the one call that a user writes. Processor time counts the processes
that the call starts, though not those of a server.
"""

import glob
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

    push = lambda model: ingot.push(model, "iris", X=X, y=y, metrics={"accuracy": 0.97}, store=place)  # noqa: E731
    return push, lambda version: version.load()


def with_modelstore(place):
    from modelstore import ModelStore

    os.makedirs(place, exist_ok=True)
    store = ModelStore.from_file_system(root_directory=place)
    push = lambda model: store.upload("iris", model=model)  # noqa: E731
    return push, lambda told: store.load("iris", told["model"]["model_id"])


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
            return mlflow.sklearn.log_model(model, name="model", registered_model_name="iris", signature=signature)

    return push, lambda info: mlflow.sklearn.load_model(info.model_uri)


def cpu():
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system + living()


def living():
    """Processor time of child processes that go on: an engine that is kept."""
    ticks = 0
    for status in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(status) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == os.getpid():
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(call, *given):
    wall, used = time.perf_counter(), cpu()
    told = call(*given)
    return told, {"wall": time.perf_counter() - wall, "cpu": cpu() - used}


def main(tool, place, times):
    push, load = {"ingot": with_ingot, "modelstore": with_modelstore, "mlflow": with_mlflow}[tool](place)
    pushes, loads = [], []
    for index in range(int(times)):
        # Another number each time, so that no content is there already.
        model = LogisticRegression(C=time.time() % 1 + index + 0.5, max_iter=500).fit(X, y)
        told, taken = timed(push, model)
        pushes.append(taken)
    for _ in range(2):
        loads.append(timed(load, told)[1])
    print(json.dumps({"pushes": pushes, "loads": loads}))


main(*sys.argv[1:])
