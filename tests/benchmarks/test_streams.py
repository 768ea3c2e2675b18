from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.streams import Camera, encode, figures, growth, missed
from edge.vision.decoder import PacketDecoder


def test_each_picture_is_one_packet_and_comes_out_at_once() -> None:
    shown = [np.full((256, 320, 3), grey, np.uint8) for grey in (60, 120, 180)]
    packets = encode(shown, 7, 10, 200_000)
    decoder = PacketDecoder()
    decoded = [decoder.decode(packet, number) for number, packet in enumerate(packets)]
    assert [[one.monotonic_ns for one in pictures] for pictures in decoded] == [[number] for number in range(7)]
    levels = [float(pictures[0].bgr().mean()) for pictures in decoded]
    assert all(abs(a - b) > 30 for a, b in pairwise(levels))


def test_late_answers_and_a_queue_that_grows_miss_their_bounds() -> None:
    steady = Camera("steady", [], took_ms=[50.0] * 60, regions=[2] * 60)
    assert growth(steady.took_ms) == 1.0
    assert list(missed({"full-hd": figures([steady], 15, 7.0, 3.5)})) == []
    queue = Camera("queue", [], took_ms=[30.0 + 2 * number for number in range(60)], regions=[2] * 60)
    late, grows = missed({"full-hd": figures([queue], 15, 7.0, 3.5)})
    assert "at most 120" in late
    assert "times as long at the end" in grows


def test_what_was_not_answered_is_told() -> None:
    camera = Camera("half", [], took_ms=[50.0] * 30, regions=[2] * 30, overtaken=30)
    of = figures([camera], 15, 7.0, 3.5)
    assert (of["answered"], of["overtaken"], of["cores"]) == (0.5, 30, 0.5)
