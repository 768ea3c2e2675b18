"""Who is who where a few tracks meet: joint_sets.py, compiled; joint.py tells what each step means."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled


@compiled()
def _goes_before(one, other, value, hypothesis, takes):
    """Which of two branches is the likelier; where they are as likely, the order of what they take."""
    if value[one] != value[other]:
        return value[one] > value[other]
    if hypothesis[one] != hypothesis[other]:
        return hypothesis[one] < hypothesis[other]
    for i in range(takes.shape[1]):
        if takes[one, i] != takes[other, i]:
            return takes[one, i] < takes[other, i]
    return False


@compiled()
def _sorted(value, hypothesis, takes):
    """Places of branches, the likeliest first."""
    order = np.argsort(-value, kind="mergesort")
    for k in range(1, len(order)):  # what is as likely
        slot = k
        while slot > 0 and _goes_before(order[slot], order[slot - 1], value, hypothesis, takes):
            order[slot], order[slot - 1] = order[slot - 1], order[slot]
            slot -= 1
    return order


@compiled()
def _grown(value, hypothesis, takes, i, first_option, plot, score):
    """Branches after track i takes one of its options, or none; first_option: of each hypothesis, and where it ends."""
    room = 0
    for b in range(len(value)):
        room += 1 + first_option[hypothesis[b], 1] - first_option[hypothesis[b], 0]
    new_value, new_hypothesis = np.empty(room), np.empty(room, np.int64)
    new_takes, count = np.empty((room, takes.shape[1]), np.int64), 0
    for b in range(len(value)):
        new_value[count], new_hypothesis[count], new_takes[count] = value[b], hypothesis[b], takes[b]
        count += 1
        for pair in range(first_option[hypothesis[b], 0], first_option[hypothesis[b], 1]):
            is_free = True
            for other in range(i):
                is_free &= takes[b, other] < 0 or plot[takes[b, other]] != plot[pair]
            if is_free:
                new_value[count], new_hypothesis[count] = value[b] + score[pair], hypothesis[b]
                new_takes[count] = takes[b]
                new_takes[count, i] = pair
                count += 1
    return new_value[:count], new_hypothesis[:count], new_takes[:count]


@compiled()
def _likeliest(log, tracks, state, plot, score, begin, end, most_tracks, most_branches):
    """joint.branches of one set, whose pairs stand from begin to end; state counts from its first."""
    value, hypothesis = log.copy(), np.arange(len(log))
    takes = np.full((len(log), most_tracks), -1, np.int64)
    first_option = np.empty((len(log), 2), np.int64)
    for i in range(tracks):
        for h in range(len(log)):
            first_option[h, 0] = begin + np.searchsorted(state, h * tracks + i)
            first_option[h, 1] = begin + np.searchsorted(state, h * tracks + i, side="right")
        value, hypothesis, takes = _grown(value, hypothesis, takes, i, first_option, plot, score)
        order = _sorted(value, hypothesis, takes)
        count, told = min(len(order), most_branches), False
        for k in range(count):
            told |= hypothesis[order[k]] == 0
        if not told:
            for k in range(count, len(order)):
                if hypothesis[order[k]] == 0:
                    order[count] = order[k]
                    break
            count += 1
        order = order[:count]
        value, hypothesis, takes = value[order], hypothesis[order], takes[order]
    return value, hypothesis, takes


@compiled(
    "Tuple((f8[::1], i8[::1], i8[:,::1], i8[::1]))"
    "(f8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], i8[::1], i8, i8, i8, f8)"
)
def branches(
    log, tracks, first_hypothesis, first_state, state, plot, score, first_pair,
    most_tracks, most_branches, most_hypotheses, least_log,
):  # fmt: skip
    """joint_sets.py."""
    sets = len(tracks)
    room, count, first = sets * (most_hypotheses + 1), 0, np.zeros(sets + 1, np.int64)
    values, hypotheses = np.empty(room), np.empty(room, np.int64)
    takes = np.empty((room, most_tracks), np.int64)
    for s in range(sets):
        begin, end, began = first_pair[s], first_pair[s + 1], first_hypothesis[s]
        of_set = log[began : first_hypothesis[s + 1]]
        whose = state[begin:end] - first_state[s]
        value, hypothesis, taken = _likeliest(
            of_set, tracks[s], whose, plot, score, begin, end, most_tracks, most_branches
        )
        told = False
        for k in range(len(value)):
            is_kept = k < most_hypotheses and value[k] - value[0] >= least_log
            if is_kept or (not told and hypothesis[k] == 0):
                values[count], hypotheses[count], takes[count] = value[k] - value[0], began + hypothesis[k], taken[k]
                told |= hypothesis[k] == 0
                count += 1
        first[s + 1] = count
    return values[:count].copy(), hypotheses[:count].copy(), takes[:count].copy(), first


@compiled()
def _are_alike(x, P, one, other, same, y, S):
    """Whether two hypotheses (m, 6) are in one place in all tracks, by the covariances of the first."""
    for track in range(x.shape[1]):
        for a in range(6):
            y[a] = x[one, track, a] - x[other, track, a]
            for b in range(6):
                S[a, b] = P[one, track, a, b]
        square = 0.0
        for c in range(6):  # S = L D Lᵀ, one column at a time
            if not S[c, c] > 0.0:
                return False
            square += y[c] * y[c] / S[c, c]
            for i in range(c + 1, 6):
                factor = S[i, c] / S[c, c]
                y[i] -= factor * y[c]
                for j in range(c + 1, 6):
                    S[i, j] -= factor * S[c, j]
        if not square < same:
            return False
    return True


@compiled()
def _placed_as(x, held, apart, place, best):
    """joint.placed_as of one hypothesis (m, 6) into best (m,): the least of all permutations."""
    size = len(x)
    for i in range(size):
        for j in range(size):
            apart[i, j] = (x[i, 0] - held[j, 0]) ** 2 + (x[i, 1] - held[j, 1]) ** 2 + (x[i, 2] - held[j, 2]) ** 2
    is_plain = True
    for i in range(size):
        best[i] = i
        is_plain &= np.argmin(apart[i, :size]) == i
    if is_plain:
        return
    least, i = np.inf, 0
    place[:size] = -1
    while i >= 0:  # one track after the other takes the next place that is free
        place[i] += 1
        if place[i] == size:
            place[i] = -1
            i -= 1
            continue
        is_free = True
        for other in range(i):
            is_free &= place[other] != place[i]
        if is_free and i < size - 1:
            i += 1
        elif is_free:
            total = 0.0
            for k in range(size):
                total += apart[k, place[k]]
            if total < least:
                least = total
                best[:size] = place[:size]


@compiled()
def _distinct(log, x, P, same):
    """joint.distinct: the branches that differ, and what each weighs."""
    y, S = np.empty(6), np.empty((6, 6))
    kept, weight, count = np.empty(len(log), np.int64), np.empty(len(log)), 0
    for k in range(len(log)):
        into = count
        for one in range(count):
            if _are_alike(x, P, kept[one], k, same, y, S):
                into = one
                break
        if into == count:
            kept[count], weight[count] = k, 0.0
            count += 1
        weight[into] += math.exp(log[k])
    order = np.argsort(-weight[:count], kind="mergesort")
    return kept[order], weight[order]


@compiled()
def _told(log, places, changes_log):
    """joint.told, of places (k, m)."""
    count, size = places.shape
    weight, first = np.zeros(count), np.arange(count)  # of each way to stand, at the first that stands so
    best, as_held = 0, -1
    for k in range(count):
        for one in range(k):
            if (places[one] == places[k]).all():
                first[k] = one
                break
        weight[first[k]] += math.exp(log[k] - log.max())
        if first[k] == k and (places[k] == np.arange(size)).all():
            as_held = k
    for k in range(count):
        is_more = weight[k] > weight[best]
        if weight[k] == weight[best]:
            for i in range(size):
                if places[k, i] != places[best, i]:
                    is_more = places[k, i] > places[best, i]
                    break
        best = k if first[k] == k and is_more else best
    changes = as_held < 0 or weight[best] > weight[as_held] * math.exp(changes_log)
    return best if changes else as_held


@compiled(
    "Tuple((i8[::1], f8[::1], i8[::1], i8[:,::1]))"
    "(f8[:,::1], f8[:,:,::1], f8[::1], b1[::1], i8[::1], i8[::1], i8, f8, f8, f8)"
)
def settled(x, P, log, is_held, first_branch, tracks, most_tracks, same, least_log, changes_log):
    """joint_sets.py."""
    sets = len(tracks)
    kept_all, log_all, first = np.empty(len(log), np.int64), np.empty(len(log)), np.zeros(sets + 1, np.int64)
    stood = np.full((sets, most_tracks), -1, np.int64)
    apart, place = np.empty((most_tracks, most_tracks)), np.empty(most_tracks, np.int64)
    begin, count = 0, 0
    for s in range(sets):
        size, branch, branches = tracks[s], first_branch[s], first_branch[s + 1] - first_branch[s]
        end = begin + size * branches
        its_x, its_P = x[begin:end].reshape((branches, size, 6)), P[begin:end].reshape((branches, size, 6, 6))
        begin, first[s + 1] = end, count
        if not math.isfinite(its_x.sum() + its_P.sum()):
            continue
        kept, weight = _distinct(log[branch : branch + branches], its_x, its_P, same)
        weight = np.log(weight) - math.log(weight[0])
        held = 0
        while not is_held[branch + held]:
            held += 1
        places = np.empty((len(kept), size), np.int64)
        for k in range(len(kept)):
            _placed_as(its_x[kept[k]], its_x[held], apart, place, places[k])
        told = _told(weight, places, changes_log)
        stood[s, :size] = places[told]
        kept_all[count], log_all[count] = branch + kept[told], 0.0
        count += 1
        for k in range(len(kept)):
            if k != told and weight[k] >= least_log:
                kept_all[count], log_all[count] = branch + kept[k], weight[k] - weight[told]
                count += 1
        first[s + 1] = count
    return kept_all[:count].copy(), log_all[:count].copy(), first, stood
