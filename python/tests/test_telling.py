from __future__ import annotations

import sys
from typing import Any

import pytest

from ingot import telling


def test_a_warning_points_at_the_line_outside_of_the_package() -> None:
    # As if it stood in a file of this package, two calls deep.
    code = "def outer(): inner()\ndef inner(): telling.warn('look here')"
    names: dict[str, Any] = {"telling": telling}
    exec(compile(code, f"{telling._HERE}inner.py", "exec"), names)
    with pytest.warns(UserWarning, match="look here") as told:
        line = sys._getframe().f_lineno + 1
        names["outer"]()
    assert (told[0].filename, told[0].lineno) == (__file__, line)
