"""Trains a churn model on made-up customers and puts it into the package beside this file.

python examples/hand-written/train.py

Writes `churn/model.pkl` and `churn/requirements.txt`; `interface.py` and `metadata.yaml` are already there.
"""

import pickle
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

PACKAGE = Path(__file__).parent / "churn"
PAYMENT_METHODS = ["Credit Card", "Debit Card", "PayPal"]
GENDERS = ["Male", "Female", "Other"]


def customers(count: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers who leave more often when they are new, pay much, or pay by PayPal."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "tenure": random.integers(1, 72, count).astype(float),
            "payment_method": random.choice(PAYMENT_METHODS, count),
            "monthly_charges": random.uniform(20, 120, count).round(2),
            "gender": random.choice(GENDERS, count),
        }
    )
    risk = 0.03 * rows.monthly_charges - 0.06 * rows.tenure + 0.8 * (rows.payment_method == "PayPal") - 1
    left = random.uniform(size=count) < 1 / (1 + np.exp(-risk))
    return rows, left.to_numpy()


def main() -> None:
    rows, left = customers(2000)
    categories = OneHotEncoder(categories=[PAYMENT_METHODS, GENDERS], handle_unknown="ignore")
    model = make_pipeline(
        make_column_transformer((categories, ["payment_method", "gender"]), remainder="passthrough"),
        RandomForestClassifier(n_estimators=50, max_depth=4, random_state=0),
    )
    model.fit(rows, left)
    with open(PACKAGE / "model.pkl", "wb") as file:
        pickle.dump(model, file)
    pins = [f"{name}=={version(name)}" for name in ("numpy", "pandas", "scikit-learn", "scipy")]
    (PACKAGE / "requirements.txt").write_text("\n".join(pins) + "\n")
    print(f"wrote {PACKAGE / 'model.pkl'} and requirements.txt")


if __name__ == "__main__":
    main()
