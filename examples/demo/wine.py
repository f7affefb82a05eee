"""Trains on the wine data and pushes the fitted model as it is, with the Python SDK.

python examples/demo/wine.py OUT
"""

import json
import sys
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import ingot

SAMPLES = 3


def main(out: Path) -> None:
    data = load_wine(as_frame=True)
    rows = data.data.rename(columns={"od280/od315_of_diluted_wines": "od280_od315"})
    cultivars = data.target.map(lambda number: f"cultivar {number}")
    train_rows, test_rows, train_truth, test_truth = train_test_split(
        rows, cultivars, test_size=0.3, random_state=3, stratify=cultivars
    )
    model = RandomForestClassifier(n_estimators=20, random_state=0).fit(train_rows, train_truth)
    accuracy = round(float(model.score(test_rows, test_truth)), 3)

    version = ingot.push(model, "wine", X=train_rows, metrics={"accuracy": accuracy})

    samples = test_rows.head(SAMPLES)
    report = {
        "ref": version.ref,
        "accuracy": accuracy,
        "rows": samples.to_dict("records"),
        "truth": test_truth.head(SAMPLES).tolist(),
    }
    (out / "wine.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
