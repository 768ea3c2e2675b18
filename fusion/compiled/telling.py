"""The arithmetic of what is told of rows: telling.py, compiled. Shapes: k of n rows, s sensors, b biases."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled


@compiled(
    "Tuple((i8[:,::1], b1[::1], i8[::1]))(i8[::1], i8[:,::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], i8, i8, i8)"
)
def news(rows, told, statuses, last_ns, hits, direction_of, updated, dropped, time_ns, republish_ns):
    """telling.py; updated: the states' bits, (n, 6); republish_ns: beyond all times where no tick lets time pass."""
    count, asked = 0, np.empty(len(rows), np.int64)
    packed, surely = np.empty((len(rows), 9), np.int64), np.zeros(len(rows), np.bool_)
    for k in range(len(rows)):
        row = rows[k]
        packed[k, 0], packed[k, 1], packed[k, 2] = last_ns[row], hits[row], direction_of[row]
        packed[k, 3:] = updated[row]
        detected = packed[k, 0] != told[row, 0] or packed[k, 1] != told[row, 1] or packed[k, 2] != told[row, 2]
        if detected and told[row, 9] != 0 and told[row, 9] != dropped:
            surely[k] = True
            continue
        differs = detected or statuses[k] != told[row, 9] or time_ns - told[row, 10] >= republish_ns
        for place in range(3, 9):
            differs |= packed[k, place] != told[row, place]
        if differs:
            asked[count] = k
            count += 1
    return packed, surely, asked[:count].copy()


@compiled(
    "f8[:,::1](i8[::1], f8[:,::1], f8[:,:,::1], f8[::1], i8[::1], f8[::1], i8[::1], f8[:,::1], i8[::1], i8[:,::1],"
    "f8[:,::1], f8[:,::1], b1[::1], i8, f8[::1])"
)
def classes(
    rows, class_log, linked_log, metres_log, metres_count, speed_m_s, speed_count, way_m_s, direction_of, seen_ns, denied_log,
    ln_bands, is_small, never_ns, constants,
):  # fmt: skip
    """telling.py; ln_bands (classes, 2) of sizes; constants: see `compiled_stages.py`. The second class is birds', the last
    is unknown."""
    smallest_log, size_looks, size_sigma, speed_looks, fastest, of_birds, of_wind, most_by_speed, most_by_silence = (
        constants
    )
    count = class_log.shape[1]
    found = np.empty((len(rows), count))
    for k in range(len(rows)):
        row, highest = rows[k], -np.inf
        for c in range(count):
            log = class_log[row, c]
            for sensor in range(linked_log.shape[1]):
                log += linked_log[row, sensor, c]
            found[k, c] = log
            highest = max(highest, log)
        for c in range(count):
            found[k, c] = max(found[k, c] - highest, smallest_log)
        highest = -np.inf
        for c in range(count):
            log = found[k, c]
            if metres_count[row] >= size_looks:
                size = metres_log[row]
                beyond = max(ln_bands[c, 0] - size, 0.0) + max(size - ln_bands[c, 1], 0.0)
                log -= 0.5 * (beyond / size_sigma) ** 2
            if c == 1 and speed_count[row] >= speed_looks:
                straight = math.hypot(way_m_s[row, 0], way_m_s[row, 1]) / max(speed_m_s[row], 0.1)
                beyond = max(speed_m_s[row] - fastest, 0.0) / math.hypot(of_birds, of_wind * straight)
                log -= min(0.5 * beyond**2, most_by_speed)
            found[k, c] = log
            highest = max(highest, log)
        total = 0.0
        for c in range(count):
            found[k, c] = math.exp(found[k, c] - highest)
            total += found[k, c]
        for c in range(count):
            found[k, c] /= total
        if direction_of[row] < 0:
            continue
        unseen = 0.0
        for sensor in range(seen_ns.shape[1]):
            if seen_ns[row, sensor] == never_ns:
                unseen += denied_log[row, sensor]
        left = math.exp(max(unseen, -most_by_silence))
        for c in range(count):
            if is_small[c]:
                found[k, count - 1] += found[k, c] * (1.0 - left)
                found[k, c] *= left
    return found


@compiled(
    "f8[:,:,::1](i8[::1], f8[:,:,::1], f8[:,::1], i8[::1], i8[:,::1], i8[::1], f8[:,::1], f8[::1], i8, f8[:,:,::1],"
    "f8[:,::1], b1)"
)
def widened(
    rows, P, x, direction_of, seen_ns, last_ns, stand_m, mounting_rad, leans_on_ns, leaning, unknown, has_biases
):
    """telling.py; unknown (b, b): of the biases that are applied, if there are any."""
    found, sensors, biases = P.copy(), len(stand_m), len(unknown)
    G, half = np.zeros((6, 3)), np.empty(biases)
    is_turned = False
    for sensor in range(sensors):
        is_turned |= mounting_rad[sensor] != 0.0
    for k in range(len(rows)):
        row = rows[k]
        if is_turned and direction_of[row] < 0:
            best, least = 0, np.inf
            for sensor in range(sensors):
                if seen_ns[row, sensor] < last_ns[row] - leans_on_ns:
                    continue
                square = 0.0
                for a in range(3):
                    square += (x[row, a] - stand_m[sensor, a]) ** 2
                error = max(math.sqrt(square), 0.1) * mounting_rad[sensor]
                if error < least:
                    best, least = sensor, error
            m = mounting_rad[best]
            for half_at in range(2):
                east, north, up = x[row, 3 * half_at], x[row, 3 * half_at + 1], x[row, 3 * half_at + 2]
                if half_at == 0:
                    east, north, up = east - stand_m[best, 0], north - stand_m[best, 1], up - stand_m[best, 2]
                    d = (east, north, up)
                    for a in range(3):
                        for b in range(3):
                            found[k, a, b] += 2.0 * m**4 * d[a] * d[b]
                at = 3 * half_at
                G[at, 1], G[at, 2] = -up, north
                G[at + 1, 0], G[at + 1, 2] = up, -east
                G[at + 2, 0], G[at + 2, 1] = -north, east
            for a in range(6):
                for b in range(6):
                    found[k, a, b] += m * m * (G[a, 0] * G[b, 0] + G[a, 1] * G[b, 1] + G[a, 2] * G[b, 2])
        if has_biases:
            for a in range(6):
                for b in range(biases):
                    half[b] = 0.0
                    for c in range(biases):
                        half[b] += leaning[row, a, c] * unknown[c, b]
                for b in range(6):
                    for c in range(biases):
                        found[k, a, b] += half[c] * leaning[row, b, c]
    return found
