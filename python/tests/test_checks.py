"""Every public function, tried with things of the wrong type: an error of ours that says what fits, before anything is done."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

import ingot


class Odd:
    """Nothing that any option takes."""


WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *[("push", (lambda rows: rows, name), {}) for name in (3, "", " ", "-x", "a\0b", Odd(), b"x", ["churn"])],
    *[
        ("push", (lambda rows: rows, "churn"), {option: value})
        for option, values in {
            "metrics": (0.9, ["auc"], {3: 0.9}, {"auc": "good"}, {"auc": float("nan")}, {"auc": float("inf")}, {"auc": None}),
            "params": (3, [1], {"": 1}),
            "tags": ("a", {1: 2}, {"a=b": "c"}),
            "alias": (3, b"production", {"production": 1}, ["production", 3], [""]),
            "label": (1.0, 1, Odd()),
            "message": (3, ["first"]),
            "description": (3,),
            "author": (3,),
            "env": (3, {"a": 1}, [3]),
            "code": (3, [3]),
            "serializer": (3, Odd()),
            "ranges": ("no", 1),
            "profile": (None,),
            "lock": ("yes",),
            "require_clean": (1,),
            "dry_run": ("no",),
            "store": (3, ["a"], b"x"),
        }.items()
        for value in values
    ],
    *[("push", (model, "churn"), {}) for model in (None, 3, Odd, Odd(), {1: 2}, "no-such-file.bin")],
    *[("load", (ref,), {}) for ref in (3, None, "", "-x", Odd(), ["churn"])],
    *[("load", ("churn",), options) for options in ({"check": "maybe"}, {"check": 3}, {"env": "moon"}, {"store": 3}, {"verify": 1}, {"lock": False})],
    *[("show", (ref,), {}) for ref in (3, None, "", "--help", Odd())],
    *[("versions", (name,), {}) for name in (3, None, "", "--json")],
    *[("history", (name,), {}) for name in (3, None, "")],
    *[("aliases", (name,), {}) for name in (3, None, "")],
    ("models", (), {"store": 3}),
    *[("promote", ("churn:1",), options) for options in ({"alias": 3}, {"alias": ""}, {"reason": 3}, {"store": Odd()})],
    ("promote", (3,), {}),
    *[("rollback", ("churn",), options) for options in ({"alias": 3}, {"to": 1.5}, {"to": True}, {"reason": 3})],
    *[("alias", arguments, {}) for arguments in ((3, "a", 1), ("churn", 3, 1), ("churn", "a", 1.5), ("churn", "a", True), ("churn", "", 1))],
    *[("autolog", (name,), {}) for name in (3, "", b"x")],
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments", "options"), WRONG, ids=lambda value: str(value)[:40] if not isinstance(value, str) else value)
def test_a_wrong_type_is_an_error_with_a_hint_and_nothing_is_asked(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    engine = tmp_path / "engine"
    engine.write_text(f"#!{sys.executable}\nopen({str(asked)!r}, 'w').close()\nraise SystemExit(1)\n")
    engine.chmod(0o755)
    monkeypatch.setenv("INGOT_ENGINE", str(engine))
    with pytest.raises(ingot.IngotError) as caught:
        getattr(ingot, name)(*arguments, **options)
    assert caught.value.hint, str(caught.value)
    assert caught.value.code in {"usage", "invalid-package", "path-not-found"}
    assert not asked.exists()


def test_coroutines_look_at_what_they_are_given_too() -> None:
    with pytest.raises(ingot.UsageError, match="metrics=0.9 is a float"):
        asyncio.run(ingot.apush(lambda rows: rows, "churn", metrics=0.9))  # type: ignore[arg-type]
    with pytest.raises(ingot.UsageError):
        asyncio.run(ingot.aload(3))  # type: ignore[arg-type]


def test_a_version_stands_for_its_reference() -> None:
    from ingot.checks import reference, version_of

    version = ingot.Version("churn", 7, "sha256:ab", "sklearn")
    assert (reference(version), version_of("churn", 8), version_of("churn", version)) == ("churn:7", "churn:8", "churn:7")
