"""A loaded model: the framework's own object, and one way to ask it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from . import convert
from ._worker import flavors
from ._worker.inputs import can_import, input_kind
from ._worker.loading import InvalidPackage as _InvalidPackage
from ._worker.loading import load_native
from ._worker.values import FrameRows
from .card import model_card
from .environments.check import environment_mismatches, mending
from .errors import EnvironmentMismatch, EnvironmentWarning, InvalidPackage, UsageError
from .kinds import is_dataframe, plain
from .live_classes import live_classes
from .origins import remember
from .signature import Signature
from .telling import warn

if TYPE_CHECKING:
    from typing_extensions import Self, TypeVar

    In = TypeVar("In", default=Any, contravariant=True)
    Out = TypeVar("Out", default=Any, covariant=True)
else:
    from typing import TypeVar

    In = TypeVar("In", contravariant=True)
    Out = TypeVar("Out", covariant=True)

#: Other methods than ``predict`` that a model may offer, if its own object has them.
METHODS = (
    "predict_proba",
    "predict_log_proba",
    "predict_similar",
    "decision_function",
    "score_samples",
    "transform",
    "explain",
)

_loading = threading.Lock()
flavors.live_classes = live_classes


def _unlock_after_fork() -> None:
    global _loading
    _loading = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_after_fork)


@dataclass(frozen=True)
class ModelInfo:
    """Which version a loaded model is."""

    #: ``churn:7``.
    ref: str
    name: str
    number: int
    label: str | None
    digest: str
    flavor: str
    #: Read-only directory with the version's files.
    path: Path | None
    signature: Signature
    requirements: tuple[str, ...] = ()
    #: Since when the store has not answered, when this is the last known version.
    stale_since: str | None = None

    @classmethod
    def unpublished(cls, flavor: str, signature: Signature) -> ModelInfo:
        """Describes a model that is not stored yet."""
        return cls("", "", 0, None, "", flavor, None, signature)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ModelInfo:
        """Reads what ``ingot pull --cached --json`` printed."""
        package = document.get("package") or {}
        return cls(
            ref=f"{document['model']}:{document['version']}",
            name=document["model"],
            number=document["version"],
            label=document.get("label"),
            digest=document["digest"],
            flavor=package.get("flavor", "file"),
            path=Path(document["path"]),
            signature=Signature.from_json(package.get("signature") or {}),
            requirements=tuple(package.get("requirements") or ()),
            stale_since=document.get("staleSince"),
        )


class Model(Generic[In, Out]):
    """A loaded version.

    ``predict`` takes rows as JSON has them (a dict, or a list of dicts) and gives plain Python values; or a DataFrame or
    an array, and gives what the framework gives. ``native`` is the framework's own object. Methods like
    ``predict_proba`` are there when the object has them.

    ``Model[In, Out]`` says to type checkers what ``predict`` takes and gives; ``Model`` alone is ``Model[Any, Any]``::

        model: ingot.Model[pandas.DataFrame, numpy.ndarray] = ingot.load("churn@production")

    >>> def double(rows): return [row["x"] * 2 for row in rows]
    >>> model = Model(double, ModelInfo.unpublished("function", Signature()), takes="rows")
    >>> model.predict([{"x": 1}, {"x": 2}]), model.predict({"x": 3})
    ([2, 4], 6)
    """

    def __init__(
        self, native: Any, info: ModelInfo, *, takes: str | None = None, described: Mapping[str, Any] | None = None
    ) -> None:
        #: The framework's own object: an estimator, a function, an ``onnxruntime.InferenceSession``.
        self.native = native
        #: Which version this is.
        self.info = info
        features = [feature.to_json() for feature in info.signature.inputs]
        part, self._flavor, description = flavors.asked_part(native, info.flavor, dict(described or {}))
        self._asked = flavors.predictor(part, self._flavor, description) if self._flavor != "onnx" else part
        self._takes = _kind(self._asked, self._flavor, features, takes or description.get("input"))

    def predict(self, rows: In) -> Out:
        """Answers rows.

        :param rows: a dict (one row, one answer), a list of dicts, a dict of columns, a DataFrame, or an array.
        :raises SignatureMismatch: when rows lack a feature or have one the model does not know.
        """
        answer: Out = self._call("predict", rows)
        return answer

    async def apredict(self, rows: In) -> Out:
        """Answers rows as :meth:`predict` does, in a thread, so that an event loop goes on meanwhile."""
        import asyncio

        return await asyncio.to_thread(self.predict, rows)

    def close(self) -> None:
        """Ends what belongs to the model outside this process, if anything does: see ``env="isolated"``."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return model_card(self)

    def __getitem__(self, name: str | int) -> Any:
        """Gives a part of several models that were pushed together: ``model["explainer"]``."""
        if self.info.flavor != "models":
            raise TypeError(f"{self.info.ref} is one model, without parts; its own object is .native")
        return self.native[name]

    def __getattr__(self, name: str) -> Any:
        if name in METHODS and hasattr(self.__dict__.get("_asked"), name):
            return lambda rows: self._call(name, rows)
        info = self.__dict__.get("info")
        raise AttributeError(f"{info.ref if info is not None else type(self).__name__} has no {name!r}; its own object is .native")

    def __repr__(self) -> str:
        kind = getattr(self.native, "__name__", type(self.native).__name__)
        return f"<Model {self.info.ref} {self.info.flavor} {kind}>"

    def _call(self, method: str, rows: Any) -> Any:
        listed = convert.as_rows(rows, self.info.signature.inputs)
        if listed is None:
            return self._ask(method, convert.as_made(rows, self._takes, self.info.signature.inputs))
        if not listed:
            return []
        made = self._ask(method, convert.build(self._takes, listed, self.info.signature.inputs))
        if isinstance(rows, FrameRows):
            return made
        answers = _by_row(plain(made), len(listed))
        return answers[0] if convert.is_one_row(rows, self.info.signature.inputs) and isinstance(answers, list) and len(answers) == 1 else answers

    def _ask(self, method: str, data: Any) -> Any:
        if self._flavor == "onnx":
            return _run_onnx(self._asked, data)
        call = getattr(self._asked, method, None)
        return call(data) if callable(call) else self._asked(data)


