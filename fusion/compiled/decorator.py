"""numba's decorator, as all compiled functions here use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(signature: str | None = None) -> Callable[[Any], Any]:
    """With a signature, compiled at import: no scan waits for it."""
    # 0 / 0 is NaN, as in numpy
    decorator: Callable[[Any], Any] = numba.njit(signature, cache=True, error_model="numpy")
    return decorator
