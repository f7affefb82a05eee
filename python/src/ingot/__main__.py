"""The ``ingot`` command of the Python package: hands everything over to the engine."""

from __future__ import annotations

import os
import subprocess
import sys

from .engine import find_engine
from .errors import IngotError


def main() -> int:
    """Runs the engine with the arguments of this process and gives its exit status."""
    try:
        command = [*find_engine(), *sys.argv[1:]]
    except IngotError as error:
        print(f"error[{error.code}]: {error}", file=sys.stderr)
        return 1
    if os.name == "posix":
        os.execvp(command[0], command)
    return subprocess.call(command)


if __name__ == "__main__":
    raise SystemExit(main())
