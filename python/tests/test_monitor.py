"""Which state of a training is the best so far."""

from __future__ import annotations

import pytest

import ingot
from ingot.callbacks.monitor import Monitor


@pytest.mark.parametrize(("metric", "mode"), [("val_loss", "auto"), ("rmse", "auto"), ("auc", "min")])
def test_what_shall_fall_improves_when_it_falls(metric: str, mode: str) -> None:
    monitor = Monitor(metric, mode)
    assert [monitor.improves({metric: value}) for value in (0.5, 0.6, 0.5, 0.4)] == [True, False, False, True]


@pytest.mark.parametrize(("metric", "mode"), [("val_accuracy", "auto"), ("val_loss", "max")])
def test_what_shall_rise_improves_when_it_rises(metric: str, mode: str) -> None:
    monitor = Monitor(metric, mode)
    assert [monitor.improves({metric: value}) for value in (0.5, 0.4, 0.5, 0.6)] == [True, False, False, True]


def test_what_is_no_number_is_no_improvement_and_hides_none_after_it() -> None:
    monitor = Monitor("loss")
    assert [monitor.improves({"loss": value}) for value in (float("nan"), 0.5)] == [False, True]


def test_nothing_is_better_where_nothing_is_watched() -> None:
    monitor = Monitor(None)
    assert not monitor.watches
    assert not monitor.improves({"loss": 0.1})


def test_a_metric_that_is_not_logged_is_told_with_the_nearest() -> None:
    with pytest.raises(ingot.UsageError, match="val_los") as raised:
        Monitor("val_los").improves({"val_loss": 0.1, "auc": 0.9})
    assert raised.value.nearest == "val_loss"


def test_another_mode_is_refused() -> None:
    with pytest.raises(ingot.UsageError, match="lowest"):
        Monitor("loss", "lowest")
