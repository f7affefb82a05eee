"""Puts together what is known of a model when it is pushed: the document that ``ingot push --captured`` reads."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import convert
from .._worker.flavors import is_described, predictor
from .._worker.requirements_check import installed_version
from ..environments.imports import imported_modules
from ..environments.lock import installed_closure
from ..environments.requirements import pins, split_modules
from ..errors import IngotError, InvalidPackage, UsageError
from ..kinds import comes_from, is_array, is_dataframe, plain
from ..quietly import quietly
from ..serializers.base import Saved
from ..signature import Feature, Signature, infer_inputs, infer_outputs, infer_tensors
from ..telling import warn
from .agreement import check_lengths, disagreement
from .example import rows_of, synthetic_row
from .fingerprint import fingerprint
from .hyperparameters import capture_params, given_params, is_json
from .lineage import capture_origin
from .profile import profile_data
from .searches import search_results

#: Rows of X that are used to see what comes out. They are not kept.
PROBE_ROWS = 8

Environment = str | Iterable[str] | Path | None


def capture_signature(model: Any, saved: Saved, data: Any = None, target: Any = None) -> Signature | None:
    """Describes inputs and outputs: from data where there is some, else what a fitted estimator tells, marked partial."""
    names = getattr(model, "feature_names_in_", None)
    listed = [str(name) for name in names] if names is not None else None
    inputs = (_net_inputs(model, saved, data) or infer_inputs(data, listed)) if data is not None else ()
    if not inputs:
        return _told(model, saved) or _partial(model, listed, target)
    rows = probe(data)
    given = ask(model, saved, rows)
    answer = plain(given)
    first = next(iter(rows.values())) if isinstance(rows, Mapping) else rows
    _check_count(answer, first.shape[0] if hasattr(first, "shape") else len(first))
    outputs = (_net_outputs(saved, given, inputs, rows) or infer_outputs(answer, model, target)) if answer is not None else ()
    return Signature(inputs, outputs, partial=not outputs)


def _net_inputs(model: Any, saved: Saved, data: Any) -> tuple[Feature, ...]:
    """A net takes tensors: a matrix is one of them, not columns."""
    if saved.takes != "tensors" or not (isinstance(data, Mapping) or (is_array(data) and data.dtype.kind in "biuf")):
        return ()
    asked = predictor(model, saved.flavor, dict(saved.description))
    return infer_tensors(data, floats=getattr(asked, "ingot_floats", None))


def _net_outputs(saved: Saved, answer: Any, inputs: tuple[Feature, ...], rows: Any) -> tuple[Feature, ...]:
    """Vectors by row are one tensor, not columns; single numbers by row stay numbers. As long as a sequence is as open."""
    named = isinstance(answer, Mapping)
    if saved.takes != "tensors" or not (named or getattr(answer, "ndim", 1) > 1):
        return ()
    open_lengths = {
        int(length)
        for feature in inputs
        for length, declared in zip((rows[feature.name] if isinstance(rows, Mapping) else rows).shape[1:], (feature.shape or ())[1:], strict=True)
        if declared == -1
    }
    found = infer_tensors(answer, "prediction")
    return tuple(
        replace(feature, shape=(-1, *(-1 if length in open_lengths else length for length in (feature.shape or ())[1:]))) for feature in found
    )


def _can_be_asked(saved: Saved) -> bool:
    return saved.flavor in {"sklearn", "function"} or is_described(saved.flavor)


def data_signature(data: Any, *, ranges: bool = True) -> Signature:
    """Describes the columns of data alone, for a package whose model is not asked; without rows it is empty."""
    inputs = infer_inputs(data)
    kept = inputs if ranges else tuple(replace(feature, min=None, max=None) for feature in inputs)
    return Signature(kept, (), partial=True)


def _signature_or_none(model: Any, saved: Saved, data: Any, target: Any) -> Signature | None:
    """Data of an unforeseen shape costs the signature, never the push."""
    try:
        return capture_signature(model, saved, data, target)
    except IngotError:
        raise
    except Exception as error:  # noqa: BLE001 - X may be anything
        warn(f"X could not be described, so there is no signature: {type(error).__name__}: {error}")
        return None


def _told(model: Any, saved: Saved) -> Signature | None:
    """Gives what the flavor itself knows of the model: names and categories inside a booster, a pipeline's text."""
    told = getattr(predictor(model, saved.flavor, dict(saved.description)), "ingot_signature", None)
    return Signature.from_json(told) if told is not None else None


def _partial(model: Any, names: list[str] | None, target: Any) -> Signature | None:
    count = getattr(model, "n_features_in_", None)
    names = names if names is not None else [f"x{index}" for index in range(count or 0)]
    if not names or _reads_text(model):
        return None
    classes = getattr(model, "classes_", None)
    known = plain(classes) if classes is not None else None
    outputs = infer_outputs(known, model, target) if isinstance(known, list) and known and not isinstance(known[0], list) else ()
    return Signature(tuple(Feature(name, "float") for name in names), outputs, partial=True)


