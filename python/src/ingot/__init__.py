"""From a trained model to a production API, on storage the team already has."""

__version__ = "0.1.0"
