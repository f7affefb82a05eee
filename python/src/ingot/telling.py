"""Warns at the line that somebody outside of this package wrote."""

from __future__ import annotations

import os
import sys
import warnings

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def warn(notice: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warns as ``warnings.warn`` does, however deep inside this package; the caller's line is shown, in a notebook its cell.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warn("the model holds 150 rows")
    >>> str(told[0].message)
    'the model holds 150 rows'
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, frame.f_back
    warnings.warn(notice, category, stacklevel=level)
