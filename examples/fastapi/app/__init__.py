"""A service that answers with a model from the registry."""
