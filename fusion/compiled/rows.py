"""What time and silence do to rows: lifetimes.py, overlooked.py and looks of
existence.py, compiled. Shapes: n rows of the table, s sensors."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled


@compiled("f8(f8[:,:,::1], i8)")
def variance_of_one(P, k):
    """existence.py: of one row."""
    q = (P[k, 0, 0] + P[k, 1, 1] + P[k, 2, 2]) / 3.0
    ee, nn, uu = P[k, 0, 0] - q, P[k, 1, 1] - q, P[k, 2, 2] - q
    en, eu, nu = P[k, 0, 1], P[k, 0, 2], P[k, 1, 2]
    p = math.sqrt((ee * ee + nn * nn + uu * uu + 2.0 * (en * en + eu * eu + nu * nu)) / 6.0)
    determinant = ee * (nn * uu - nu * nu) - en * (en * uu - nu * eu) + eu * (en * nu - nn * eu)
    cosine = min(max(determinant / max(2.0 * p**3, 2.2250738585072014e-308), -1.0), 1.0)
    return q + 2.0 * p * math.cos(math.acos(cosine) / 3.0)


@compiled("f8[::1](f8[:,:,::1])")
def largest_variance(P):
    """existence.py."""
    found = np.empty(len(P))
    for k in range(len(P)):
        found[k] = variance_of_one(P, k)
    return found


@compiled("i8[::1](b1[::1], i8[::1], i8[::1], i8[::1], b1[::1], f8[::1], i8[::1], i8, i8[::1], f8[::1])")
def unseen_limit_ns(
    is_confirmed,
    direction_of,
    last_sensor,
    last_ns,
    reports,
    interval_s,
    scan_before_ns,
    silent_ns,
    limits_ns,
    tentative,
):
    """lifetimes.py; limits_ns: of a confirmed row, a direction, a reporter; tentative: scans, and seconds at least."""
    found = np.empty(len(last_ns), np.int64)
    for k in range(len(last_ns)):
        sensor = last_sensor[k]
        limit = np.int64(max(tentative[0] * interval_s[sensor], tentative[1]) * 1e9)
        if reports[k]:
            limit = max(limit, limits_ns[2])
        if is_confirmed[k]:
            confirmed = limits_ns[0]
            if direction_of[k] >= 0:
                confirmed = limits_ns[1]
            elif scan_before_ns[sensor] <= last_ns[k]:
                confirmed = silent_ns
            limit = max(limit, confirmed)
        found[k] = limit
    return found


@compiled(
    "i8[::1](f8[:,::1], f8[:,:,::1], i8,"
    "b1[::1], i8[::1], i8[::1], i8[::1], b1[::1], f8[::1], i8[::1], i8, i8[::1], f8[::1])"
)
def unseen_too_long(
    x, P, time_ns,
    is_confirmed, direction_of, last_sensor, last_ns, reports, interval_s, scan_before_ns, silent_ns, limits_ns, tentative,
):  # fmt: skip
    """lifetimes.py; what `unseen_limit_ns` asks comes last."""
    of_sensors = interval_s, scan_before_ns, silent_ns, limits_ns, tentative
    limit_ns = unseen_limit_ns(is_confirmed, direction_of, last_sensor, last_ns, reports, *of_sensors)
    found, count = np.empty(len(x), np.int64), 0
    for k in range(len(x)):
        goes = time_ns - last_ns[k] > limit_ns[k]
        if not goes:
            total = 0.0
            for a in range(6):
                total += x[k, a]
                for b in range(6):
                    total += P[k, a, b]
            goes = not math.isfinite(total)
        if goes:
            found[count] = k
            count += 1
    return found[:count].copy()


@compiled(
    "i8[::1](i8[::1], i8, i8,"
    "b1[::1], i8[::1], i8[::1], i8[::1], b1[::1], f8[::1], i8[::1], i8, i8[::1], f8[::1], f8[::1])"
)
def statuses(
    rows, time_ns, margin_ns,
    is_confirmed, direction_of, last_sensor, last_ns, reports, interval_s, scan_before_ns, silent_ns, limits_ns, tentative,
    coasting,
):  # fmt: skip
    """lifetimes.py; then what `unseen_limit_ns` asks; coasting: scans, seconds at least and at most."""
    of_sensors = interval_s, scan_before_ns, silent_ns, limits_ns, tentative
    limit_ns = unseen_limit_ns(is_confirmed, direction_of, last_sensor, last_ns, reports, *of_sensors)
    found = np.ones(len(rows), np.int64)
    for k in range(len(rows)):
        row = rows[k]
        unseen_ns = time_ns - last_ns[row]
        wait_s = min(max(coasting[0] * interval_s[last_sensor[row]], coasting[1]), coasting[2])
        if unseen_ns > np.int64(wait_s * 1e9):
            found[k] = 2
        if unseen_ns > limit_ns[row] + margin_ns:
            found[k] = 3
    return found


@compiled("f8(f8, f8[:,::1])")
def _read(value, table):
    """A table (k, 2) of growing places and what stands there, read with straight lines; its ends hold beyond them."""
    last = len(table) - 1
    if not value > table[0, 0]:
        return table[0, 1]
    if value >= table[last, 0]:
        return table[last, 1]
    at = 0
    while table[at + 1, 0] <= value:
        at += 1
    slope = (table[at + 1, 1] - table[at, 1]) / (table[at + 1, 0] - table[at, 0])
    return slope * (value - table[at, 0]) + table[at, 1]


@compiled("b1(f8[::1], f8, f8, f8[:,:,::1], f8[:,::1])")
def _is_inside(level, sigma_m, mounting_rad, turned, limits):
    """existence.py: whether one place, seen from the sensor, lies surely in one of the looks."""
    slant_range = max(math.sqrt(level[0] ** 2 + level[1] ** 2 + level[2] ** 2), 0.1)
    angle = sigma_m / slant_range + mounting_rad
    for look in range(len(limits)):
        of, axes = limits[look], turned[look]
        if not of[4] + sigma_m <= slant_range <= of[5] - sigma_m:
            continue
        right = level[0] * axes[0, 0] + level[1] * axes[1, 0] + level[2] * axes[2, 0]
        forward = level[0] * axes[0, 1] + level[1] * axes[1, 1] + level[2] * axes[2, 1]
        up = level[0] * axes[0, 2] + level[1] * axes[1, 2] + level[2] * axes[2, 2]
        azimuth, elevation, across = (
            math.atan2(right, forward),
            math.atan2(up, math.hypot(right, forward)),
            angle * of[6],
        )
        if of[0] + across <= azimuth <= of[1] - across and of[2] + angle <= elevation <= of[3] - angle:
            return True
    return False


@compiled(
    "Tuple((i8[::1], f8[::1]))(f8[:,::1], f8[:,:,::1], i8[::1], b1[::1], i8[:,::1], i8[:,::1], b1[::1], i8, i8, i8[::1],"
    "f8[::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8, f8, f8[:,::1], f8[::1])"
)
def overlooked(
    x, P, direction_of, is_confirmed, seen_ns, missed_ns, other_post, number, time_ns, times_ns,
    place, rotation, turned, limits, mounting_rad, pixels_m, by_pixels, ln_ranges,
):  # fmt: skip
    """overlooked.py; times_ns: how long misses hang together, of what is confirmed and of what is not, how long others see it,
    since when it must have been seen; pixels_m: pixels on target times range, and its table; ln_ranges: least and most."""
    rows, probability, count = np.empty(len(x), np.int64), np.empty(len(x)), 0
    sensors, level = seen_ns.shape[1], np.empty(3)
    for k in range(len(x)):
        own = direction_of[k] == number
        if (direction_of[k] >= 0 and not own) or seen_ns[k, number] == time_ns or seen_ns[k, number] < times_ns[3]:
            continue
        if time_ns - missed_ns[k, number] < (times_ns[0] if is_confirmed[k] else times_ns[1]):
            continue
        others_seen_ns, own_missed_ns, has_others = -(2**62), -(2**62), False
        for sensor in range(sensors):
            if other_post[sensor]:
                has_others = True
                others_seen_ns = max(others_seen_ns, seen_ns[k, sensor])
            else:
                own_missed_ns = max(own_missed_ns, missed_ns[k, sensor])
        if has_others and others_seen_ns > time_ns - times_ns[2] and own_missed_ns >= others_seen_ns:
            continue
        if own:
            r = math.exp(min(max(x[k, 2], ln_ranges[0]), ln_ranges[1]))
            level[0] = r * math.cos(x[k, 1]) * math.sin(x[k, 0])
            level[1] = r * math.cos(x[k, 1]) * math.cos(x[k, 0])
            level[2] = r * math.sin(x[k, 1])
            sigma_m = math.sqrt(P[k, 0, 0] + P[k, 1, 1]) * r
        else:
            for a in range(3):
                level[a] = 0.0
                for b in range(3):
                    level[a] += (x[k, b] - place[b]) * rotation[b, a]
            sigma_m = math.sqrt(variance_of_one(P, k))
        away = math.sqrt(level[0] ** 2 + level[1] ** 2 + level[2] ** 2)
        p = _read(pixels_m / max(away, 0.1), by_pixels)
        if p > 0.0 and _is_inside(level, sigma_m, 0.0 if own else mounting_rad, turned, limits):
            rows[count], probability[count] = k, p
            count += 1
    return rows[:count].copy(), probability[:count].copy()


@compiled(
    "Tuple((b1[::1], b1[::1]))(i8[::1], f8[:,::1], f8[:,:,::1], f8[::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8, f8)"
)
def within_looks(rows, x, P, place, rotation, turned, limits, mounting_rad, sigmas):
    """existence.py; sigmas: by which what lies outside may lie inside."""
    surely, perhaps, level = np.empty(len(rows), np.bool_), np.empty(len(rows), np.bool_), np.empty(3)
    for k in range(len(rows)):
        row = rows[k]
        for a in range(3):
            level[a] = 0.0
            for b in range(3):
                level[a] += (x[row, b] - place[b]) * rotation[b, a]
        sigma_m = math.sqrt(variance_of_one(P, row))
        surely[k] = _is_inside(level, sigma_m, mounting_rad, turned, limits)
        perhaps[k] = surely[k] or _is_inside(level, -sigmas * sigma_m, -sigmas * mounting_rad, turned, limits)
    return surely, perhaps


@compiled("i8[::1](f8[::1], b1[::1], i8[::1], i8[::1], i8[::1], f8[:,::1], f8[::1], f8, f8, i8, f8)")
def disbelieved(
    existence, is_confirmed, direction_of, ranged_hits, silent, denied_log, glints_log,
    drop_below, tentative_below, most_silent, least_denied_log,
):  # fmt: skip
    """lifetimes.py."""
    found = np.zeros(len(existence), np.int64)
    for k in range(len(existence)):
        if is_confirmed[k]:
            found[k] = (1 if existence[k] < drop_below else 0) + (2 if glints_log[k] > 0.0 else 0)
            continue
        goes = existence[k] < tentative_below
        if not goes and direction_of[k] < 0:
            goes = silent[k] >= most_silent
            if not goes and ranged_hits[k] == 0:
                for sensor in range(denied_log.shape[1]):
                    goes |= denied_log[k, sensor] < least_denied_log
        if goes:
            found[k] = 1
    return found
