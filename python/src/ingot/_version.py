"""The one version number of both halves: this package and the engine."""

__version__ = "0.1.0"
