"""One object, several detections in one look: a wing, a rotor, the points that a radar's driver did not join.

    ∙ taken by a track that is believed        λ_x(z) = Σ_i μ N(z - z_i; 0, Σ)
   ∙∙ of the same object: they begin nothing

Each detection z_i that a believed track took is expected to have μ others of the same object about it. They are points of
one thing, W wide, seen in one look: their errors are mostly the same, so they lie closer to each other than the detections
of two objects. λ_x adds to the density of false alarms there, for births and for tracks that are not yet believed. A second
object beside the first leaves that neighbourhood in some looks, its errors being its own, and is believed a little later.

Source: Gilholm, Salmond, Spatial distribution model for tracking extended objects (2005), for a Poisson number of points.
"""

from __future__ import annotations

import math

import numpy as np

from fusion.association import within_reach
from fusion.measurement import AZIMUTH, ELEVATION, RANGE_RATE, SLANT_RANGE, IntArray, Plots, residual
from fusion.types import FloatArray

EXPECTED = 0.2  # μ: other detections a detection; a radar's strong echoes have one in five looks
WIDTH_M = 1.0  # W, 1-sigma of the way from one point of an object to another: wings of 3 m
SPEED_M_S = 1.0  # 1-sigma of the differences of their range rates: it turns, and its rotors turn
NEAR = 12.0  # sigmas; beyond, 1e-31 of the highest
OWN_ERROR = 0.25  # of the sensor's angular error, what differs from point to point


def may_be_told(plots: Plots) -> bool:
    """Whether they tell how far apart two of one object are."""
    return SLANT_RANGE in plots.components and AZIMUTH in plots.components


def density(plots: Plots, taken: IntArray) -> FloatArray:
    """λ_x at these plots, shape (m,); taken: places of those that believed tracks took. 0 for sensors without ranges."""
    columns = plots.components
    if not (len(taken) and may_be_told(plots)):
        return np.zeros(len(plots.z))
    z, R = plots.z[taken], np.diagonal(plots.R[taken], axis1=1, axis2=2)
    across = WIDTH_M / np.maximum(z[:, columns.index(SLANT_RANGE)], WIDTH_M)
    variance = np.empty_like(z)
    for place, component in enumerate(columns):
        if component in (AZIMUTH, ELEVATION):
            variance[:, place] = across**2 + OWN_ERROR**2 * R[:, place]
        else:
            variance[:, place] = {SLANT_RANGE: WIDTH_M, RANGE_RATE: SPEED_M_S}[component] ** 2
    i, j = within_reach(z, NEAR * np.sqrt(variance), plots.z, columns)
    y = residual(plots.z[j], z[i], columns)
    log = -0.5 * (y**2 / variance[i] + np.log(2.0 * math.pi * variance[i])).sum(axis=1)
    return np.asarray(EXPECTED * np.bincount(j, np.exp(log), len(plots.z)))
