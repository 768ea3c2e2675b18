"""The tracker's innermost loops, compiled by numba: what `kernels.py` offers in numpy, one row after another.

Each function has the name, the arguments and the answers of its twin there, which tells what they mean; the equations stand
where the twin points to. The twins agree to 1e-9 of each number, not to the last digit: sums run in another order. So one
tracker uses either the one or the other for all its life (`TrackerSettings.compiled`).

No fast mathematics and no threads: the same input gives the same bytes, each time and in each process. Compiled code is kept
on disk beside this file, or in numba's own folder where that is read-only; only the first start after an installation or a
change takes the time to compile. What a constant elsewhere may be tuned to comes in as an argument: numba would not see that
it changed. Shapes: n rows, m plots, k pairs of both, d measured components, b biases.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from fusion.measurement import AZIMUTH, EAST, ELEVATION, SLANT_RANGE  # numba freezes what stands outside a function

MOST_COMPONENTS = 4
FEW_PLOTS = 64  # of more, those that are near a row in one component are found by its order


def compiled(signature: str | None = None) -> Callable[[Any], Any]:
    """numba's decorator; with a signature, compiled at import: no scan waits for it."""
    # 0 / 0 is NaN, as in numpy
    decorator: Callable[[Any], Any] = numba.njit(signature, cache=True, error_model="numpy")
    return decorator


@compiled()
def _wrapped(angle):
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


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
def _expected(x, place, rotation, components, nearest_m, h, H):
    """measurement.py: h (d,) and H (d, 6) of one state (6,)."""
    H[:] = 0.0
    if components[0] >= EAST:
        for row in range(len(components)):
            h[row] = x[components[row] - EAST]
            H[row, components[row] - EAST] = 1.0
        return
    d, v, slope = np.zeros(3), np.zeros(3), np.zeros(3)
    for a in range(3):
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
            slope[:] = d / r
        else:
            h[row] = (v[0] * d[0] + v[1] * d[1] + v[2] * d[2]) / r
            slope[:] = (v - h[row] * d / r) / r
            for a in range(3):
                H[row, a + 3] = (rotation[a, 0] * d[0] + rotation[a, 1] * d[1] + rotation[a, 2] * d[2]) / r
        for a in range(3):
            H[row, a] = rotation[a, 0] * slope[0] + rotation[a, 1] * slope[1] + rotation[a, 2] * slope[2]


@compiled()
def _innovation_covariance(P, H, R, HP, S):
    """filters.py: H P (d, 6) and S (d, d) of one pair."""
    size = len(H)
    for i in range(size):
        for b in range(6):
            total = 0.0
            for a in range(6):
                total += H[i, a] * P[a, b]
            HP[i, b] = total
    for i in range(size):
        for j in range(size):
            total = R[i, j]
            for a in range(6):
                total += HP[i, a] * H[j, a]
            S[i, j] = total
    for i in range(size):
        for j in range(i):
            S[i, j] = S[j, i] = 0.5 * (S[i, j] + S[j, i])


@compiled()
def _squared_distance(y, S, left, rest):
    """filters.py: of one innovation (d,), and ln det S; NaN where S is not definite."""
    size = len(y)
    squared, determinant = 0.0, 1.0
    left[:size, :size] = S
    rest[:size] = y
    for k in range(size):
        pivot = left[k, k]
        if not pivot > 0.0:
            return np.nan, np.nan
        squared += rest[k] * rest[k] / pivot
        determinant *= pivot
        for i in range(k + 1, size):
            column = left[i, k] / pivot
            rest[i] -= column * rest[k]
            for j in range(k + 1, size):
                left[i, j] -= column * left[k, j]
    return squared, math.log(determinant)


