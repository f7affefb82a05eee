"""Settings of a service that uses models: from the environment and ``.env``, prefix ``INGOT_``."""

from __future__ import annotations

from typing import Annotated, Literal

from .follow import sources_from_text

try:
    from pydantic import field_validator
    from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
except ImportError as error:
    raise ImportError("ingot.settings needs pydantic-settings: pip install 'ingot[fastapi]'") from error


class IngotSettings(BaseSettings):
    """What ``INGOT_*`` says. Derive from it to add the service's own settings.

    >>> IngotSettings(models="churn@production,wine:2").models
    ['churn@production', 'wine:2']
    """

    model_config = SettingsConfigDict(env_prefix="INGOT_", env_file=".env", extra="ignore")

    #: ``INGOT_REGISTRY``: where models live, a path or the address of a store.
    registry: str | None = None
    #: ``INGOT_MODELS``: references, separated by commas.
    models: Annotated[list[str], NoDecode] = []
    #: ``INGOT_LOAD``: ``start`` or ``on-demand``.
    load: Literal["start", "on-demand"] = "start"
    #: ``INGOT_CACHE``: directory of the local cache.
    cache: str | None = None
    #: ``INGOT_OFFLINE``: use nothing but the cache.
    offline: bool = False
    #: ``INGOT_LOCK``: file that pins references; default: ``ingot.lock`` of the working directory, where there is one.
    lock: str | None = None
    #: ``INGOT_LOCKED``: refuse references that the lock file does not pin.
    locked: bool = False

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return sources_from_text(value) if isinstance(value, str) else value

    def for_engine(self) -> dict[str, str]:
        """Gives the variables that an engine process needs to see the same settings."""
        variables = {
            "INGOT_REGISTRY": self.registry,
            "INGOT_CACHE": self.cache,
            "INGOT_OFFLINE": "1" if self.offline else None,
            "INGOT_LOCK": self.lock,
            "INGOT_LOCKED": "1" if self.locked else None,
        }
        return {name: value for name, value in variables.items() if value is not None}
