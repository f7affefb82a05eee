"""Which metrics are better when they are lower, told by a word in their name."""

from __future__ import annotations

_LOWER_IS_BETTER = ("loss", "error", "rmse", "mse", "mae", "mape", "brier", "latency", "seconds", "_ms", "size", "perplexity")


def lower_is_better(metric: str) -> bool:
    """Says whether less of a metric is better.

    >>> lower_is_better("val_loss"), lower_is_better("auc")
    (True, False)
    """
    return any(word in metric.lower() for word in _LOWER_IS_BETTER)