@compiled("Tuple((f8[:,::1], f8[:,:,::1], f8[:,:,::1]))(f8[:,::1], f8[::1], f8[:,::1], i8[::1], f8, f8, f8, f8)")
def foretold(x, place, rotation, components, nearest_m, position_sigma_m, clock_error_s, mounting_sigma_rad):
    """measurement.py."""
    n, d = len(x), len(components)
    h, H, added, along = np.empty((n, d)), np.empty((n, d, 6)), np.empty((n, d, d)), np.empty(d)
    for k in range(n):
        _expected(x[k], place, rotation, components, nearest_m, h[k], H[k])
        for i in range(d):
            along[i] = clock_error_s * (H[k, i, 0] * x[k, 3] + H[k, i, 1] * x[k, 4] + H[k, i, 2] * x[k, 5])
        for i in range(d):
            for j in range(d):
                shared = H[k, i, 0] * H[k, j, 0] + H[k, i, 1] * H[k, j, 1] + H[k, i, 2] * H[k, j, 2]
                added[k, i, j] = position_sigma_m * position_sigma_m * shared + along[i] * along[j]
            if components[i] == AZIMUTH or components[i] == ELEVATION:
                added[k, i, i] += mounting_sigma_rad * mounting_sigma_rad
    return h, H, added


@compiled(
    "Tuple((i8[::1], i8[::1], f8[:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], f8[::1], f8[::1]))"
    "(i8[::1], f8[:,:,::1], f8[:,::1], f8[:,:,::1], f8[:,:,::1], i8[::1], f8[:,::1], f8[:,:,::1], f8)"
)
def gated_pairs(rows, P, h, H, added, components, z, R, gate):
    """association.py: the pairs within the gate, by rows, then by plots."""
    n, m, d = len(rows), len(z), len(components)
    base, reach, HP, widest = np.empty((n, d, d)), np.empty((n, d)), np.empty((d, 6)), np.zeros(d)
    for j in range(m):
        for c in range(d):
            widest[c] = max(widest[c], R[j, c, c])
    for k in range(n):
        _innovation_covariance(P[k], H[k], added[k], HP, base[k])
        for c in range(d):
            reach[k, c] = math.sqrt(gate * (base[k, c, c] + widest[c]))
    ordered = d - 1  # the last component: a range, a range rate, or a height; any that is no azimuth will do
    for c in range(d):
        if components[c] == SLANT_RANGE or components[c] == EAST:
            ordered = c
    by_order = m > FEW_PLOTS and components[ordered] != AZIMUTH
    order = np.argsort(z[:, ordered], kind="mergesort") if by_order else np.arange(m)
    value = z[order, ordered]
    left, rest = np.empty((MOST_COMPONENTS, MOST_COMPONENTS)), np.empty(MOST_COMPONENTS)
    y, S = np.empty(d), np.empty((d, d))
    room = max(4 * n, 64)
    i_of, j_of, nis_of, log_of = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room), np.empty(room)
    count = 0
    for k in range(n):
        first, last = 0, m
        if by_order:
            first = np.searchsorted(value, h[k, ordered] - reach[k, ordered])
            last = np.searchsorted(value, h[k, ordered] + reach[k, ordered], side="right")
        began = count
        for at in range(first, last):
            j = order[at]
            near = True
            for c in range(d):
                y[c] = z[j, c] - h[k, c]
                if components[c] == AZIMUTH:
                    y[c] = _wrapped(y[c])
                if not abs(y[c]) <= reach[k, c]:
                    near = False
                    break
            if not near:
                continue
            for a in range(d):
                for b in range(d):
                    S[a, b] = base[k, a, b] + R[j, a, b]
            nis, log_determinant = _squared_distance(y, S, left, rest)
            if not nis <= gate:
                continue
            if count == room:
                room *= 2
                i_of, j_of = np.append(i_of, i_of), np.append(j_of, j_of)
                nis_of, log_of = np.append(nis_of, nis_of), np.append(log_of, log_of)
            slot = count  # plots of one row in growing order
            while slot > began and j_of[slot - 1] > j:
                j_of[slot], nis_of[slot], log_of[slot] = j_of[slot - 1], nis_of[slot - 1], log_of[slot - 1]
                slot -= 1
            i_of[count], j_of[slot], nis_of[slot] = k, j, nis
            log_of[slot] = -0.5 * (nis + log_determinant + d * math.log(2.0 * math.pi))
            count += 1
    all_y, all_H = np.empty((count, d)), np.empty((count, d, 6))
    all_R, all_S = np.empty((count, d, d)), np.empty((count, d, d))
    row = np.empty(count, np.int64)
    for p in range(count):
        k, j = i_of[p], j_of[p]
        row[p] = rows[k]
        all_H[p] = H[k]
        for a in range(d):
            all_y[p, a] = z[j, a] - h[k, a]
            if components[a] == AZIMUTH:
                all_y[p, a] = _wrapped(all_y[p, a])
            for b in range(d):
                all_R[p, a, b] = added[k, a, b] + R[j, a, b]
                all_S[p, a, b] = base[k, a, b] + R[j, a, b]
    return row, j_of[:count].copy(), all_y, all_H, all_R, all_S, nis_of[:count].copy(), log_of[:count].copy()


