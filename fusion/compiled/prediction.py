"""How states go on with time, and what a sensor should measure of them: motion.py, manoeuvres.py and
measurement.py, compiled."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled
from fusion.measurement import AZIMUTH, EAST, ELEVATION, SLANT_RANGE  # numba freezes what stands outside a function


@compiled("void(f8[:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,::1], f8)")
def carry(x, P, leaning, density, dt_s):
    """motion.py, in place."""
    first, second, third = dt_s**3 / 3.0, dt_s**2 / 2.0, dt_s
    for k in range(len(x)):
        for a in range(3):
            x[k, a] += dt_s * x[k, a + 3]
            for b in range(3):
                along, across = P[k, a, b + 3], P[k, a + 3, b]
                speeds = P[k, a + 3, b + 3]
                P[k, a, b] += dt_s * (along + across) + dt_s * dt_s * speeds
                P[k, a, b + 3] = along + dt_s * speeds
                P[k, a + 3, b] = across + dt_s * speeds
            P[k, a, a] += density[k, a] * first
            P[k, a, a + 3] += density[k, a] * second
            P[k, a + 3, a] += density[k, a] * second
            P[k, a + 3, a + 3] += density[k, a] * third
            for b in range(leaning.shape[2]):
                leaning[k, a, b] += dt_s * leaning[k, a + 3, b]


@compiled()
def _expected(x, place, rotation, components, nearest_m, h, H, d, v, slope):
    """measurement.py: h (d,) and H (d, 6) of one state (6,); d, v, slope (3,) are written to."""
    H[:] = 0.0
    if components[0] >= EAST:
        for row in range(len(components)):
            h[row] = x[components[row] - EAST]
            H[row, components[row] - EAST] = 1.0
        return
    for a in range(3):
        d[a] = v[a] = 0.0
        for b in range(3):
            d[a] += rotation[b, a] * (x[b] - place[b])
            v[a] += rotation[b, a] * x[b + 3]
    ground = math.hypot(d[0], d[1])
    g = max(ground, nearest_m)
    r = max(math.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]), nearest_m)
    for row in range(len(components)):
        component = components[row]
        if component == AZIMUTH:
            h[row] = math.atan2(d[0], d[1])
            slope[0], slope[1], slope[2] = d[1] / (g * g), -d[0] / (g * g), 0.0
        elif component == ELEVATION:
            h[row] = math.atan2(d[2], ground)
            slope[0], slope[1] = -d[0] * d[2] / (r * r * g), -d[1] * d[2] / (r * r * g)
            slope[2] = g / (r * r)
        elif component == SLANT_RANGE:
            h[row] = r
            for a in range(3):
                slope[a] = d[a] / r
        else:
            h[row] = (v[0] * d[0] + v[1] * d[1] + v[2] * d[2]) / r
            for a in range(3):
                slope[a] = (v[a] - h[row] * d[a] / r) / r
                H[row, a + 3] = (rotation[a, 0] * d[0] + rotation[a, 1] * d[1] + rotation[a, 2] * d[2]) / r
        for a in range(3):
            H[row, a] = rotation[a, 0] * slope[0] + rotation[a, 1] * slope[1] + rotation[a, 2] * slope[2]


@compiled("Tuple((f8[:,::1], f8[:,:,::1], f8[:,:,::1]))(f8[:,::1], f8[::1], f8[:,::1], i8[::1], f8, f8, f8, f8)")
def foretold(x, place, rotation, components, nearest_m, position_sigma_m, clock_error_s, mounting_sigma_rad):
    """measurement.py."""
    n, d = len(x), len(components)
    h, H, added, along = np.empty((n, d)), np.empty((n, d, 6)), np.empty((n, d, d)), np.empty(d)
    away, moves, slope = np.empty(3), np.empty(3), np.empty(3)
    for k in range(n):
        _expected(x[k], place, rotation, components, nearest_m, h[k], H[k], away, moves, slope)
        for i in range(d):
            along[i] = clock_error_s * (H[k, i, 0] * x[k, 3] + H[k, i, 1] * x[k, 4] + H[k, i, 2] * x[k, 5])
        for i in range(d):
            for j in range(d):
                shared = H[k, i, 0] * H[k, j, 0] + H[k, i, 1] * H[k, j, 1] + H[k, i, 2] * H[k, j, 2]
                added[k, i, j] = position_sigma_m * position_sigma_m * shared + along[i] * along[j]
            if components[i] == AZIMUTH or components[i] == ELEVATION:
                added[k, i, i] += mounting_sigma_rad * mounting_sigma_rad
    return h, H, added


@compiled("f8[:,::1](f8[::1], f8[:,::1], f8[:,::1], i8[::1], f8[::1], i8[::1], f8[::1], f8[::1])")
def density(q, modes, x, direction_of, size_log, size_count, levels_q, limits):
    """manoeuvres.py; limits: least and most ln range, the nearest range, and the ln of a small target's size."""
    n, found = len(modes), np.empty((len(modes), 3))
    highest = max(q[0], q[1], q[2])
    for k in range(n):
        if direction_of[k] >= 0:
            range_m = math.exp(min(max(x[k, 2], limits[0]), limits[1]))
            if size_count[k] > 0:
                range_m = min(range_m, limits[3] / math.exp(size_log[k]))
            found[k] = highest / max(range_m, limits[2]) ** 2
            continue
        factor = 0.0
        for level in range(len(levels_q)):
            factor += modes[k, level] * levels_q[level]
        for a in range(3):
            found[k, a] = q[a] * factor
    return found
