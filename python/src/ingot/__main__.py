"""``python -m ingot``: hands everything over to the engine, wherever it is found."""

from __future__ import annotations

import sys

from ingot_command import hand_over

from .commands.finding import find_engine
from .errors import IngotError


def main() -> int:
    """Runs the engine with the arguments of this process and gives its exit status."""
    try:
        command = [*find_engine(), *sys.argv[1:]]
    except IngotError as error:
        print(f"error[{error.code}]: {error}", file=sys.stderr)
        return 1
    return hand_over(command)


if __name__ == "__main__":
    raise SystemExit(main())
