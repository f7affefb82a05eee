"""Statistics and time series: statsmodels and Prophet."""

from __future__ import annotations

from typing import Any

from matrix import Case


def _measurements() -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(3)
    table = pd.DataFrame({"height": random.normal(170, 10, 90), "sport": random.choice(["none", "run", "swim"], 90)})
    table["weight"] = table["height"] * 0.6 - 30 + (table["sport"] == "run") * -5 + random.normal(0, 2, 90)
    return table


def _sales(length: int = 72) -> Any:
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(5)
    months = pd.date_range("2018-01-01", periods=length, freq="MS")
    values = 50 + np.arange(length) * 0.4 + 8 * np.sin(np.arange(length) / 12 * 2 * np.pi) + random.normal(0, 1, length)
    return pd.DataFrame({"sales": values, "price": random.normal(10, 1, length)}, index=months)


def statsmodels_ols() -> tuple[Any, Any]:
    import statsmodels.api as sm

    table = _measurements()
    return sm.OLS(table["weight"], sm.add_constant(table[["height"]])).fit(), table[["height"]][:12]


def statsmodels_formula() -> tuple[Any, Any]:
    import statsmodels.formula.api as smf

    table = _measurements()
    return smf.ols("weight ~ height + sport", table).fit(), table[["height", "sport"]][:12]


def statsmodels_glm() -> tuple[Any, Any]:
    import statsmodels.api as sm

    table = _measurements()
    model = sm.GLM(table["weight"], sm.add_constant(table[["height"]]), family=sm.families.Gamma(sm.families.links.Log()))
    return model.fit(), table[["height"]][:12]


def statsmodels_logit() -> tuple[Any, Any]:
    import statsmodels.api as sm

    table = _measurements()
    heavy = (table["weight"] + [index % 13 - 6 for index in range(len(table))] > table["weight"].median()).astype(int)
    return sm.Logit(heavy, sm.add_constant(table[["height"]])).fit(disp=0), table[["height"]][:12]


def statsmodels_arima() -> tuple[Any, Any]:
    from statsmodels.tsa.arima.model import ARIMA

    return ARIMA(_sales()["sales"], order=(1, 1, 1)).fit(), [{"step": 1}, {"step": 2}, {"step": 6}]


def statsmodels_sarimax() -> tuple[Any, Any]:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    table = _sales()
    results = SARIMAX(table["sales"], exog=table[["price"]], order=(1, 0, 0)).fit(disp=0)
    return results, [{"price": 10.5}, {"price": 9.5}, {"price": 10.0}]


def statsmodels_smoothing() -> tuple[Any, Any]:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    return ExponentialSmoothing(_sales()["sales"], trend="add", seasonal="add", seasonal_periods=12).fit(), [{"step": 1}, {"step": 3}]


def statsmodels_var() -> tuple[Any, Any]:
    from statsmodels.tsa.api import VAR

    return VAR(_sales()).fit(2), [{"step": 1}, {"step": 2}]


def prophet_plain() -> tuple[Any, Any]:
    import pandas as pd
    from prophet import Prophet

    table = _sales()
    model = Prophet(weekly_seasonality=False, daily_seasonality=False, uncertainty_samples=50)
    model.fit(pd.DataFrame({"ds": table.index, "y": table["sales"].to_numpy()}))
    return model, pd.DataFrame({"ds": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-02-01"])})


def prophet_regressor() -> tuple[Any, Any]:
    import pandas as pd
    from prophet import Prophet

    table = _sales()
    model = Prophet(growth="logistic", weekly_seasonality=False, daily_seasonality=False, uncertainty_samples=50)
    model.add_regressor("price")
    model.fit(pd.DataFrame({"ds": table.index, "y": table["sales"].to_numpy(), "price": table["price"].to_numpy(), "cap": 200.0}))
    return model, pd.DataFrame({"ds": pd.to_datetime(["2024-01-01", "2024-02-01"]), "price": [10.0, 9.0], "cap": 200.0})


CASES = [
    Case("statsmodels", "OLS", statsmodels_ols),
    Case("statsmodels", "OLS of a formula", statsmodels_formula),
    Case("statsmodels", "GLM", statsmodels_glm),
    Case("statsmodels", "Logit", statsmodels_logit),
    Case("statsmodels", "ARIMA", statsmodels_arima),
    Case("statsmodels", "SARIMAX, exogenous", statsmodels_sarimax),
    Case("statsmodels", "ExponentialSmoothing", statsmodels_smoothing),
    Case("statsmodels", "VAR", statsmodels_var),
    Case("prophet", "Prophet", prophet_plain, own_predict=False),
    Case("prophet", "Prophet, regressor, logistic growth", prophet_regressor, own_predict=False),
]
