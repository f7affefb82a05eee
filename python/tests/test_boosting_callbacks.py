"""The XGBoost and LightGBM callbacks push the best model, once, as what the user trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ingot

pytestmark = pytest.mark.engine


@pytest.fixture
def table() -> tuple[Any, Any]:
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    random = numpy.random.default_rng(1)
    table = pandas.DataFrame({"age": random.normal(size=200), "spent": random.normal(size=200)})
    return table, (table["age"] + random.normal(size=200) > 0).astype(int).to_numpy()


def _versions(name: str, store: Path) -> list[Any]:
    return list(ingot.history(name, store=store))


def test_an_xgboost_estimator_is_pushed_with_the_metrics_of_its_best_round(table: Any, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    from ingot.callbacks.xgboost import IngotCallback

    rows, labels = table
    pushed = IngotCallback("churn", store=tmp_path)
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=3, eval_metric="logloss", n_jobs=1, callbacks=[pushed])
    model.fit(rows[:120], labels[:120], eval_set=[(rows[120:], labels[120:])], verbose=False)
    assert pushed.version is not None and pushed.version.number == 1
    best = model.evals_result()["validation_0"]["logloss"][model.best_iteration]
    assert pushed.version.metrics["validation_0-logloss"] == pytest.approx(best)
    back = ingot.load("churn", store=tmp_path)
    assert type(back.native) is xgboost.XGBClassifier
    assert (back.predict(rows) == model.predict(rows)).all()
    assert model.callbacks == [pushed]


def test_an_xgboost_booster_is_cut_after_its_best_round_and_checkpoints_come_only_when_asked(table: Any, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    from ingot.callbacks.xgboost import IngotCallback

    rows, labels = table
    train, test = xgboost.DMatrix(rows[:120], labels[:120]), xgboost.DMatrix(rows[120:], labels[120:])
    pushed = IngotCallback("churn", store=tmp_path, every=2)
    options = {"objective": "binary:logistic", "nthread": 1}
    booster = xgboost.train(options, train, 5, evals=[(test, "test")], callbacks=[pushed], verbose_eval=False)
    assert pushed.version is not None and pushed.version.number == 3
    first = ingot.load("churn:1", store=tmp_path).native
    assert first.num_boosted_rounds() == 2
    assert ingot.load("churn:3", store=tmp_path).native.num_boosted_rounds() == booster.num_boosted_rounds() == 5


def test_a_lightgbm_estimator_is_pushed_at_the_end_even_when_stopped_early(table: Any, tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    import numpy

    from ingot.callbacks.lightgbm import IngotCallback

    rows, labels = table
    names = numpy.array(["stays", "leaves"])[labels]
    pushed = IngotCallback("churn", store=tmp_path)
    model = lightgbm.LGBMClassifier(n_estimators=80, verbose=-1, n_jobs=1, learning_rate=0.5)
    stop = lightgbm.early_stopping(2, verbose=False)
    model.fit(rows[:120], names[:120], eval_set=[(rows[120:], names[120:])], callbacks=[stop, pushed])
    assert model.best_iteration_ < 80
    assert pushed.version is not None and pushed.version.number == 1
    assert pushed.version.metrics["valid_0-binary_logloss"] == pytest.approx(model.best_score_["valid_0"]["binary_logloss"])
    back = ingot.load("churn", store=tmp_path)
    assert type(back.native) is lightgbm.LGBMClassifier
    assert (back.predict(rows) == model.predict(rows)).all()


def test_a_lightgbm_booster_is_pushed_and_what_cannot_be_seen_is_refused(table: Any, tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from ingot.callbacks.lightgbm import IngotCallback

    rows, labels = table
    options = {"objective": "binary", "verbose": -1, "num_threads": 1}
    pushed = IngotCallback("churn", store=tmp_path)
    booster = lightgbm.train(options, lightgbm.Dataset(rows, labels), 4, callbacks=[pushed])
    assert (ingot.load("churn", store=tmp_path).predict(rows) == booster.predict(rows)).all()
    with pytest.raises(ingot.UsageError, match="keep_training_booster"):
        lightgbm.train(options, lightgbm.Dataset(rows, labels), 2, keep_training_booster=True, callbacks=[pushed])
    with pytest.raises(ingot.UsageError, match="several models"):
        lightgbm.cv(options, lightgbm.Dataset(rows, labels), 2, nfold=2, callbacks=[pushed])


def test_a_push_that_fails_is_a_warning_and_training_is_not_lost(table: Any, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    from ingot.callbacks.xgboost import IngotCallback

    rows, labels = table
    pushed = IngotCallback("no such name!/", store=tmp_path)
    model = xgboost.XGBClassifier(n_estimators=2, n_jobs=1, callbacks=[pushed])
    with pytest.warns(UserWarning, match="was trained, and not pushed"):
        model.fit(rows, labels)
    assert pushed.version is None and pushed.error is not None
    assert len(model.predict(rows)) == len(rows)
