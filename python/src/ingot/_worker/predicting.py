"""One loaded model and how it is asked: tensors in, method called, tensors out."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any

from .flavors import WrongInput, predictor
from .frames import Tensor
from .inputs import build_input, import_for, input_kind, missing_features, row_count
from .outputs import WrongOutput, to_tensors

__all__ = ["Model", "RequestFailed", "described"]

_OTHER_METHODS = ("decision_function", "score_samples", "transform", "explain")


class RequestFailed(Exception):
    """A request that cannot be answered: ``code`` is one of the server's error codes."""

    def __init__(self, code: str, message: str, trace: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.trace = trace


class Model:
    """A loaded model with its declared inputs and outputs; its flavor says what of it is asked."""

    def __init__(
        self, native: Any, flavor: str, signature: dict[str, Any] | None, description: dict[str, Any] | None = None
    ) -> None:
        self.native = native
        self._asked = predictor(native, flavor, description or {})
        #: What the flavor itself knows of inputs and outputs, where nobody declared them.
        self.learned: dict[str, Any] | None = getattr(self._asked, "ingot_signature", None) if signature is None else None
        signature = signature or self.learned or {}
        self._inputs: list[dict[str, Any]] = signature.get("inputs") or []
        self._outputs: list[dict[str, Any]] = signature.get("outputs") or []
        self._kind = input_kind(self._asked, flavor, self._inputs, description)
        import_for(self._kind)
        # A graph may give more or less than one answer a row (boxes found in a picture); its own dimensions say how many.
        self._batched = flavor != "onnx" and all((feature.get("shape") or [-1])[0] == -1 for feature in (*self._inputs, *self._outputs))

    def predict(self, tensors: Sequence[Tensor], method: str) -> list[Tensor]:
        """Answers one request. Raises RequestFailed; whatever the model's code raises is turned into it."""
        call = self._method(method)
        features = self._outputs if method == "predict" else ()
        try:
            result = call(build_input(self._kind, tensors, self._inputs))
            return to_tensors(result, row_count(tensors) if self._batched else None, features, method)
        except WrongOutput as problem:
            raise RequestFailed("model-failed", str(problem)) from problem
        except BaseException as problem:
            raise _translated(problem, tensors) from problem

    @property
    def unanswering(self) -> str | None:
        """Why nothing can be computed with what was loaded; None for what can answer."""
        return getattr(self._asked, "ingot_unanswering", None)

    def _method(self, name: str) -> Any:
        allowed = name.startswith("predict") or name in _OTHER_METHODS
        call = getattr(self._asked, name, None) if allowed else None
        if callable(call):
            return call
        if name == "predict" and callable(self._asked):
            return self._asked
        offered = [other for other in dir(self._asked) if other.startswith("predict") or other in _OTHER_METHODS]
        raise RequestFailed("invalid-request", f"the model has no method {name!r}; it has {', '.join(offered)}")


def described(problem: BaseException, limit: int = 500) -> str:
    """``Type: message``: the message's first line, of at most ``limit`` characters."""
    first = next((line for line in str(problem).splitlines() if line.strip()), "").strip()
    text = f"{type(problem).__name__}: {first}" if first else type(problem).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _translated(problem: BaseException, tensors: Sequence[Tensor]) -> RequestFailed:
    trace = "".join(traceback.format_exception(type(problem), problem, problem.__traceback__))
    said = described(problem)
    missing = missing_features(tensors)
    if missing:
        names = ", ".join(missing[:10])
        return RequestFailed("signature-mismatch", f"the model does not take missing values ({names}): {said}", trace)
    if isinstance(problem, WrongInput):
        return RequestFailed("invalid-request", str(problem), trace)
    return RequestFailed("model-failed", said, trace)
