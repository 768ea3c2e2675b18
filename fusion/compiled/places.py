"""What lies where: existence.py, clutter_map.py, crowds.py and neighbours.py, compiled."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled


@compiled()
def _wrapped(angle):
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


@compiled("b1[::1](f8[:,::1], f8[::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8[::1], f8[::1])")
def looked_at(position_m, place, rotation, turned, limits, sigma_m, mounting_rad):
    """existence.py."""
    found = np.zeros(len(position_m), np.bool_)
    level, body = np.empty(3), np.empty(3)
    for k in range(len(position_m)):
        for a in range(3):
            level[a] = 0.0
            for b in range(3):
                level[a] += (position_m[k, b] - place[b]) * rotation[b, a]
        slant_range = max(math.sqrt(level[0] ** 2 + level[1] ** 2 + level[2] ** 2), 0.1)
        angle = sigma_m[k] / slant_range + mounting_rad[k]
        for look in range(len(limits)):
            of = limits[look]
            if not of[4] + sigma_m[k] <= slant_range <= of[5] - sigma_m[k]:
                continue
            for a in range(3):
                body[a] = level[0] * turned[look, 0, a] + level[1] * turned[look, 1, a] + level[2] * turned[look, 2, a]
            azimuth = math.atan2(body[0], body[1])
            elevation = math.atan2(body[2], math.hypot(body[0], body[1]))
            across = angle * of[6]
            if of[0] + across <= azimuth <= of[1] - across and of[2] + angle <= elevation <= of[3] - angle:
                found[k] = True
                break
    return found


@compiled("f8[::1](i8[::1], f8[:,::1], b1, f8[::1], f8, f8[:,::1], f8, f8, f8[::1])")
def assumed_at(rows, x, is_direction, place, pixels_m, by_pixels, assumed, least, ln_ranges):
    """existence.py; pixels_m: pixels on target times range, and the table of what they mean."""
    found = np.empty(len(rows))
    last = len(by_pixels) - 1
    for k in range(len(rows)):
        row, square = rows[k], 0.0
        for a in range(3):
            square += (x[row, a] - place[a]) ** 2
        away = math.exp(min(max(x[row, 2], ln_ranges[0]), ln_ranges[1])) if is_direction else math.sqrt(square)
        pixels, at = pixels_m / max(away, 0.1), 0
        p = by_pixels[0, 1] if not pixels > by_pixels[0, 0] else by_pixels[last, 1]
        if by_pixels[0, 0] < pixels < by_pixels[last, 0]:
            while by_pixels[at + 1, 0] <= pixels:
                at += 1
            slope = (by_pixels[at + 1, 1] - by_pixels[at, 1]) / (by_pixels[at + 1, 0] - by_pixels[at, 0])
            p = slope * (pixels - by_pixels[at, 0]) + by_pixels[at, 1]
        found[k] = max(assumed if math.isnan(p) else p, least)
    return found


@compiled("f8[::1](f8[:,::1], f8[:,::1], b1[::1], i8, f8[:,::1], f8[::1], f8[::1], f8, f8[::1])")
def thickest(z, variance, is_azimuth, rate, kept, weight, radii, unit_ball, constants):
    """clutter_map.py; rate: the column of range rates, -1 where there is none; constants: see `compiled_stages.py`."""
    chance, usual_count, usual_squares = constants
    count, d = z.shape
    found = np.zeros(count)
    distance = np.empty(len(kept))
    for j in range(count):
        ball, places = unit_ball, 0
        for c in range(d):
            if c != rate:
                ball *= math.sqrt(variance[j, c])
                places += 1
        farthest = radii[-1] ** 2
        near = 0
        order = np.empty(len(kept), np.int64)
        for k in range(len(kept)):
            total = 0.0
            for c in range(d):
                if c == rate:
                    continue
                apart = z[j, c] - kept[k, c]
                if is_azimuth[c]:
                    apart = _wrapped(apart)
                total += apart * apart / variance[j, c]
                if total > farthest:
                    break
            if total <= farthest:
                distance[near], order[near] = total, k
                near += 1
        if near == 0:
            continue
        for radius in radii:
            held, largest, mean, squares = 0.0, 0.0, 0.0, 0.0
            for at in range(near):
                if distance[at] <= radius * radius:
                    w = weight[order[at]]
                    held += w
                    largest = max(largest, w)
                    if rate >= 0:
                        mean += w * kept[order[at], rate]
                        squares += w * kept[order[at], rate] ** 2
            thick = (held - chance * largest) / (ball * radius**places)
            if rate >= 0:
                total = held + usual_count
                mean /= total
                spread = (squares + usual_squares) / total - mean * mean + variance[j, rate]
                thick *= math.exp(-0.5 * (z[j, rate] - mean) ** 2 / spread) / math.sqrt(2.0 * math.pi * spread)
            found[j] = max(found[j], thick)
    return found


@compiled("f8[::1](i8[::1], i8[::1], f8[::1], f8[::1], f8, f8, f8, i8)")
def probabilities(row, column, weight, missed, unknown, largest_weight, still, most_rounds):
    """crowds.py."""
    count = len(row)
    rows, columns = row.max() + 1, column.max() + 1
    w, w0 = np.minimum(weight, largest_weight), np.maximum(missed, 1e-9)
    other, nu, mu, message = np.zeros(columns), np.empty(count), np.empty(count), np.empty(count)
    for p in range(count):
        other[column[p]] += w[p]
    for p in range(count):
        nu[p] = 1.0 / (1.0 + unknown * other[column[p]])
    for _ in range(most_rounds):
        of_row, of_column = np.zeros(rows), np.zeros(columns)
        for p in range(count):
            message[p] = w[p] * nu[p]
            of_row[row[p]] += message[p]
        for p in range(count):
            mu[p] = w[p] / (w0[p] + max(of_row[row[p]] - message[p], 0.0))
            of_column[column[p]] += mu[p]
        is_still = True
        for p in range(count):
            before = nu[p]
            nu[p] = 1.0 / (1.0 + unknown * other[column[p]] + max(of_column[column[p]] - mu[p], 0.0))
            is_still &= abs(nu[p] - before) <= still * before
        if is_still:
            break
    of_row = np.zeros(rows)
    for p in range(count):
        message[p] = w[p] * nu[p]
        of_row[row[p]] += message[p]
    for p in range(count):
        message[p] /= w0[p] + of_row[row[p]]
    return message


@compiled("i8[:,::1](f8[:,::1], f8[::1], i8[::1], i8[::1], i8[::1], f8[:,::1], f8, f8, f8, f8[::1])")
def near_rows(x, existence, origin, direction_of, mount, stand_m, believed, within_m, within_rad, ln_ranges):
    """neighbours.py: rows in space by their order in east, then directions; ln_ranges: least and most."""
    space, towards, spaces, directions = np.empty(len(x), np.int64), np.empty(len(x), np.int64), 0, 0
    for k in range(len(x)):
        if existence[k] >= believed and origin[k] < 0:
            if direction_of[k] < 0:
                space[spaces] = k
                spaces += 1
            else:
                towards[directions] = k
                directions += 1
    space, towards = space[:spaces], towards[:directions]
    order = space[np.argsort(x[space, 0], kind="mergesort")]
    found, count = np.empty((64, 2), np.int64), 0
    for first in range(spaces):
        one = order[first]
        for second in range(first + 1, spaces):
            two = order[second]
            east = x[two, 0] - x[one, 0]
            if east > within_m:
                break
            if east**2 + (x[two, 1] - x[one, 1]) ** 2 + (x[two, 2] - x[one, 2]) ** 2 <= within_m**2:
                if count == len(found):
                    found = np.concatenate((found, found))
                found[count, 0], found[count, 1] = min(one, two), max(one, two)
                count += 1
    for first in range(directions):
        one = towards[first]
        for second in range(first + 1, directions):
            two = towards[second]
            of_one, of_two = direction_of[one], direction_of[two]
            if mount[of_one] != mount[of_two]:
                continue
            apart = max(abs(_wrapped(x[one, 0] - x[two, 0])), abs(x[one, 1] - x[two, 1]))
            stands = 0.0
            for a in range(3):
                stands += (stand_m[of_one, a] - stand_m[of_two, a]) ** 2
            nearest = math.exp(min(max(min(x[one, 2], x[two, 2]), ln_ranges[0]), ln_ranges[1]))
            if apart - math.sqrt(stands) / nearest < within_rad:  # but for the parallax
                if count == len(found):
                    found = np.concatenate((found, found))
                found[count, 0], found[count, 1] = one, two
                count += 1
    return found[:count].copy()


@compiled("b1[::1](i8[:,::1], f8[:,::1], f8[:,:,::1], i8[::1], f8, f8)")
def are_equal(pairs, x, P, direction_of, gate_in_space, gate_towards):
    """neighbours.py, of two rows in space or two directions of one sensor."""
    found = np.zeros(len(pairs), np.bool_)
    y, S, compared = np.empty(6), np.empty((6, 6)), np.empty(6, np.int64)
    for k in range(len(pairs)):
        one, two, size = pairs[k, 0], pairs[k, 1], 0
        towards = direction_of[one] >= 0
        for a in range(6):
            if not towards or a % 3 != 2:
                compared[size] = a
                size += 1
        for i in range(size):
            y[i] = x[one, compared[i]] - x[two, compared[i]]
            for j in range(size):
                S[i, j] = P[one, compared[i], compared[j]] + P[two, compared[i], compared[j]]
        if towards:
            y[0] = _wrapped(y[0])
        square = 0.0
        for c in range(size):  # S = L D Lᵀ, one column at a time
            if not S[c, c] > 0.0:
                square = np.inf
                break
            square += y[c] * y[c] / S[c, c]
            for i in range(c + 1, size):
                factor = S[i, c] / S[c, c]
                y[i] -= factor * y[c]
                for j in range(c + 1, size):
                    S[i, j] -= factor * S[c, j]
        found[k] = square < (gate_towards if towards else gate_in_space)
    return found
