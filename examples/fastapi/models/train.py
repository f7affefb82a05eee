"""Trains the churn model and publishes it: `python models/train.py`. Run it again for the next version."""

import argparse

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ingot


def customers(count: int = 2000, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Makes customers up: who is new, pays much and pays by check tends to leave."""
    random = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "tenure": random.uniform(0, 72, count).round(1),
            "monthly_charges": random.uniform(20, 120, count).round(2),
            "payment_method": random.choice(["card", "debit", "check"], count),
        }
    )
    risk = data["monthly_charges"] / 40 - data["tenure"] / 18 + (data["payment_method"] == "check") * 1.5
    leaves = random.uniform(size=count) < 1 / (1 + np.exp(-risk))
    return data, leaves.astype(int).rename("churned")


def train(regularization: float = 1.0) -> tuple[Pipeline, pd.DataFrame, pd.Series, float]:
    data, target = customers()
    train_x, test_x, train_y, test_y = train_test_split(data, target, random_state=0)
    columns = make_column_transformer(
        (StandardScaler(), ["tenure", "monthly_charges"]), (OneHotEncoder(handle_unknown="ignore"), ["payment_method"])
    )
    model = make_pipeline(columns, LogisticRegression(C=regularization)).fit(train_x, train_y)
    return model, train_x, train_y, float(roc_auc_score(test_y, model.predict_proba(test_x)[:, 1]))


def publish(regularization: float = 1.0, alias: str | None = "production") -> ingot.Version:
    model, data, target, auc = train(regularization)
    return ingot.push(model, "churn", X=data, y=target, metrics={"auc": auc}, alias=alias, description="Who will leave.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regularization", type=float, default=1.0, help="C of the logistic regression")
    parser.add_argument("--alias", default="production", help="the alias to point at the new version")
    arguments = parser.parse_args()
    print(publish(arguments.regularization, arguments.alias))
