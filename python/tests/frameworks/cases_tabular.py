"""Boosted trees: XGBoost, LightGBM, CatBoost, with missing values, categories and labels of every type."""

from __future__ import annotations

from typing import Any

from matrix import Case

ROWS = 240


def _table(*, categories: bool = True, missing: bool = True) -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(7)
    table = pd.DataFrame({"age": random.integers(18, 80, ROWS), "spent": random.normal(50, 20, ROWS)})
    if missing:
        table.loc[::9, "spent"] = np.nan
    if categories:
        table["plan"] = pd.Categorical(random.choice(["free", "pro", "team"], ROWS))
        table["region"] = pd.Categorical(random.choice([1, 2, 30], ROWS))
    return table


def _binary(table: Any) -> Any:
    score = table["spent"].fillna(40) + table["age"] / 3
    score = score + (table["plan"] == "pro") * 20 if "plan" in table else score
    return (score > score.median()).astype(int).to_numpy()


def _labels(table: Any, names: list[Any]) -> Any:
    import numpy as np

    return np.array(names)[np.digitize(table["age"], np.linspace(18, 80, len(names) + 1)[1:-1])]


def xgboost_classifier() -> tuple[Any, Any]:
    import xgboost

    table = _table()
    target = _binary(table)
    model = xgboost.XGBClassifier(n_estimators=20, enable_categorical=True, early_stopping_rounds=3, eval_metric="auc", n_jobs=1)
    return model.fit(table, target, eval_set=[(table, target)], verbose=False), table


def xgboost_multiclass() -> tuple[Any, Any]:
    import xgboost

    table = _table(categories=False)
    return xgboost.XGBClassifier(n_estimators=6, n_jobs=1).fit(table, _labels(table, [0, 1, 2])), table


def xgboost_regressor_array() -> tuple[Any, Any]:
    import xgboost

    table = _table(categories=False)
    return xgboost.XGBRegressor(n_estimators=8, max_depth=3, n_jobs=1).fit(table.to_numpy(), table["age"]), table.to_numpy()


def xgboost_ranker() -> tuple[Any, Any]:
    import xgboost

    table = _table(categories=False)
    groups = [index // 12 for index in range(ROWS)]
    return xgboost.XGBRanker(n_estimators=5, n_jobs=1).fit(table, _binary(table), qid=groups), table


def xgboost_forest_classifier() -> tuple[Any, Any]:
    import xgboost

    table = _table(categories=False)
    return xgboost.XGBRFClassifier(n_estimators=6, n_jobs=1).fit(table, _binary(table)), table


def xgboost_forest_regressor() -> tuple[Any, Any]:
    import xgboost

    table = _table(categories=False)
    return xgboost.XGBRFRegressor(n_estimators=6, n_jobs=1).fit(table, table["age"]), table


def xgboost_booster() -> tuple[Any, Any]:
    import xgboost

    table = _table()
    matrix = xgboost.DMatrix(table, label=_binary(table), enable_categorical=True)
    return xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, num_boost_round=8), table


def xgboost_dart_booster_array() -> tuple[Any, Any]:
    import xgboost

    table = _table(categories=False)
    matrix = xgboost.DMatrix(table.to_numpy(), label=_binary(table))
    return xgboost.train({"booster": "dart", "rate_drop": 0.2, "nthread": 1}, matrix, num_boost_round=5), table.to_numpy()


def xgboost_in_pipeline() -> tuple[Any, Any]:
    import xgboost
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = _table(categories=False)
    return make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=5, n_jobs=1)).fit(table, _binary(table)), table


def lightgbm_classifier_text_labels() -> tuple[Any, Any]:
    import lightgbm

    table = _table()
    model = lightgbm.LGBMClassifier(n_estimators=12, verbose=-1, n_jobs=1)
    return model.fit(table, _labels(table, ["high", "low", "middle"])), table


def lightgbm_classifier_truth() -> tuple[Any, Any]:
    import lightgbm

    table = _table()
    return lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(table, _binary(table).astype(bool)), table


def lightgbm_early_stopped() -> tuple[Any, Any]:
    import lightgbm

    table = _table()
    target = _binary(table)
    model = lightgbm.LGBMClassifier(n_estimators=60, verbose=-1, n_jobs=1, learning_rate=0.6)
    stop = lightgbm.early_stopping(2, verbose=False)
    return model.fit(table[:160], target[:160], eval_set=[(table[160:], target[160:])], callbacks=[stop]), table


