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


def test_an_xgboost_booster_is_cut_after_its_best_round(table: Any, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    from ingot.callbacks.xgboost import IngotCallback

    rows, labels = table
    train, test = xgboost.DMatrix(rows[:120], labels[:120]), xgboost.DMatrix(rows[120:], labels[120:])
    options = {"objective": "binary:logistic", "eval_metric": "logloss", "nthread": 1}
    called = {"evals": [(test, "test")], "verbose_eval": False, "early_stopping_rounds": 3}
    booster = xgboost.train(options, train, 60, callbacks=[IngotCallback("churn", store=tmp_path)], **called)
    assert booster.num_boosted_rounds() > booster.best_iteration + 1
    back = ingot.load("churn", store=tmp_path)
    assert back.native.num_boosted_rounds() == booster.best_iteration + 1
    best = booster.predict(xgboost.DMatrix(rows), iteration_range=(0, booster.best_iteration + 1))
    assert (back.predict(rows) == best).all()


def test_checkpoints_come_only_when_asked(table: Any, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    from ingot.callbacks.xgboost import IngotCallback

    rows, labels = table
    pushed = IngotCallback("churn", store=tmp_path, every=2)
    xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, labels), 5, callbacks=[pushed], verbose_eval=False)
    assert pushed.version is not None and pushed.version.number == 3
    rounds = [ingot.load(f"churn:{number}", store=tmp_path).native.num_boosted_rounds() for number in (1, 2, 3)]
    assert rounds == [2, 4, 5]


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
