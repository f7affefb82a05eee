"""Looks at what a public function was given, before anything is done: a wrong type is an error that says what fits.

The store has its own rules for names and references; they are the engine's to say.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import UsageError


def wrong(what: str, value: object, wanted: str, hint: str) -> UsageError:
    """Makes the error for a value of a wrong type.

    >>> str(wrong("name", 3, "text", 'ingot.push(model, "churn")'))
    'name=3 is an int; wanted is text\\n  try           ingot.push(model, "churn")'
    """
    shown = repr(value)
    shown = shown if len(shown) <= 60 and "\n" not in shown else "…"
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    return UsageError(f"{what}={shown} is {article} {kind}; wanted is {wanted}", code="usage", hint=hint)


def text(what: str, value: object, hint: str) -> str:
    """Gives a text that must be there.

    :raises UsageError: for anything but a text with something in it.
    """
    if not isinstance(value, str):
        raise wrong(what, value, "text", hint)
    if not value.strip():
        raise UsageError(f"{what} is empty", code="usage", hint=hint)
    if value.startswith("-"):
        raise UsageError(f'{what}="{value}" begins with "-", which no name does', code="usage", hint=hint)
    if "\0" in value:
        raise UsageError(f"{what} holds a zero byte", code="usage", hint=hint)
    return value


def text_or_none(what: str, value: object, hint: str) -> str | None:
    """Gives a free text, or None. It may be empty or begin with anything."""
    if value is None or isinstance(value, str):
        return value
    raise wrong(what, value, "text", hint)


def reference(value: object) -> str:
    """Gives a reference as text: ``churn``, ``churn:7``, ``churn@production``. A version stands for itself."""
    ref = getattr(value, "ref", None)
    if isinstance(ref, str) and not isinstance(value, str):
        return ref
    return text("ref", value, 'a reference like "churn:7" or "churn@production"')


def version_of(name: str, value: object, what: str = "ref") -> str:
    """Gives the reference of a model's version that is named by number, by reference, or is a version."""
    if isinstance(value, bool):
        raise wrong(what, value, "a number or a reference", f'{what}=7 or {what}="{name}:7"')
    return f"{name}:{value}" if isinstance(value, int) else reference(value)


def store_or_none(value: object) -> str | os.PathLike[str] | None:
    """Gives where models live: a path, an address, or None for the default."""
    if value is None or isinstance(value, str | os.PathLike):
        return value
    raise wrong("store", value, "a path or an address", 'store="./models" or store="s3://bucket/models"')


def mapping(what: str, value: object, hint: str) -> Mapping[str, Any]:
    """Gives names and values; None is none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(what, value, "a dict", hint)
    unnamed = next((key for key in value if not isinstance(key, str) or not key), None)
    if unnamed is not None or "" in value:
        raise UsageError(f"{what} has the key {unnamed!r}; keys are names", code="usage", hint=hint)
    return value


def aliases(value: object) -> list[str]:
    """Gives aliases as a list: one text, several, or None for none."""
    hint = 'alias="production" or alias=["production", "candidate"]'
    if value is None:
        return []
    if isinstance(value, str):
        return [text("alias", value, hint)]
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        raise wrong("alias", value, "a name, or a list of names", hint)
    return [text("alias", each, hint) for each in value]


def flag(what: str, value: object) -> bool:
    """Gives a switch.

    :raises UsageError: for anything but True and False, so that ``dry_run="no"`` does not mean yes.
    """
    if isinstance(value, bool):
        return value
    raise wrong(what, value, "True or False", f"{what}=True")


def one_of(what: str, value: object, known: Iterable[str]) -> str:
    """Gives one of some words.

    :raises UsageError: naming the nearest.
    """
    import difflib

    words = list(known)
    if isinstance(value, str) and value in words:
        return value
    nearest = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
    listed = ", ".join(f'"{word}"' for word in words)
    raise UsageError(
        f"{what}={value!r} is none of {listed}", code="usage", hint=f'{what}="{words[0]}"', nearest=nearest[0] if nearest else None
    )


def push_options(name: object, given: Mapping[str, object]) -> None:
    """Looks at what ``push`` was given beside the model and its data.

    :raises UsageError: for the first option of a wrong type.
    """
    if name is not None:
        text("name", name, 'ingot.push(model, "churn")')
    for what in ("X", "y"):
        if isinstance(given[what], bool | int | float | complex | str | bytes):
            raise wrong(what, given[what], "a DataFrame, an array or a list", "ingot.push(model, name, X=X_train, y=y_train)")
    mapping("metrics", given["metrics"], 'metrics={"auc": 0.97}')
    mapping("params", given["params"], 'params={"depth": 3}')
    mapping("tags", given["tags"], 'tags={"team": "growth"}')
    for what, hint in _TEXTS.items():
        text_or_none(what, given[what], hint)
    for what in ("ranges", "profile", "lock", "require_clean", "dry_run"):
        flag(what, given[what])
    store_or_none(given["store"])
    _paths("code", given["code"], 'code=["features.py"]')
    _paths("env", given["env"], 'env=["scikit-learn==1.9.1"] or env="requirements.txt"')
    chosen = given["serializer"]
    if not (chosen is None or isinstance(chosen, str) or callable(getattr(chosen, "save", None))):
        raise wrong("serializer", chosen, "a name, or an object with save()", 'serializer="sklearn"')


_TEXTS = {
    "label": 'label="1.2.0"',
    "message": 'message="first"',
    "description": 'description="predicts 30-day churn"',
    "author": 'author="Ada"',
}


def _paths(what: str, value: object, hint: str) -> None:
    if value is None or isinstance(value, str | os.PathLike):
        return
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        raise wrong(what, value, "text, or a list of texts", hint)
    if isinstance(value, list | tuple):
        for each in value:
            if not isinstance(each, str | os.PathLike):
                raise wrong(f"{what}[…]", each, "text", hint)
