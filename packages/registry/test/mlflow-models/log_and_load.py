"""Logs, registers, names and loads a small model of each framework that is there, and loads what others have pushed.

Takes references of pushed models as arguments; TORCH names another environment, where PyTorch is. Prints one JSON line
a model: what it answered, and what it should have.
"""

import glob
import importlib.util
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature

warnings.filterwarnings("ignore")
sys.path += glob.glob(f"{os.environ['TORCH']}/lib/*/site-packages") if "TORCH" in os.environ else []
TABLE = pd.DataFrame({"a": np.arange(40.0) % 7, "b": np.arange(40.0) % 5})
LABELS = (TABLE["a"] + TABLE["b"] > 5).astype(int)
FEW = TABLE[:4]
#: Names that the client can ask for; it cuts its addresses at "#" and "?", and escapes no "%".
NAMES = ["two words", "\u00e9t\u00e9 \u6a21\u578b \U0001f98a", "e\u0301", "plus+and&=", "semi;colon", "it's \"so\"", "50%", "colon:", "..dots..", "[b]{c}"]


def there(name):
    return importlib.util.find_spec(name) is not None


def sklearn():
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(TABLE, LABELS)
    mlflow.sklearn.log_model(model, name="model", input_example=FEW, **common(model, ["scikit-learn", "pandas"]))
    return model.predict(FEW)


def xgboost():
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=3).fit(TABLE, LABELS)
    mlflow.xgboost.log_model(model, name="model", **common(model, ["xgboost", "pandas"]))
    return model.predict(FEW)


def lightgbm():
    import lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1).fit(TABLE, LABELS)
    mlflow.lightgbm.log_model(model, name="model", **common(model, ["lightgbm", "pandas"]))
    return model.predict(FEW)


def torch():
    import torch

    model = torch.nn.Linear(2, 1).eval()
    example = FEW.to_numpy(dtype="float32")
    mlflow.pytorch.log_model(model, name="model", input_example=example, pip_requirements=["torch"], registered_model_name="torch")
    return model(torch.tensor(FEW.to_numpy(dtype="float32"))).detach().numpy()


def onnx():
    from onnx import TensorProto, helper

    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", sides[:1], sides[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    mlflow.onnx.log_model(model, name="model", pip_requirements=["onnxruntime"], registered_model_name="onnx")
    return FEW.to_numpy() * 2


class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] * 2).to_numpy()


def pyfunc():
    signature = infer_signature(TABLE, np.array([1.0]))
    requirements = {"pip_requirements": ["mlflow", "pandas"], "registered_model_name": "pyfunc"}
    mlflow.pyfunc.log_model(name="model", python_model=Twice(), signature=signature, **requirements)
    return FEW["a"].to_numpy() * 2


def common(model, requirements):
    name = type(model).__module__.split(".")[0]
    return {
        "signature": infer_signature(TABLE, model.predict(TABLE)),
        "pip_requirements": requirements,
        "registered_model_name": name,
    }


def answer(reference, given):
    got = mlflow.pyfunc.load_model(reference).predict(given)
    got = next(iter(got.values())) if isinstance(got, dict) else got
    return np.asarray(got).ravel().tolist()


def files(client):
    """Logs files of any name, one by one, and says which are listed and which come back as they were."""
    run = client.create_run("0").info.run_id
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            path = Path(folder, name)
            path.write_bytes(os.urandom(1000))
            client.log_artifact(run, str(path), "a folder/\u540d")
        listed = [entry.path for entry in client.list_artifacts(run, "a folder/\u540d")]
        back = Path(client.download_artifacts(run, "a folder", tempfile.mkdtemp(dir=folder)), "\u540d")
        same = [name for name in NAMES if (back / name).read_bytes() == Path(folder, name).read_bytes()]
    wanted = sorted(f"a folder/\u540d/{name}" for name in NAMES)
    print(json.dumps({"model": "files", "listed": sorted(listed) == wanted, "same": same == NAMES}), flush=True)


def main():
    client = MlflowClient()
    files(client)
    for make in (sklearn, xgboost, lightgbm, torch, onnx, pyfunc):
        name = make.__name__
        if name != "pyfunc" and not (there(name) and (name != "onnx" or there("onnxruntime"))):
            print(json.dumps({"model": name, "missing": True}), flush=True)
            continue
        with mlflow.start_run() as run:
            mlflow.log_metric("auc", 0.9)
            mlflow.log_param("c", 1)
            want = np.asarray(make()).ravel().tolist()
        client.set_registered_model_alias(name, "prod", "1")
        given = FEW.to_numpy(dtype="float32") if name in ("onnx", "torch") else FEW
        got = answer(f"models:/{name}@prod", given)
        print(json.dumps({"model": name, "run": run.info.run_id, "got": got, "want": want}), flush=True)
    for reference in sys.argv[1:]:
        given = {"x": FEW.to_numpy(dtype="float32")} if "onnx" in reference else FEW
        print(json.dumps({"model": reference, "got": answer(reference, given)}), flush=True)


main()