@compiled()
def _relaxed(modes, usual, holds_s, since_s, found):
    """manoeuvres.py: of one row's weights (3,)."""
    kept = math.exp(-max(since_s, 0.0) / holds_s)
    for level in range(len(modes)):
        found[level] = usual[level] + (modes[level] - usual[level]) * kept


@compiled(
    "Tuple((f8[:,::1], f8[:,:,::1]))(f8[:,::1], f8[:,:,::1], f8[:,::1], f8[:,:,::1], f8[:,:,::1], f8[::1], f8[::1],"
    "f8[::1], f8[::1], f8[::1])"
)
def weighed(modes, P, y, H, R, q, since_s, levels_q, usual, times_s):
    """manoeuvres.py; times_s: how long it goes on, what is hasty, how far ahead."""
    holds_s, telling_s, ahead_s = times_s
    count, d, levels = len(y), y.shape[1], modes.shape[1]
    after_all, P_all = np.empty((count, levels)), P.copy()
    HP, base, seen, S = np.empty((d, 6)), np.empty((d, d)), np.empty((d, d)), np.empty((d, d))
    left, rest = np.empty((MOST_COMPONENTS, MOST_COMPONENTS)), np.empty(MOST_COMPONENTS)
    prior, after, log, nothing = np.empty(levels), np.empty(levels), np.empty(levels), np.zeros((d, d))
    unit = np.zeros((6, 6))
    for k in range(count):
        before, T = 0.0, since_s[k]
        for level in range(levels):
            before += modes[k, level] * levels_q[level]
        _relaxed(modes[k], usual, holds_s, T - ahead_s, prior)
        for a in range(3):
            unit[a, a] = q[a] * T**3 / 3.0
            unit[a, a + 3] = unit[a + 3, a] = q[a] * T**2 / 2.0
            unit[a + 3, a + 3] = q[a] * T
        _innovation_covariance(P[k], H[k], R[k], HP, base)
        _innovation_covariance(unit, H[k], nothing, HP, seen)
        highest = -np.inf
        for level in range(levels):
            for i in range(d):
                for j in range(d):
                    S[i, j] = base[i, j] + (levels_q[level] - before) * seen[i, j]
            nis, log_determinant = _squared_distance(y[k], S, left, rest)
            log[level] = -0.5 * (nis + log_determinant)
            highest = log[level] if not log[level] <= highest else highest  # NaN stays
        total = 0.0
        for level in range(levels):
            after[level] = prior[level] * math.exp(log[level] - highest)
            total += after[level]
        now, hoped = 0.0, 0.0
        for level in range(levels):
            after[level] /= total
            now += after[level] * levels_q[level]
            hoped += prior[level] * levels_q[level]
        if telling_s > T and now < hoped:
            after[:] = prior
            now = hoped
        _relaxed(after, usual, holds_s, ahead_s, after_all[k])
        for a in range(6):
            for b in range(6):
                P_all[k, a, b] += (now - before) * unit[a, b]
    return after_all, P_all


@compiled()
def _solve(S, B, size):
    """S X = B in place of B (size, columns), S (size, size) positive definite and overwritten: S = L D Lᵀ."""
    columns = B.shape[1]
    for k in range(size):
        for i in range(k + 1, size):
            factor = S[i, k] / S[k, k]
            for j in range(k + 1, size):
                S[i, j] -= factor * S[k, j]
            for b in range(columns):
                B[i, b] -= factor * B[k, b]
    for k in range(size - 1, -1, -1):
        for b in range(columns):
            total = B[k, b]
            for i in range(k + 1, size):
                total -= S[k, i] * B[i, b]
            B[k, b] = total / S[k, k]


