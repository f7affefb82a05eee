/** The Python module that MLflow calls to load a package of Ingot: it needs the package's files and the modules beside it. */
export const LOADER_SOURCE = `"""Loads a package of Ingot as a model of MLflow. Needs the files beside it and what the package itself requires."""

import json
import os
from pathlib import Path

def _load_pyfunc(path):
    """Called by mlflow.pyfunc with the directory of the package."""
    from _ingot_worker.flavors import asked_part, describe, predictor
    from _ingot_worker.inputs import input_kind
    from _ingot_worker.loading import load_native

    # Not beside this file: a process that loads several models imports it once.
    with open(os.path.join(os.path.dirname(os.path.abspath(path)), "code", "ingot_package.json"), encoding="utf-8") as file:
        facts = json.load(file)
    flavor, artifact = facts["flavor"], facts["artifact"]
    description = describe(Path(path), artifact)
    native = load_native(path, flavor, facts["interface"], artifact, description)
    native, flavor, description = asked_part(native, flavor, description)
    features = (facts["signature"] or {}).get("inputs") or []
    asked = predictor(native, flavor, description or {})
    return _Model(native, asked, input_kind(asked, flavor, features, description), features)


class _Model:
    """Asks a package's model with what MLflow gives it: a table, an array, or arrays by name."""

    def __init__(self, native, asked, kind, features):
        self._native, self._asked, self._kind, self._features = native, asked, kind, features

    def get_raw_model(self):
        return self._native

    def predict(self, model_input, params=None):
        call = getattr(self._asked, "predict", None)
        if not callable(call):
            call = self._asked
        return call(self._given(model_input))

    def _given(self, data):
        if not hasattr(data, "columns"):
            return data
        names = [feature["name"] for feature in self._features]
        if names and all(name in data.columns for name in names):
            data = data[names]
        if self._kind == "array":
            return data.to_numpy()
        if self._kind == "rows":
            return json.loads(data.to_json(orient="records", date_format="iso"))
        if self._kind == "texts":
            return [str(text) for text in data.iloc[:, 0]]
        if self._kind == "tensors":
            arrays = {str(name): data[name].to_numpy() for name in data.columns}
            return next(iter(arrays.values())) if len(arrays) == 1 else arrays
        return data
`;
