"""Chance that does not depend on who asked before: one generator for each (seed, sensor, number of its look)."""

from __future__ import annotations

import zlib

import numpy as np


def chance_of(seed: int, name: str, number: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])
