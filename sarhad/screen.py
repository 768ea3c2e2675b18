"""Whether this machine can show something to a person."""

from __future__ import annotations

import os


def has_screen() -> bool:
    """Whether a browser can open a window; without one it might take over the terminal."""
    if os.name == "posix" and os.uname().sysname == "Linux":
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
