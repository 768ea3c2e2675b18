"""What runs: the version, a hash over its sources, and the platform that decides the last digits."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from functools import cache
from pathlib import Path

from fusion.kernels import can_compile

PACKAGES = ("edge", "evidence", "fusion", "firmware_interfaces", "hardware")  # what a post's answer depends on


@cache
def software() -> str:
    """Version and SHA-256 over the post's Python sources, such as `sarhad 0.1.0 sha256:4f…`."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sarhad {importlib.metadata.version('sarhad')} sha256:{digest.hexdigest()}"


@cache
def platform_versions() -> dict[str, str]:
    """Interpreter, machine and the libraries that compute."""
    names = ["numpy", "scipy", "opencv-python", "onnxruntime", "av", *(["numba"] if can_compile() else [])]
    versions = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), "machine": platform.machine(), "processor": processor(), **versions}


def processor() -> str:
    """Vendor, family and model as the kernel names them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {name.strip(): value.strip() for name, value in fields.items()}
    return " ".join(
        named[key] for key in ("vendor_id", "cpu family", "model", "CPU implementer", "CPU part") if key in named
    )