@compiled("Tuple((f8[:,::1], f8[:,:,::1]))(f8[:,::1], f8[:,:,::1], f8[:,::1], f8[:,:,::1], f8[:,:,::1])")
def update(x, P, y, H, R):
    """filters.py."""
    count, d = y.shape
    x_all, P_all = x.copy(), np.empty((count, 6, 6))
    HP, S, kept, half = np.empty((d, 6)), np.empty((d, d)), np.empty((6, 6)), np.empty((6, 6))
    KR = np.empty((6, d))
    for k in range(count):
        _innovation_covariance(P[k], H[k], R[k], HP, S)
        _solve(S, HP, d)  # HP becomes Kᵀ
        for a in range(6):
            for c in range(d):
                x_all[k, a] += HP[c, a] * y[k, c]
            for b in range(6):
                total = 1.0 if a == b else 0.0
                for c in range(d):
                    total -= HP[c, a] * H[k, c, b]
                kept[a, b] = total
            for c in range(d):
                total = 0.0
                for e in range(d):
                    total += HP[e, a] * R[k, e, c]
                KR[a, c] = total
        for a in range(6):
            for b in range(6):
                total = 0.0
                for c in range(6):
                    total += kept[a, c] * P[k, c, b]
                half[a, b] = total
        for a in range(6):
            for b in range(6):
                total = 0.0
                for c in range(6):
                    total += half[a, c] * kept[b, c]
                for c in range(d):
                    total += KR[a, c] * HP[c, b]
                P_all[k, a, b] = total
        for a in range(6):
            for b in range(a):
                P_all[k, a, b] = P_all[k, b, a] = 0.5 * (P_all[k, a, b] + P_all[k, b, a])
    return x_all, P_all


@compiled("Tuple((f8[:,:,::1], f8[:,:,::1]))(f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,::1], f8[::1])")
def leaned(leaning, P, H, S, D, share):
    """registration.py."""
    count, d, biases = len(H), H.shape[1], D.shape[1]
    G, A = leaning.copy(), np.empty((count, d, biases))
    HP, left = np.empty((d, 6)), np.empty((d, d))
    for k in range(count):
        for c in range(d):
            for b in range(biases):
                total = D[c, b]
                for a in range(6):
                    total -= H[k, c, a] * leaning[k, a, b]
                A[k, c, b] = total
            for b in range(6):
                total = 0.0
                for a in range(6):
                    total += H[k, c, a] * P[k, a, b]
                HP[c, b] = total
        left[:] = S[k]
        _solve(left, HP, d)
        for a in range(6):
            for b in range(biases):
                total = 0.0
                for c in range(d):
                    total += HP[c, a] * A[k, c, b]
                G[k, a, b] += share[k] * total
    return G, A


@compiled("void(f8[:,::1], f8[:,:,::1], f8[:,:,::1], f8[:,::1], f8[::1], f8[:,::1], f8[::1], f8[:,::1], f8[::1])")
def learn(y, S, A, information, pull, covariance, prior, recent, constants):
    """registration.py, in place of what the biases are known by; constants: as `kernels.py` lists them."""
    slack, largest_square, window, moved, fade_when_moved, fade_else = constants
    count, d, biases = A.shape
    mean, AC, spread = covariance @ pull, np.empty((d, biases)), np.empty((d, d))
    left, rest, scratch = np.empty((MOST_COMPONENTS, MOST_COMPONENTS)), np.empty(MOST_COMPONENTS), np.empty((d, d))
    weighed_k, off = np.empty((d, biases)), np.empty(d)
    taught, told, weight, pulled = np.zeros((biases, biases)), np.zeros(biases), np.zeros(biases), np.zeros(biases)
    for k in range(count):
        for c in range(d):
            off[c] = y[k, c]
            for b in range(biases):
                off[c] -= A[k, c, b] * mean[b]
                total = 0.0
                for e in range(biases):
                    total += A[k, c, e] * covariance[e, b]
                AC[c, b] = total
                weighed_k[c, b] = A[k, c, b]
        for c in range(d):
            for e in range(d):
                total = S[k, c, e]
                for b in range(biases):
                    total += AC[c, b] * A[k, e, b]
                spread[c, e] = total
                scratch[c, e] = slack * S[k, c, e]
        square, _ = _squared_distance(off, spread, left, rest)
        _solve(scratch, weighed_k, d)
        is_usable = square < largest_square * d
        for c in range(d):
            for b in range(biases):
                pulled[b] += weighed_k[c, b] * off[c]
                weight[b] += A[k, c, b] * weighed_k[c, b]
                if is_usable:
                    told[b] += weighed_k[c, b] * y[k, c]
                    for e in range(biases):
                        taught[b, e] += A[k, c, b] * weighed_k[c, e]
    root, renewed = np.empty(biases), np.empty(biases)
    for b in range(biases):
        recent[0, b] = window * recent[0, b] + pulled[b]
        recent[1, b] = window * recent[1, b] + weight[b]
        has_moved = recent[0, b] ** 2 > moved**2 * (recent[1, b] + recent[1, b] ** 2 * covariance[b, b])
        share = min(weight[b] * prior[b] ** 2, 1.0)
        fade = 1.0 - share * (1.0 - fade_when_moved if has_moved else 1.0 - fade_else)
        root[b], renewed[b] = math.sqrt(fade), (1.0 - fade) / prior[b] ** 2
    for b in range(biases):
        for e in range(biases):
            information[b, e] *= root[b] * root[e]
        information[b, b] += renewed[b]
    for b in range(biases):
        pull[b] = told[b]
        for e in range(biases):
            pull[b] += information[b, e] * mean[e]
    information += taught
    covariance[:] = np.linalg.inv(information)