def _reads_text(model: Any) -> bool:
    """Where a part may take text, the types of the columns cannot be told without data."""
    try:
        parts = [model, *model.get_params(deep=True).values()]
    except (AttributeError, TypeError, ValueError):
        return False
    return any(type(part).__name__.endswith(("ColumnTransformer", "Encoder", "Vectorizer", "FunctionTransformer")) for part in parts)


def probe(data: Any) -> Any:
    """Gives the first rows of training data, enough to see what comes out."""
    if isinstance(data, Mapping):
        return {name: values[:PROBE_ROWS] for name, values in data.items()}
    return data.iloc[:PROBE_ROWS] if hasattr(data, "iloc") else data[:PROBE_ROWS]


def ask(model: Any, saved: Saved, rows: Any) -> Any:
    """Gives what the model answers, None when it cannot; a failing probe never stops a push."""
    try:
        asked = predictor(model, saved.flavor, dict(saved.description))
        call = getattr(asked, "predict", None) or (asked if callable(asked) else None)
        if call is None:
            return None
        with quietly():
            if saved.flavor == "function" and saved.takes == "array" and not is_array(rows) and "numpy" in sys.modules:
                rows = sys.modules["numpy"].asarray(rows)
            return call(rows)
    except Exception as error:  # noqa: BLE001 - whatever the user's code raises
        differs = disagreement(model, rows)
        if differs is not None:
            raise InvalidPackage(
                f"X contradicts the model: {differs}",
                code="invalid-package",
                operation="push",
                hint="pass as X what the model was fitted on, or leave X out",
            ) from error
        warn(f"the model could not predict the first rows of X: {type(error).__name__}: {error}")
        return None


def _check_count(answer: Any, rows: int) -> None:
    if isinstance(answer, list) and len(answer) != rows or isinstance(answer, bool | int | float | str):
        said = f"{len(answer)} answers" if isinstance(answer, list) else f"one {type(answer).__name__}"
        warn(f"the model gave {said} to {rows} rows; a server expects one answer a row")


def capture_example(model: Any, saved: Saved, signature: Signature | None, data: Any, example: Any) -> dict[str, Any] | None:
    """Gives sample rows and what the model answers: the user's own, else a synthetic one; never a row of the data."""
    if signature is None:
        return None
    names = [feature.name for feature in signature.inputs]
    if example is not None:
        rows = _own_rows(example, names, signature, saved)
    else:
        synthetic = _made_up(data, signature)
        rows = [synthetic] if synthetic is not None else []
    if not rows:
        return None
    answers = _answers(model, saved, signature, rows)
    if answers is None:
        return {"inputs": rows} if example is not None else None
    return {"inputs": rows, "predictions": answers}


def _own_rows(example: Any, names: list[str], signature: Signature, saved: Saved) -> list[dict[str, Any]]:
    """Gives the rows that the user chose.

    :raises InvalidPackage: when they are no rows, or not such that the model's callers could send.
    """
    hint = f"example={{{', '.join(f'{name!r}: …' for name in names[:4])}}}, or rows of X: example=X[:1]"
    try:
        rows = rows_of(example, names)
        if not signature.partial:
            convert.check(rows, signature.inputs, optional=saved.takes == "rows")
    except (IngotError, ValueError, TypeError, IndexError, AttributeError) as error:
        said = error.message if isinstance(error, IngotError) else "it is no row, list of rows, DataFrame or array of the model's width"
        raise InvalidPackage(f"the example does not fit the model: {said}", code="invalid-package", hint=hint) from error
    return rows


def _made_up(data: Any, signature: Signature) -> dict[str, Any] | None:
    try:
        return synthetic_row(data, signature.inputs) if data is not None else None
    except Exception:  # noqa: BLE001 - data of an unforeseen shape has no example
        return None


def _answers(model: Any, saved: Saved, signature: Signature, rows: list[dict[str, Any]]) -> list[Any] | None:
    from ..model import Model, ModelInfo

    info = ModelInfo.unpublished(saved.flavor, signature)
    try:
        with quietly():
            answers = Model(model, info, takes=saved.takes, described=saved.description).predict(rows)
    except Exception:  # noqa: BLE001 - an example that the model cannot answer is left out
        return None
    listed = answers if isinstance(answers, list) else [answers]
    return listed if is_json(listed) else None


def capture_environment(
    saved: Saved, extra: Iterable[str], wanted: Environment, data: Any = None, code: Iterable[Path] = ()
) -> dict[str, Any]:
    """Gives interpreter, platform, one pin a line (inferred, listed, or from a requirements file), and the lock.

    The lock is what the requirements need in turn, at the versions installed here, without hashes.
    """
    requirements = _requirements(saved, extra, wanted, data, code)
    environment = {
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "requirements": requirements,
        "lock": installed_closure(requirements),
    }
    return {key: value for key, value in environment.items() if key != "lock" or value}


