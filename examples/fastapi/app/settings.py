"""The service's settings: Ingot's (`INGOT_*`) and its own, from the environment and `.env`."""

from ingot.settings import IngotSettings


class Settings(IngotSettings):
    """Add the service's own settings here; they share the prefix: `INGOT_THRESHOLD=0.4`."""

    threshold: float = 0.5
