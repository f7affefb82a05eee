"""Environment markers of requirements (``python_version < "3.11" and sys_platform == "linux"``), read without a dependency."""

from __future__ import annotations

import os
import platform
import re
import sys

_TOKEN = re.compile(r"""\s*(?:(\(|\))|(===|~=|==|!=|<=|>=|<|>)|("[^"]*"|'[^']*')|([A-Za-z_.]+))""")


def marker_environment() -> dict[str, str]:
    """Gives what markers may ask about this interpreter."""
    implementation = sys.implementation.version
    return {
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "python_full_version": platform.python_version(),
        "implementation_name": sys.implementation.name,
        "implementation_version": f"{implementation.major}.{implementation.minor}.{implementation.micro}",
    }


def applies(marker: str, extras: frozenset[str] = frozenset(), environment: dict[str, str] | None = None) -> bool:
    """Says whether a marker holds here, for a distribution that is wanted with some extras. What cannot be read holds.

    >>> applies('sys_platform == "no-such"'), applies('extra == "gpu" or python_version >= "3.8"')
    (False, True)
    >>> applies('extra == "gpu"', frozenset({"gpu"}))
    True
    """
    known = environment if environment is not None else marker_environment()
    tokens = [next(part for part in match if part) for match in _TOKEN.findall(marker)]
    try:
        value, rest = _either(tokens, known, extras)
    except (IndexError, ValueError):
        return True
    return value if not rest else True


def _either(tokens: list[str], known: dict[str, str], extras: frozenset[str]) -> tuple[bool, list[str]]:
    value, rest = _both(tokens, known, extras)
    while rest and rest[0] == "or":
        other, rest = _both(rest[1:], known, extras)
        value = value or other
    return value, rest


def _both(tokens: list[str], known: dict[str, str], extras: frozenset[str]) -> tuple[bool, list[str]]:
    value, rest = _one(tokens, known, extras)
    while rest and rest[0] == "and":
        other, rest = _one(rest[1:], known, extras)
        value = value and other
    return value, rest


def _one(tokens: list[str], known: dict[str, str], extras: frozenset[str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        value, rest = _either(tokens[1:], known, extras)
        if not rest or rest[0] != ")":
            raise ValueError("a parenthesis is not closed")
        return value, rest[1:]
    left, operator, rest = tokens[0], tokens[1], tokens[2:]
    if operator == "not":
        operator, rest = "not in", rest[1:]
    right = rest[0]
    if left == "extra" or right == "extra":
        named = (right if left == "extra" else left).strip("\"'").lower().replace("_", "-")
        return (named in extras) == (operator in {"==", "in"}), rest[1:]
    return _compare(_value(left, known), operator, _value(right, known)), rest[1:]


def _value(token: str, known: dict[str, str]) -> str:
    return token[1:-1] if token[0] in "\"'" else known.get(token.replace("os.name", "os_name").replace("sys.platform", "sys_platform"), "")


def _compare(left: str, operator: str, right: str) -> bool:
    if operator in {"in", "not in"}:
        return (left in right) == (operator == "in")
    if operator == "===":
        return left == right
    if not (re.match(r"\d", left) and re.match(r"\d", right)):
        return (left == right) == (operator != "!=") if operator in {"==", "!="} else _ordered(left, operator, right)
    if right.endswith(".*"):
        prefix = right[:-2].split(".")
        return (left.split(".")[: len(prefix)] == prefix) == (operator != "!=")
    if operator == "~=":
        prefix = right.split(".")[:-1]
        return _release(left) >= _release(right) and left.split(".")[: len(prefix)] == prefix
    return _ordered(_release(left), operator, _release(right))


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version.partition("+")[0])]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _ordered(left: str | tuple[int, ...], operator: str, right: str | tuple[int, ...]) -> bool:
    less, same = left < right, left == right  # type: ignore[operator]
    return {"==": same, "!=": not same, "<": less, "<=": less or same, ">": not less and not same, ">=": not less}.get(operator, True)
