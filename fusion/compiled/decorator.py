"""numba's decorator, as all compiled functions here use it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba


def compiled(signature: str | None = None) -> Callable[[Any], Any]:
    """With a signature, compiled at import: no scan waits for it. Without, a part of those of its file, compiled with them.

    What is compiled is kept on disk where it can be; where it cannot, it is compiled anew at each start."""

    def decorator(function: Any) -> Any:
        dispatcher = numba.njit(error_model="numpy")(function)  # 0 / 0 is NaN, as in numpy
        if signature is None:
            return dispatcher
        with suppress(RuntimeError):  # a service's user may have no folder that numba could write to
            dispatcher.enable_caching()
        with suppress(OSError):  # of a full disk, told when it is compiled already
            dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return decorator