@compiled("f8[::1](f8[:,:,::1])")
def largest_variance(P):
    """existence.py."""
    found = np.empty(len(P))
    for k in range(len(P)):
        q = (P[k, 0, 0] + P[k, 1, 1] + P[k, 2, 2]) / 3.0
        ee, nn, uu = P[k, 0, 0] - q, P[k, 1, 1] - q, P[k, 2, 2] - q
        en, eu, nu = P[k, 0, 1], P[k, 0, 2], P[k, 1, 2]
        p = math.sqrt((ee * ee + nn * nn + uu * uu + 2.0 * (en * en + eu * eu + nu * nu)) / 6.0)
        determinant = ee * (nn * uu - nu * nu) - en * (en * uu - nu * eu) + eu * (en * nu - nn * eu)
        cosine = min(max(determinant / max(2.0 * p**3, 2.2250738585072014e-308), -1.0), 1.0)
        found[k] = q + 2.0 * p * math.cos(math.acos(cosine) / 3.0)
    return found


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
            for a in range(3):
                body[a] = level[0] * turned[look, 0, a] + level[1] * turned[look, 1, a] + level[2] * turned[look, 2, a]
            azimuth = math.atan2(body[0], body[1])
            elevation = math.atan2(body[2], math.hypot(body[0], body[1]))
            of = limits[look]
            across = angle * of[6]
            if (
                of[0] + across <= azimuth <= of[1] - across
                and of[2] + angle <= elevation <= of[3] - angle
                and of[4] + sigma_m[k] <= slant_range <= of[5] - sigma_m[k]
            ):
                found[k] = True
                break
    return found


@compiled("f8[::1](f8[:,::1], f8[:,::1], b1[::1], i8, f8[:,::1], f8[::1], f8[::1], f8, f8[::1])")
def thickest(z, variance, is_azimuth, rate, kept, weight, radii, unit_ball, constants):
    """clutter_map.py; rate: the column of range rates, -1 where there is none; constants: as `kernels.py` lists them."""
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


@compiled("i8[:,::1](f8[:,::1], f8)")
def near_pairs(points, distance):
    """merging.py, in whatever order."""
    order = np.argsort(points[:, 0], kind="mergesort")
    found, count = np.empty((64, 2), np.int64), 0
    for first in range(len(order)):
        one = order[first]
        for second in range(first + 1, len(order)):
            two = order[second]
            east = points[two, 0] - points[one, 0]
            if east > distance:
                break
            if east**2 + (points[two, 1] - points[one, 1]) ** 2 + (points[two, 2] - points[one, 2]) ** 2 <= distance**2:
                if count == len(found):
                    found = np.concatenate((found, found))
                found[count, 0], found[count, 1] = min(one, two), max(one, two)
                count += 1
    return found[:count].copy()