def lightgbm_regressor_array() -> tuple[Any, Any]:
    import lightgbm

    table = _table(categories=False)
    return lightgbm.LGBMRegressor(n_estimators=7, verbose=-1, n_jobs=1).fit(table.to_numpy(), table["age"]), table.to_numpy()


def lightgbm_ranker() -> tuple[Any, Any]:
    import lightgbm

    table = _table(categories=False)
    model = lightgbm.LGBMRanker(n_estimators=5, verbose=-1, n_jobs=1)
    return model.fit(table, _binary(table), group=[12] * (ROWS // 12)), table


def lightgbm_booster() -> tuple[Any, Any]:
    import lightgbm

    table = _table()
    data = lightgbm.Dataset(table, label=_binary(table))
    return lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, num_boost_round=9), table


def _catboost_table() -> Any:
    table = _table()
    return table.assign(plan=table["plan"].astype(object), region=table["region"].astype("int64"))


_QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 1}


def catboost_classifier() -> tuple[Any, Any]:
    import catboost

    table = _catboost_table()
    model = catboost.CatBoostClassifier(iterations=12, cat_features=["plan", "region"], **_QUIET)
    return model.fit(table, _labels(table, ["no", "yes"])), table


def catboost_multiclass() -> tuple[Any, Any]:
    import catboost

    table = _catboost_table()
    model = catboost.CatBoostClassifier(iterations=6, cat_features=["plan"], **_QUIET)
    return model.fit(table, _labels(table, ["high", "low", "middle"])), table


def catboost_regressor() -> tuple[Any, Any]:
    import catboost

    table = _catboost_table()
    model = catboost.CatBoostRegressor(iterations=20, cat_features=["plan", "region"], early_stopping_rounds=3, **_QUIET)
    return model.fit(table, table["age"], eval_set=(table, table["age"])), table


def catboost_array() -> tuple[Any, Any]:
    import catboost

    table = _table(categories=False)
    return catboost.CatBoostRegressor(iterations=5, **_QUIET).fit(table.to_numpy(), table["age"]), table.to_numpy()


def catboost_plain() -> tuple[Any, Any]:
    import catboost

    table = _table(categories=False)
    model = catboost.CatBoost({"iterations": 5, "loss_function": "Logloss", **_QUIET})
    return model.fit(table, _binary(table)), table


def catboost_texts() -> tuple[Any, Any]:
    import catboost

    table = _table(categories=False, missing=False)
    words = ["late again", "very good service", "too expensive", "good and cheap"]
    table["note"] = [f"{words[index % 4]} number {index % 7}" for index in range(ROWS)]
    model = catboost.CatBoostClassifier(iterations=5, text_features=["note"], **_QUIET)
    return model.fit(table, [index % 4 // 2 for index in range(ROWS)]), table


CASES = [
    Case("xgboost", "XGBClassifier, categories, early stopping", xgboost_classifier),
    Case("xgboost", "XGBClassifier, three classes", xgboost_multiclass),
    Case("xgboost", "XGBRegressor, array", xgboost_regressor_array),
    Case("xgboost", "XGBRanker", xgboost_ranker),
    Case("xgboost", "XGBRFClassifier", xgboost_forest_classifier),
    Case("xgboost", "XGBRFRegressor", xgboost_forest_regressor),
    Case("xgboost", "Booster, categories", xgboost_booster),
    Case("xgboost", "Booster of dart, array", xgboost_dart_booster_array),
    Case("xgboost", "in a scikit-learn Pipeline", xgboost_in_pipeline),
    Case("lightgbm", "LGBMClassifier, categories, text labels", lightgbm_classifier_text_labels),
    Case("lightgbm", "LGBMClassifier, boolean labels", lightgbm_classifier_truth),
    Case("lightgbm", "LGBMClassifier, early stopping", lightgbm_early_stopped),
    Case("lightgbm", "LGBMRegressor, array", lightgbm_regressor_array),
    Case("lightgbm", "LGBMRanker", lightgbm_ranker),
    Case("lightgbm", "Booster, categories", lightgbm_booster),
    Case("catboost", "CatBoostClassifier, categories, text labels", catboost_classifier),
    Case("catboost", "CatBoostClassifier, three classes", catboost_multiclass),
    Case("catboost", "CatBoostRegressor, early stopping", catboost_regressor),
    Case("catboost", "CatBoostRegressor, array", catboost_array),
    Case("catboost", "CatBoost, plain", catboost_plain),
    Case("catboost", "CatBoostClassifier, texts", catboost_texts),
]
