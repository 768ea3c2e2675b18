"""What detections do to tracks: association.py, manoeuvres.py, filters.py and registration.py, compiled."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled
from fusion.measurement import AZIMUTH, EAST, SLANT_RANGE  # numba freezes what stands outside a function

MOST_COMPONENTS = 4
FEW_PLOTS = 64  # of more, those that are near a row in one component are found by its order


@compiled()
def _wrapped(angle):
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


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


@compiled(
    "Tuple((f8[:,::1], f8[:,:,::1], f8[:,::1]))(f8[:,::1], f8[:,:,::1], f8[:,::1], f8[:,::1], f8[:,:,::1], f8[:,:,::1],"
    "f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1])"
)
def filtered(x, P, modes, y, H, R, q, since_s, share, levels_q, usual, times_s):
    """manoeuvres.py; the last as in `weighed`."""
    after, raised_P = weighed(modes, P, y, H, R, q, since_s, levels_q, usual, times_s)
    for k in range(len(x)):
        total = 0.0
        for level in range(len(levels_q)):
            total += after[k, level]
        for i in range(6):
            for j in range(6):
                total += raised_P[k, i, j]
        if not (share[k] == 1.0 and math.isfinite(total)):
            after[k], raised_P[k] = modes[k], P[k]
    new_x, new_P = update(x, raised_P, y, H, R)
    return new_x, new_P, after


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
    """registration.py, in place of what the biases are known by; constants: see `compiled_stages.py`."""
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
    left_all = information.copy()
    covariance[:] = 0.0
    for b in range(biases):
        covariance[b, b] = 1.0
    _solve(left_all, covariance, biases)
