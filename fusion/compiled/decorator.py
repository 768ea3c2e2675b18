"""numba's decorator, as all compiled functions here use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(signature: str | None = None) -> Callable[[Any], Any]:
    """With a signature, compiled at import: no scan waits for it."""

    def decorator(function: Any) -> Any:
        try:
            return numba.njit(signature, cache=True, error_model="numpy")(function)  # 0 / 0 is NaN, as in numpy
        except RuntimeError:  # a service's user may have no folder that numba could write to: compiled anew each start
            return numba.njit(signature, error_model="numpy")(function)

    return decorator
