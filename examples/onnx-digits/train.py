"""Trains on the handwritten digits and writes one ONNX file, with some test images beside it.

python examples/onnx-digits/train.py [OUT]

Without OUT it rewrites the copy that is kept here, which the demo uses on a machine without Python.
"""

import json
import sys
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

SAMPLES = 3


def main(out: Path) -> None:
    data = load_digits()
    train_images, test_images, train_truth, test_truth = train_test_split(
        data.data.astype(np.float32), data.target, test_size=0.3, random_state=4, stratify=data.target
    )
    model = LogisticRegression(C=0.01, max_iter=500).fit(train_images, train_truth)
    graph = to_onnx(
        model,
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        options={"zipmap": False},
        target_opset=17,
    )
    graph.doc_string = "Reads a handwritten digit from 8 by 8 grey values (0 to 16)."
    out.mkdir(parents=True, exist_ok=True)
    (out / "digits.onnx").write_bytes(graph.SerializeToString())
    report = {
        "accuracy": round(float(model.score(test_images, test_truth)), 3),
        "images": test_images[:SAMPLES].astype(int).tolist(),
        "truth": test_truth[:SAMPLES].tolist(),
    }
    (out / "digits.json").write_text(json.dumps(report) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
