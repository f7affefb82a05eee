"""The ``ingot`` command of the Python package: hands over to the engine."""
