"""Trains on the breast-cancer data and completes a hand-written package: four files in a directory.

python examples/demo/breast_cancer.py OUT [--better]
"""

import argparse
import json
import pickle
import shutil
from importlib.metadata import version
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).parent
SAMPLES = 5


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--better", action="store_true", help="train the second, better version")
    options = arguments.parse_args()

    data = load_breast_cancer(as_frame=True)
    rows = data.data.filter(like="mean ").rename(columns=lambda name: name.replace(" ", "_"))
    train_rows, test_rows, train_truth, test_truth = train_test_split(
        rows, data.target, test_size=0.3, random_state=7, stratify=data.target
    )
    if options.better:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    else:
        model = DecisionTreeClassifier(max_depth=2, random_state=0)
    model.fit(train_rows, train_truth)

    package = options.out / "breast-cancer"
    package.mkdir(parents=True, exist_ok=True)
    for name in ("interface.py", "metadata.yaml"):
        shutil.copyfile(HERE / "breast-cancer" / name, package / name)
    if options.better:
        metadata = (package / "metadata.yaml").read_text()
        metadata = metadata.replace("version: 1.0", "version: 1.1").replace("criterion: gini", "C: 1.0")
        (package / "metadata.yaml").write_text(metadata)
    with open(package / "model.pkl", "wb") as file:
        pickle.dump(model, file)
    pins = [f"{name}=={version(name)}" for name in ("numpy", "pandas", "scikit-learn", "scipy")]
    (package / "requirements.txt").write_text("\n".join(pins) + "\n")

    samples = test_rows.head(SAMPLES)
    report = {
        "accuracy": round(float(model.score(test_rows, test_truth)), 3),
        "rows": samples.to_dict("records"),
        "truth": [str(data.target_names[number]) for number in test_truth.head(SAMPLES)],
    }
    (options.out / "breast-cancer.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