def _requirements(saved: Saved, extra: Iterable[str], wanted: Environment, data: Any, code: Iterable[Path]) -> list[str]:
    if wanted is None or wanted == "none":
        return []
    if isinstance(wanted, Path) or (isinstance(wanted, str) and wanted != "infer"):
        path = Path(wanted)
        if not path.is_file():
            raise UsageError(f'env="{wanted}" is neither "infer", "none" nor a requirements file', code="usage")
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not isinstance(wanted, str):
        return [str(line) for line in wanted]
    known, _ = split_modules(saved.modules | imported_modules(code))
    names = [*known.values(), *extra]
    if saved.takes == "dataframe" or (saved.flavor in {"sklearn", "function"} and is_dataframe(data)):
        names.append("pandas")
    if saved.flavor == "function" and saved.takes == "array":
        names.append("numpy")
    return pins(names)


def describe_model(model: Any) -> dict[str, Any]:
    """Gives the class of a model and the version of the framework it comes from."""
    kind = model if callable(model) and hasattr(model, "__qualname__") else type(model)
    own = kind.__module__.partition(".")[0]
    module = "sklearn" if comes_from(model, "sklearn") and own not in {"xgboost", "lightgbm", "catboost"} else own
    described = {"class": f"{kind.__module__}.{kind.__qualname__}", "framework": module}
    name = "scikit-learn" if module == "sklearn" else module
    version = installed_version(name)
    return {**described, "version": version} if version is not None else {"class": described["class"]}


def check_metrics(metrics: Mapping[str, Any] | None) -> dict[str, float]:
    """Gives metrics as plain numbers.

    :raises UsageError: for one that is not a finite number.

    >>> check_metrics({"auc": 1})
    {'auc': 1.0}
    """
    checked: dict[str, float] = {}
    for name, value in (metrics or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(f'metric "{name}" is {value!r}, which is not a finite number', code="usage", hint=f'leave it out, or metrics={{"{name}": 0.97}}')
        checked[str(name)] = number
    return checked


def capture(
    model: Any,
    saved: Saved,
    *,
    serializer: str,
    environment: Mapping[str, Any],
    data: Any = None,
    target: Any = None,
    example: Any = None,
    metrics: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    ranges: bool = True,
    profile: bool = True,
    origin: Callable[[], Mapping[str, Any]] = capture_origin,
) -> dict[str, Any]:
    """Gives the whole document for one push.

    :param origin: gives who made it, and from which commit.
    """
    check_lengths(data, target)
    fitted = saved.model if saved.model is not None else model
    signature = _signature_or_none(fitted, saved, data, target) if _can_be_asked(saved) else None
    if signature is not None and not ranges:
        signature = replace(signature, inputs=tuple(replace(feature, min=None, max=None) for feature in signature.inputs))
    scores, best = search_results(model)
    document: dict[str, Any] = {
        "flavor": saved.flavor,
        "params": {**capture_params(fitted), **given_params(saved.params), **best, **given_params(params)},
        "metrics": {**check_metrics(saved.metrics), **scores, **check_metrics(metrics)},
        "tags": {str(key): str(value) for key, value in (tags or {}).items()},
        **origin(),
        "environment": dict(environment),
        "serializer": {"name": serializer, "executesCode": saved.executes_code},
        "model": describe_model(fitted),
    }
    if saved.reason is not None:
        document["serializer"]["reason"] = saved.reason
    if signature is not None:
        document["signature"] = signature.to_json()
    if saved.parents:
        document["lineage"] = {**document["lineage"], "parents": list(saved.parents)}
    if profile:
        add_profile(document, data, target, [feature.name for feature in signature.inputs] if signature is not None else None)
    sample = capture_example(fitted, saved, signature, data, example)
    if sample is not None:
        document["example"] = sample
    return {key: value for key, value in document.items() if value not in ({}, None)}


def add_profile(document: dict[str, Any], data: Any, target: Any, names: list[str] | None) -> None:
    """Adds digest, shape and distributions of ``X`` and ``y``; data of an unforeseen shape has none."""
    if data is None:
        return
    try:
        printed, profile = fingerprint(data, target), profile_data(data, target, names)
    except Exception as error:  # noqa: BLE001 - X may be anything
        warn(f"X could not be profiled: {type(error).__name__}: {error}")
        return
    if printed is not None:
        described = {"name": "X and y" if target is not None else "X", "digest": printed.digest, "rows": printed.rows, "columns": printed.columns}
        document["lineage"] = {**document.get("lineage", {}), "data": [described]}
    if profile is not None:
        document["profile"] = profile
