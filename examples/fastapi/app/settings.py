"""The service's settings: Ingot's (`INGOT_*`) and its own, from the environment and `.env`."""

from pydantic import Field

from ingot.settings import IngotSettings


class Settings(IngotSettings):
    """Add the service's own settings here, each with the name of its variable; `INGOT_` is Ingot's."""

    threshold: float = Field(0.5, validation_alias="CHURN_THRESHOLD")
