"""Results of statsmodels: the pickle that ``results.save`` writes.

``flavor.json``: ``artifact`` (the pickle), ``kind``: ``regression`` or ``series``.

A **regression** (OLS, GLM, Logit, …) is asked with its explanatory columns, or with the variables of its formula; a constant
that ``add_constant`` put there need not be given.

A **time series** (ARIMA, SARIMAX, ExponentialSmoothing, VAR, …) is asked for moments after its data, one a row:

- ``{"step": 3}``: the third one. Without ``step`` the rows are steps 1, 2, 3, …, so rows may hold exogenous columns alone.
- ``{"steps": 12}``: the answer of this row is a list of the next twelve.
- Models with exogenous variables want them in each row up to the farthest step.

Answers are ``mean`` and, where the model has an interval of 95 %, ``lower`` and ``upper``; of several series one set each,
with the name of the series before it: ``sales_mean``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import existing

__all__ = ["load", "predictor"]

_ALPHA = 0.05


def load(root: Path, description: dict[str, Any]) -> Any:
    """Gives the results object. Executes what the pickle says."""
    import pickle  # noqa: PLC0415

    with existing(root, description["artifact"]).open("rb") as file:
        return pickle.load(file)  # noqa: S301 - how statsmodels saves its results


def predictor(native: Any, description: dict[str, Any]) -> Any:
    """Gives what answers: steps of a time series, rows of a regression; the object itself when it can do neither."""
    if hasattr(native, "forecast"):
        return Series(native)
    return Regression(native) if hasattr(native, "predict") else native


class Regression:
    """Results with ``predict(exog)``."""

    ingot_input = "dataframe"

    def __init__(self, native: Any) -> None:
        self._native = native
        self._formula = _has_formula(native)
        self._names = [] if self._formula else [str(name) for name in native.model.exog_names or []]
        self._constant = _constant(native) if self._names else None
        asked = [name for name in self._names if name != self._constant]
        if asked:
            inputs = [{"name": name, "type": "float"} for name in asked]
            outputs = [{"name": "prediction", "type": "float"}]
            self.ingot_signature = {"inputs": inputs, "outputs": outputs, "origin": "captured", "partial": True}

    def predict(self, data: Any) -> Any:
        """One expected value (of Logit: a probability) a row; of several outcomes a column each."""
        import numpy as np  # noqa: PLC0415

        table = _as_table(data, self._names, self._constant)
        if self._formula:
            return np.asarray(self._native.predict(table))
        values = np.asarray(table.loc[:, self._names] if self._names else table, dtype="float64")
        return np.asarray(self._native.predict(values))


def _has_formula(native: Any) -> bool:
    data = getattr(native.model, "data", None)
    return getattr(data, "model_spec", None) is not None or getattr(data, "design_info", None) is not None


def _constant(native: Any) -> str | None:
    """The column that ``add_constant`` made."""
    place = getattr(native.model.data, "const_idx", None)
    return None if place is None else str(native.model.exog_names[place])


def _as_table(data: Any, names: list[str], constant: str | None) -> Any:
    import pandas as pd  # noqa: PLC0415

    if not hasattr(data, "columns"):
        if hasattr(data, "shape"):
            width = data.shape[1] if len(data.shape) > 1 else 1
            others = [name for name in names if name != constant]
            columns = names if width == len(names) else others if width == len(others) else None
            data = pd.DataFrame(data.reshape(len(data), width), columns=columns)
        else:
            data = pd.DataFrame(data)
    if constant is not None and constant not in data.columns:
        data = data.assign(**{constant: 1.0})
    return data


class Series:
    """Results with ``forecast(steps)``."""

    ingot_input = "rows"

    def __init__(self, native: Any) -> None:
        self._native = native
        model = native.model
        self._exog = [str(name) for name in getattr(model, "exog_names", None) or []] if _wants_exog(model) else []
        names = getattr(model, "endog_names", None)
        several = isinstance(names, list) and len(names) > 1
        self._names = [str(name) for name in names] if several else None
        # Rows may leave these two out, but a table has columns of one type: so they are numbers that may be missing.
        steps = [{"name": name, "type": "integer", "min": 1, "nullable": True} for name in ("step", "steps")]
        exog = [{"name": name, "type": "float", "nullable": False} for name in self._exog]
        self.ingot_signature = {"inputs": [*exog, *steps], "outputs": [], "origin": "captured", "partial": True}

    def predict(self, data: Any) -> list[dict[str, Any]]:
        """Forecasts: a dict of ``mean``, ``lower`` and ``upper`` a row, or of lists of them where a row says ``steps``."""
        rows = _rows(data)
        spans = [_whole(row.get("steps")) for row in rows]
        if any(spans):
            return [self._span(span or 1, [row]) for span, row in zip(spans, rows)]
        steps = [_whole(row.get("step")) or place for place, row in enumerate(rows, 1)]
        if not steps:
            return []
        columns = self._forecast(max(steps), self._exog_by_step(rows, steps))
        return [{name: values[step - 1] for name, values in columns.items()} for step in steps]

    def _span(self, steps: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """A row with ``steps`` may hold lists of exogenous values, one a step."""
        exog = None
        if self._exog:
            lists = [rows[0].get(name) for name in self._exog]
            exog = [[_at(values, place) for values in lists] for place in range(steps)]
        return {name: list(values) for name, values in self._forecast(steps, exog).items()}

    def _exog_by_step(self, rows: list[dict[str, Any]], steps: list[int]) -> list[list[float]] | None:
        if not self._exog:
            return None
        told = {step: [float(row[name]) for name in self._exog] for step, row in zip(steps, rows)}
        missing = [step for step in range(1, max(steps) + 1) if step not in told]
        if missing:
            raise ValueError(f"a forecast of step {max(steps)} needs {', '.join(self._exog)} of step {missing[0]}, too")
        return [told[step] for step in range(1, max(steps) + 1)]

    def _forecast(self, steps: int, exog: Any) -> dict[str, list[float]]:
        if steps < 1:
            raise ValueError(f"step {steps} lies not after the data; the first one is 1")
        if self._names is not None and hasattr(self._native, "forecast_interval"):
            return self._several(steps, exog)
        if not hasattr(self._native, "get_forecast"):
            return self._plain(steps, exog)
        found = self._native.get_forecast(steps, **({} if exog is None else {"exog": exog}))
        return _with_interval(found.predicted_mean, found.conf_int(alpha=_ALPHA), self._names)

    def _plain(self, steps: int, exog: Any) -> dict[str, list[float]]:
        """Smoothing and autoregressions: means; their interval where ``get_prediction`` gives one."""
        data = getattr(self._native.model, "endog", [])
        start = len(data)
        if hasattr(self._native, "get_prediction"):
            extra = {} if exog is None else {"exog_oos": exog}
            found = self._native.get_prediction(start, start + steps - 1, **extra)
            if hasattr(found, "conf_int"):
                return _with_interval(found.predicted_mean, found.conf_int(alpha=_ALPHA), None)
        extra = {} if exog is None else {"exog": exog}
        return {"mean": _listed(self._native.forecast(steps, **extra))}

    def _several(self, steps: int, exog: Any) -> dict[str, list[float]]:
        """Vector autoregressions, which want their own last values."""
        known = self._native.endog[-self._native.k_ar :]
        extra = {} if exog is None else {"exog_future": exog}
        parts = self._native.forecast_interval(known, steps, alpha=_ALPHA, **extra)
        return {
            f"{name}_{part}": _listed(values[:, place])
            for place, name in enumerate(self._names or [])
            for part, values in zip(("mean", "lower", "upper"), parts)
        }


def _wants_exog(model: Any) -> bool:
    given = getattr(model, "k_exog", None)
    if given is not None:
        return bool(given)
    return getattr(model, "exog", None) is not None


def _with_interval(mean: Any, interval: Any, names: list[str] | None) -> dict[str, list[float]]:
    import numpy as np  # noqa: PLC0415

    means, bounds = np.asarray(mean), np.asarray(interval)
    if names is None:
        return {"mean": _listed(means.ravel()), "lower": _listed(bounds[:, 0]), "upper": _listed(bounds[:, 1])}
    count = len(names)
    columns: dict[str, list[float]] = {}
    for place, name in enumerate(names):
        columns[f"{name}_mean"] = _listed(means[:, place])
        columns[f"{name}_lower"] = _listed(bounds[:, place])
        columns[f"{name}_upper"] = _listed(bounds[:, count + place])
    return columns


def _listed(values: Any) -> list[float]:
    return [float(value) for value in values]


def _at(values: Any, place: int) -> float:
    return float(values[place] if isinstance(values, (list, tuple)) or hasattr(values, "shape") else values)


def _rows(data: Any) -> list[dict[str, Any]]:
    if hasattr(data, "to_dict"):
        return list(data.to_dict("records"))
    if isinstance(data, dict):
        return [data]
    if isinstance(data, int):
        return [{} for _ in range(data)]
    return [dict(row) for row in data]


def _whole(value: Any) -> int | None:
    return None if value is None or value != value else int(value)
