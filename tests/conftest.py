"""What all tests may import: the helpers beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # made_*.py; last, since folders here are called as the packages are
