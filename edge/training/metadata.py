"""What a model's file tells of itself beside its weights; needs onnx alone, and no torch."""

from __future__ import annotations

from pathlib import Path

import onnx


def metadata_of(onnx_path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(str(onnx_path)).metadata_props}


def describe(onnx_path: Path, **entries: str) -> None:
    """Add or replace entries of the file's metadata."""
    model = onnx.load(str(onnx_path))
    known = {entry.key: entry.value for entry in model.metadata_props} | entries
    del model.metadata_props[:]
    for key, value in sorted(known.items()):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    onnx.save(model, str(onnx_path))
