"""What a detection leaves in the row that takes it: taking.py, the votes of classification.py, and of which biases its
innovation tells by registration.py, compiled. Shapes: k of n rows, s sensors, b biases."""

from __future__ import annotations

import math

import numpy as np

from fusion.compiled.decorator import compiled


@compiled(
    "void(i8[::1], f8[:,::1], f8[:,:,::1], f8[::1], i8, i8, b1, b1, f8[:,::1], f8[:,:,::1], f8[:,::1], f8[::1],"
    "b1[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], f8[:,::1], f8, f8)"
)
def take(
    rows, new_x, new_P, ratio, number, time_ns, is_ranged, is_report,
    x, P, updated_x, existence, is_confirmed, hits, ranged_hits, silent, carried_ns, last_ns, last_sensor, seen_ns, denied_log,
    highest_existence, surely_denied_log,
):  # fmt: skip
    """taking.py, in place of the columns of all rows."""
    for k in range(len(rows)):
        row, is_denied = rows[k], False
        if is_report:
            limit = surely_denied_log if is_confirmed[row] else 0.0
            for sensor in range(denied_log.shape[1]):
                is_denied |= denied_log[row, sensor] < limit
        if not is_denied:
            raised = ratio[k] * existence[row]
            existence[row] = min(raised / (1.0 - existence[row] + raised), highest_existence)
        x[row], P[row], updated_x[row] = new_x[k], new_P[k], new_x[k]
        hits[row] += 1
        if is_ranged:
            ranged_hits[row] += 1
            silent[row] = 0
        carried_ns[row] = last_ns[row] = seen_ns[row, number] = time_ns
        last_sensor[row] = number
        denied_log[row, number] = 0.0


@compiled(
    "void(i8[::1], f8[:,::1], i8[::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8[:,::1], i8[:,::1], i8[:,::1], i8, i8, i8,"
    "f8[:,:,::1], f8[::1], f8[::1])"
)
def vote(
    rows, named, tracklets, class_log, linked_log, views, sights, tracklet, voted_ns, number, time_ns, never_ns, names,
    prior_log, constants,
):  # fmt: skip
    """classification.py, in place of the columns of all rows; names (2, classes, known) of lone votes and of tracklets';
    constants: see `compiled_stages.py`."""
    picture_s, longest_fade_s, fade_s, smallest_log = constants[:4]
    ended_ns = int(constants[4])
    classes, known = names.shape[1:]
    for k in range(len(rows)):
        row, total = rows[k], 0.0
        for c in range(known):
            total += named[k, c]
        share, of = min(total, 1.0), 1 if tracklets[k] != 0 else 0
        first, fresh, view_s = constants[5 + 3 * of : 8 + 3 * of]
        kept, weight = math.exp(-longest_fade_s / fade_s), first
        if voted_ns[row, number] != never_ns:
            since_s = max((time_ns - voted_ns[row, number]) / 1e9, 0.0)
            weight = fresh * min(since_s / picture_s, 1.0) + (1.0 - fresh) * (1.0 - math.exp(-since_s / view_s))
            kept = math.exp(-min(since_s, longest_fade_s) / fade_s)
        for one in range(classes):
            class_log[row, one] = prior_log[one] + (class_log[row, one] - prior_log[one]) * kept
        for sensor in range(views.shape[1]):
            is_ended = voted_ns[row, sensor] < time_ns - ended_ns
            if sensor == number:
                is_ended |= of == 0 or tracklets[k] != tracklet[row, number]
                if of == 1 and is_ended:
                    weight = min(weight, first)
            going = 0.0 if is_ended else kept
            views[row, sensor] *= going
            sights[row, sensor] *= going
            for one in range(classes):
                class_log[row, one] += linked_log[row, sensor, one] * (kept - going)
                linked_log[row, sensor, one] *= going
        if of == 1:
            views[row, number] += weight
            sights[row, number] += weight * share
            weight = views[row, number]
            share = sights[row, number] / weight if weight > 0.0 else 0.0
        highest = -np.inf
        for one in range(classes):
            told, mean = 0.0, 0.0
            for c in range(known):
                if total > 0.0:
                    likelihood = share * names[of, one, c] + (1.0 - share) * names[of, classes - 1, c]
                    mean += named[k, c] / total * likelihood
                    told += named[k, c] / total * math.log(likelihood)
            if of == 0 and total > 0.0:
                told = math.log(mean)
            linked_log[row, number, one] = weight * told if of == 1 else 0.0
            class_log[row, one] += weight * told if of == 0 else 0.0
            highest = max(highest, class_log[row, one])
        for one in range(classes):
            class_log[row, one] = max(class_log[row, one] - highest, smallest_log)
        tracklet[row, number], voted_ns[row, number] = tracklets[k], time_ns


