"""Puts the folder of the cases on the path, so that each file of cases imports the harness by its name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
