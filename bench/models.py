"""Makes the models that the measurements share: `python bench/models.py OUT`.

A random forest (100 trees of depth 10, 20 features) as a pickle, as an ONNX file, and as hand-written packages:
`array` takes one tensor, `frame` takes a DataFrame with a column a feature.
"""

import json
import pickle
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

FEATURES = [f"f{index}" for index in range(20)]

INTERFACE = '''import pickle
from pathlib import Path


class Forest:
    def __init__(self):
        with open(Path(__file__).parent / "model.pkl", "rb") as file:
            self.model = pickle.load(file)

    def predict(self, rows):
        return self.model.predict(rows)


def load_model():
    return Forest()
'''


def write_package(directory: Path, model: object, inputs: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "model.pkl", "wb") as file:
        pickle.dump(model, file)
    (directory / "interface.py").write_text(INTERFACE)
    pins = [f"{name}=={version(name)}" for name in ("numpy", "pandas", "scikit-learn", "scipy")]
    (directory / "requirements.txt").write_text("\n".join(pins) + "\n")
    output = "output:\n- name: label\n  type: integer\n"
    (directory / "metadata.yaml").write_text(f"name: forest-{directory.name}\nversion: 1.0\n{inputs}{output}")


def main(out: Path) -> None:
    values, labels = make_classification(n_samples=4000, n_features=20, n_informative=10, random_state=0)
    forest = {"n_estimators": 100, "max_depth": 10, "random_state": 0}
    by_array = RandomForestClassifier(**forest).fit(values, labels)
    by_frame = RandomForestClassifier(**forest).fit(pd.DataFrame(values, columns=FEATURES), labels)

    tensor = "input_features:\n- name: features\n  type: tensor\n  dtype: float64\n  shape: [-1, 20]\n"
    columns = "input_features:\n" + "".join(f"- name: {name}\n  type: float\n" for name in FEATURES)
    write_package(out / "array", by_array, tensor)
    write_package(out / "frame", by_frame, columns)

    types = [("features", FloatTensorType([None, 20]))]
    graph = to_onnx(by_array, initial_types=types, options={"zipmap": False}, target_opset=17)
    (out / "forest.onnx").write_bytes(graph.SerializeToString())
    sample = np.round(values[:64], 4)
    (out / "rows.json").write_text(json.dumps({"features": FEATURES, "rows": sample.tolist()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
