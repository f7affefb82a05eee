"""Finding, running and keeping the engine: the ``ingot`` command line, which does all storing."""