def _kind(native: Any, flavor: str, features: list[dict[str, Any]], takes: str | None) -> str:
    if flavor == "onnx":
        return "rows"
    flagged = getattr(native, "ingot_input", None)
    if isinstance(flagged, str):
        return flagged
    if flavor == "sklearn" and takes in {"rows", "dataframe"}:
        return takes
    if any(feature.get("type") == "tensor" for feature in features):
        return "tensors"
    if flavor == "sklearn":
        # Unlike the model server, which may rely on the order of columns, a caller gets what the estimator was fitted on,
        # where there is something to make it with.
        if not can_import("pandas"):
            return input_kind(native, flavor, features)
        return "array" if getattr(native, "feature_names_in_", None) is None and _numeric(features) else "dataframe"
    return takes or input_kind(native, flavor, features)


def _numeric(features: list[dict[str, Any]]) -> bool:
    return all(feature.get("type") in {"float", "integer", "boolean"} for feature in features)


def _by_row(answers: Any, count: int) -> Any:
    """Turns columns by name into rows by name, so that there is one entry a row."""
    if isinstance(answers, dict) and answers and all(isinstance(value, list) and len(value) == count for value in answers.values()):
        return [dict(zip(answers, values, strict=True)) for values in zip(*answers.values(), strict=True)]
    return answers


def _run_onnx(session: Any, data: Any) -> Any:
    names = [output.name for output in session.get_outputs()]
    first = session.get_inputs()[0]
    if is_dataframe(data) and len(session.get_inputs()) > 1:
        data = data.to_dict("records")
    by_row = isinstance(data, list) and bool(data) and isinstance(data[0], dict)
    feed = convert.onnx_inputs(session, data) if by_row else {first.name: convert.onnx_array(data, first.type)}
    outputs = session.run(names, feed)
    return outputs[0] if len(outputs) == 1 else dict(zip(names, outputs, strict=True))


def open_model(document: Mapping[str, Any], *, check: str = "warn") -> Model:
    """Loads what ``ingot pull --cached`` brought.

    :param check: ``warn`` names packages of another version; ``strict`` refuses them; ``off`` does not look.
    :raises EnvironmentMismatch: when something the model needs is not installed, or by ``strict``.
    """
    info = ModelInfo.from_document(document)
    package = document.get("package") or {}
    if info.flavor == "file":
        raise InvalidPackage(
            f"{info.ref} is a plain file or folder, not a model that can be loaded; its files are in {info.path}",
            code="invalid-package",
            hint=f"ingot pull {info.ref}",
        )
    _check_environment(info, check, package)
    try:
        with _loading:
            described = flavors.describe(Path(document["path"]), package.get("artifactPath"))
            native = load_native(
                str(info.path), info.flavor, package.get("interfacePath"), package.get("artifactPath"), described
            )
    except _InvalidPackage as error:
        raise InvalidPackage(f"{info.ref}: {error}", code="invalid-package") from error
    except ModuleNotFoundError as error:
        raise EnvironmentMismatch(
            f"{info.ref} needs the module {error.name}, which is not installed", code="environment-mismatch", hint=_install(info, error.name)
        ) from error
    if info.path is not None:
        remember(info.path, info.ref, info.digest)
    return Model(native, info, described=described)


def _check_environment(info: ModelInfo, check: str, package: Mapping[str, Any]) -> None:
    if check not in {"warn", "strict", "off"}:
        raise UsageError(f'check="{check}" is none of "warn", "strict" and "off"', code="usage")
    found = environment_mismatches(info.ref, package, info.path or Path())
    # Bytecode of another Python would crash the process: that is not for the caller to allow.
    fatal = [each for each in found if each.fatal and (check != "off" or "compiled" in each.text)]
    told = found if check == "strict" else fatal
    if told:
        lines = "".join(f"\n  {each}" for each in told)
        raise EnvironmentMismatch(
            f"{info.ref} does not fit this interpreter:{lines}",
            code="environment-mismatch",
            hint=mending(told, info.ref),
            details={"mismatches": [each.to_json() for each in told]},
        )
    if found and check == "warn":
        lines = "".join(f"\n  {each}" for each in found)
        warn(EnvironmentWarning(f"{info.ref} was made with other versions:{lines}"))


def _install(info: ModelInfo, module: str | None) -> str:
    isolated = f'ingot.load("{info.ref}", env="isolated")'
    return f"pip install {module or ' '.join(info.requirements)}   (or {isolated})"