@compiled("b1[:,::1](i8, i8[:,::1], f8[:,::1], i8, i8[::1], b1[::1], f8[:,::1], b1[::1], i8, f8)")
def compared(number, seen_ns, position_m, time_ns, of, of_range, stand_m, ranging, within_ns, least_sine):
    """registration.py."""
    count, sensors, biases = len(seen_ns), seen_ns.shape[1], len(of)
    found, lately, line, own = (
        np.zeros((count, biases), np.bool_),
        np.empty(sensors, np.bool_),
        np.empty(3),
        np.empty(3),
    )
    for k in range(count):
        seen = 0
        for sensor in range(sensors):
            lately[sensor] = sensor == number or seen_ns[k, sensor] > time_ns - within_ns
            seen += 1 if lately[sensor] else 0
        for b in range(biases):
            if not of_range[b]:
                found[k, b] = seen > (1 if lately[of[b]] else 0)
                continue
            own_square = 0.0
            for a in range(3):
                own[a] = position_m[k, a] - stand_m[of[b], a]
                own_square += own[a] * own[a]
            for sensor in range(sensors):
                if sensor == of[b] or not lately[sensor] or found[k, b]:
                    continue
                square, along = 0.0, 0.0
                for a in range(3):
                    line[a] = position_m[k, a] - stand_m[sensor, a]
                    square += line[a] * line[a]
                    along += line[a] * own[a]
                flat = least_sine * least_sine * max(square, 1.0) * max(own_square, 1.0)
                found[k, b] = ranging[sensor] or square * own_square - along * along > flat
    return found


@compiled("void(i8[::1], f8[:,::1], f8[:,:,::1], i8[::1], f8[::1], i8[::1], f8[:,::1], f8, i8)")
def note_speeds(rows, x, P, direction_of, speed_m_s, speed_count, way_m_s, sure_m_s, looks):
    """true_speed.py, in place of the columns of all rows."""
    for k in range(len(rows)):
        row = rows[k]
        if direction_of[row] >= 0 or not max(P[row, 3, 3], P[row, 4, 4]) < sure_m_s**2:
            continue
        speed_count[row] += 1
        weight = 1.0 / min(speed_count[row], looks)
        speed_m_s[row] += weight * (math.hypot(x[row, 3], x[row, 4]) - speed_m_s[row])
        way_m_s[row, 0] += weight * (x[row, 3] - way_m_s[row, 0])
        way_m_s[row, 1] += weight * (x[row, 4] - way_m_s[row, 1])


@compiled(
    "void(i8[::1], f8[:,::1], f8[:,::1], f8[:,:,::1], f8[:,::1], f8[::1], f8[::1], f8[:,::1], f8[::1], f8[::1], f8[::1],"
    "f8[::1], f8[::1])"
)
def learn_noise(
    own, y, foretold, leans, alike, unit, excess, information, pull, left_alone, mean, lessons, constants
):  # fmt: skip
    """sensor_noise.py, in place; constants: see `compiled_stages.py`."""
    slack, clipped, steady, fade = constants
    count, biases = len(y), len(pull)
    leaning, A = np.empty(biases), np.empty(biases)
    for place in range(len(own)):
        column, total = own[place], 0.0
        many = lessons[column]
        for k in range(count):
            total += y[k, place]
            for b in range(biases):
                leaning[b] = abs(leans[k, place, b])
            for other in own:
                leaning[other] = 0.0
            believed, explained = foretold[k, place], 0.0
            V = believed - excess[column]
            for b in range(biases):
                A[b] = 0.0
                for c in range(biases):
                    A[b] += leaning[c] * alike[c, b]
                A[b] = 1.0 if b == column else A[b] * leaning[b]
                explained += A[b] * excess[b]
                A[b] *= unit[b]
            if not many > 0.0:
                continue
            square = min((y[k, place] - mean[column]) ** 2 * many / (many + 1.0), clipped * believed)
            found, w = square - V + explained - excess[column], 0.5 / V**2
            for b in range(biases):
                pull[b] += A[b] * w * found
                left_alone[b] += A[b] * w * V * slack
                for c in range(biases):
                    information[b, c] += A[b] * w * A[c]
        lessons[column] = min(many + 1.0, steady)
        mean[column] += (total / count - mean[column]) / lessons[column]
    for column in own:
        pull[column] *= math.sqrt(fade)
        left_alone[column] *= math.sqrt(fade)
        for b in range(biases):
            information[column, b] *= math.sqrt(fade)
            information[b, column] *= math.sqrt(fade)
