"""The errors of Ingot: one class for each thing a caller may want to do about it.

Every error has ``.code`` (from a closed set), ``.hint`` (the command that fixes it), ``.nearest`` (the closest existing
name) and ``.retryable``. They mirror the exit codes of the command line.

>>> error_from_document({"code": "alias-not-found", "message": 'model "churn" has no alias "prod"', "hint": "ingot alias ls churn"})
NotFound('model "churn" has no alias "prod"')
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class IngotError(Exception):
    """An expected failure, said in the user's words."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "unexpected",
        hint: str | None = None,
        nearest: str | None = None,
        operation: str | None = None,
        retryable: bool = False,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        #: A member of the closed set of codes: ``alias-not-found``, ``conflict``, …
        self.code = code
        #: The command that fixes it, as one would type it.
        self.hint = hint
        #: The nearest existing name for a mistyped one.
        self.nearest = nearest
        #: What was being done: ``push``, ``alias.set``.
        self.operation = operation
        #: Whether the same call may succeed when it is repeated.
        self.retryable = retryable
        #: Further facts for programs.
        self.details: dict[str, Any] = dict(details or {})

    def __str__(self) -> str:
        lines = [self.message]
        if self.nearest:
            lines.append(f"  did you mean  {self.nearest} ?")
        if self.hint:
            lines.append(f"  try           {self.hint}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks show instead of a traceback: the user's own lines, then what failed and what to do."""
        from .tracebacks import own_lines

        kind = f"{type(self).__module__.partition('.')[0]}.{type(self).__name__}"
        code = f" [{self.code}]" if self.code != "unexpected" else ""
        return [*own_lines(self.__traceback__), f"{kind}{code}: {self}"]

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, {key: value for key, value in vars(self).items() if key != "message"}))


class UsageError(IngotError, ValueError):
    """What was asked is malformed: a bad reference, name, option or configuration."""


class InvalidPackage(UsageError):
    """The model or package cannot be stored as it is; the message says what is wrong."""


class NotFound(IngotError, LookupError):
    """No such model, version, alias, file or store."""


class Forbidden(IngotError):
    """Not allowed with the credentials at hand."""


class Conflict(IngotError):
    """Somebody or something else is there already, or a file changed while it was pushed."""


class PolicyRefused(IngotError):
    """Refused by a policy, a scan or the rules for environments."""


class EnvironmentMismatch(PolicyRefused):
    """The interpreter lacks what the model needs; every mismatch is named."""


class Unavailable(IngotError):
    """Storage, disk or network do not answer now; the same call may succeed later."""


class IntegrityError(IngotError):
    """Bytes or history are not what they should be."""


class PredictionError(IngotError):
    """A model could not answer: its code failed, or the request does not fit it."""


class SignatureMismatch(PredictionError, ValueError):
    """The rows do not fit the signature of the model: missing, extra or wrong-typed features."""


class EnvironmentFailed(IngotError):
    """The environment of a model could not be built."""


class EngineError(IngotError):
    """The engine (the ``ingot`` command line) was not found, or ended without saying why."""


class Interrupted(IngotError):
    """The engine was told to stop before it was done."""


class EnvironmentWarning(UserWarning):
    """The interpreter has other versions than the model was made with; it was loaded nevertheless."""


_BY_CODE: dict[str, type[IngotError]] = {
    "usage": UsageError,
    "invalid-reference": UsageError,
    "invalid-name": UsageError,
    "invalid-config": UsageError,
    "invalid-package": InvalidPackage,
    "model-not-found": NotFound,
    "version-not-found": NotFound,
    "alias-not-found": NotFound,
    "content-not-found": NotFound,
    "path-not-found": NotFound,
    "store-not-found": NotFound,
    "not-found": NotFound,
    "forbidden": Forbidden,
    "unauthenticated": Forbidden,
    "conflict": Conflict,
    "precondition-failed": Conflict,
    "label-taken": Conflict,
    "name-taken": Conflict,
    "source-changed": Conflict,
    "port-in-use": Conflict,
    "refused": PolicyRefused,
    "environment-mismatch": EnvironmentMismatch,
    "unavailable": Unavailable,
    "timeout": Unavailable,
    "disk-full": Unavailable,
    "overloaded": Unavailable,
    "model-not-ready": Unavailable,
    "integrity": IntegrityError,
    "tampered": IntegrityError,
    "invalid-request": PredictionError,
    "signature-mismatch": SignatureMismatch,
    "payload-too-large": PredictionError,
    "unsupported-media-type": PredictionError,
    "model-failed": PredictionError,
    "environment-failed": EnvironmentFailed,
    "interrupted": Interrupted,
    "unexpected": IngotError,
}

_BY_EXIT: dict[int, tuple[type[IngotError], str]] = {
    2: (UsageError, "usage"),
    3: (NotFound, "model-not-found"),
    4: (Forbidden, "forbidden"),
    5: (Conflict, "conflict"),
    6: (PolicyRefused, "refused"),
    7: (Unavailable, "unavailable"),
    8: (IntegrityError, "integrity"),
    130: (Interrupted, "interrupted"),
}


def error_from_document(document: Mapping[str, Any]) -> IngotError:
    """Turns the ``error`` object that the engine prints into the exception that fits its code."""
    code = str(document.get("code") or "unexpected")
    details = document.get("details")
    return _BY_CODE.get(code, IngotError)(
        str(document.get("message") or "the engine failed without a message"),
        code=code,
        hint=_text(document.get("hint")),
        nearest=_text(document.get("nearest")),
        operation=_text(document.get("operation")),
        retryable=document.get("retryable") is True,
        details=details if isinstance(details, Mapping) else None,
    )


def error_from_exit(status: int, said: str) -> IngotError:
    """Makes an exception from an exit status and what was said on stderr, for an engine that gave no error document."""
    kind, code = _BY_EXIT.get(status, (EngineError, "unexpected"))
    tail = said.strip()[-2000:]
    return kind(tail or f"the engine ended with status {status} and said nothing", code=code, retryable=status == 7)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _rebuild(kind: type[IngotError], message: str, state: dict[str, Any]) -> IngotError:
    error = kind(message)
    vars(error).update(state)
    return error
