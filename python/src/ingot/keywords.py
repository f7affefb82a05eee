"""The options of ``push`` and ``load`` as types, for functions that hand them on. A test keeps them as the functions have them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from .captured.document import Environment
from .loading import Check, LoadEnvironment, Verify
from .serializers import Serializer

Store = str | os.PathLike[str] | None

#: What can be pushed without a name: it has one. A file or folder that of its path, a function its own.
Pushable = str | os.PathLike[str] | Callable[..., Any]


class PushOptions(TypedDict, total=False):
    """What :func:`ingot.push` takes by name."""

    X: Any
    y: Any
    metrics: Mapping[str, Any] | None
    params: Mapping[str, Any] | None
    tags: Mapping[str, Any] | None
    alias: str | Iterable[str] | None
    label: str | None
    message: str | None
    description: str | None
    example: Any
    env: Environment
    code: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None
    serializer: str | Serializer | None
    ranges: bool
    profile: bool
    author: str | None
    lock: bool
    require_clean: bool
    store: Store
    dry_run: bool


class LoadOptions(TypedDict, total=False):
    """What :func:`ingot.load` takes by name."""

    check: Check
    env: LoadEnvironment
    verify: Verify
    lock: bool | str | os.PathLike[str] | None
    store: Store
