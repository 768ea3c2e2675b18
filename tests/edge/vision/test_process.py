"""The vision process as it runs: a real process, real packets, a real pipe."""

import asyncio
import contextlib
import io
import json
import os
import signal
import threading
from pathlib import Path

import msgspec
import psutil
import pytest
from camera_stream import encode, flight

from edge.vision.client import VisionProcess
from edge.vision.detector import SHIPPED_MODEL, Box, Region, load_detector
from edge.vision.margins import Margins
from edge.vision.messages import ALIVE, LENGTH, Packet, Settings, frame_message
from edge.vision.process import CALM_LOOKS, FEWEST_REGIONS, MOST_WAITING_BYTES, Eyes, Pace, Waiting, read_messages, run
from edge.vision.recompute import SecondLook
from edge.vision.regions import BUDGET
from edge.vision.score_shift import ScoreShift

PICTURES = flight((640, 384), 20)
PACKETS = encode(PICTURES, key_every=5)
CAMERA = "camera-north"
TAKE_S = 60.0  # a loaded machine may need this long to start and to look


def messages(data: bytes) -> list[dict]:
    found, at = [], 0
    while at < len(data):
        (length,) = LENGTH.unpack_from(data, at)
        found.append(json.loads(data[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def packet(number: int, data: bytes, sensor_id: str = CAMERA, **more: object) -> bytes:
    return frame_message(msgspec.msgpack.encode(Packet(sensor_id, 1_000 + number, data, **more)))  # type: ignore[arg-type]


def test_served_from_a_pipe_it_greets_looks_and_ends_with_its_input() -> None:
    source = io.BytesIO(b"".join(packet(n, data) for n, data in enumerate(PACKETS)))
    sink = io.BytesIO()
    run(SHIPPED_MODEL, 0.25, 1, source, sink)
    hello, *results = messages(sink.getvalue())
    assert hello["ready"] is True
    assert results
    for result in results:
        assert result["sensor_id"] == CAMERA
        assert result["size_px"] == [640, 384]
        assert result["model_sha256"] == hello["model_sha256"]
        assert result["provider"] == "CPUExecutionProvider"
        assert len(result["looked"]) >= 1
        for detection in result["detections"]:
            assert set(detection) == {"class", "confidence", "x", "y", "w", "h", "classes", "tracklet", "speed_px_s"}
            assert sum(detection["classes"].values()) == pytest.approx(1.0, abs=1e-3)
            assert detection["class"] == max(detection["classes"], key=detection["classes"].get)
    assert [result["look"] for result in results] == list(range(len(results)))
    assert sum(1 + result["skipped_pictures"] for result in results) == len(PACKETS)


def test_when_behind_it_looks_at_the_newest_picture_only() -> None:
    eyes = Eyes(load_detector())
    for number, data in enumerate(PACKETS[:8]):
        eyes.take(Packet(CAMERA, number, data))
    (result,) = eyes.look()
    assert (result.access_unit_ns, result.skipped_pictures) == (7, 7)
    assert eyes.look() == []


def test_cameras_do_not_wait_for_each_other() -> None:
    eyes = Eyes(load_detector())
    for number, data in enumerate(PACKETS[:3]):
        eyes.take(Packet("east", number, data))
        eyes.take(Packet("west", number, data))
    assert [(r.sensor_id, r.access_unit_ns) for r in eyes.look()] == [("east", 2), ("west", 2)]


def test_cues_are_looked_at_and_the_budget_holds() -> None:
    eyes = Eyes(load_detector())
    eyes.take(Settings(budget=1))
    eyes.take(Packet(CAMERA, 0, PACKETS[0]))
    assert len(eyes.look()[0].looked) == 1
    eyes.take(Settings(budget=3))
    eyes.take(Packet(CAMERA, 1, PACKETS[1], cues=[(560, 300, 20, 20)]))
    x, y, w, h = eyes.look()[0].looked[0]
    assert x <= 560
    assert y <= 300
    assert x + w >= 580
    assert y + h >= 320


def test_what_waits_before_a_later_key_frame_is_not_decoded() -> None:
    eyes = Eyes(load_detector())
    waiting = [Packet(CAMERA, n, data) for n, data in enumerate(PACKETS[:13])]  # key frames: 0, 5 and 10
    waiting[3] = Packet(CAMERA, 3, b"\0\0\0\1damaged")
    eyes.take_all(waiting)
    (result,) = eyes.look()
    assert (result.access_unit_ns, result.skipped_pictures, result.damaged_packets) == (12, 12, 0)


def test_a_slow_machine_looks_at_fewer_regions_and_a_quick_one_at_the_budget() -> None:
    wide = encode(flight((1280, 720), 18), key_every=1)
    now_s = [0.0]
    cost_s = [2.0]  # of a look

    class Slow:
        confidence, model_sha256, provider, class_names, temperature = 0.25, "", "", ("drone",), 1.0
        usual, margins, closer_look = None, Margins(), None
        wing_beats, score_shift, spectrum = None, ScoreShift(), None

        def look(self, picture: object, regions: list[Region], *, every_class: bool = False) -> list[Box]:
            now_s[0] += cost_s[0]
            return []

    eyes = Eyes(Slow(), clock_s=lambda: now_s[0])  # type: ignore[arg-type]
    cues = [(200 * n, 300, 20, 20) for n in range(6)]
    counts = []
    for number, data in enumerate(wide):
        cost_s[0] = 2.0 if number < 4 else 0.01
        eyes.take(Packet(CAMERA, number, data, cues=cues))
        counts.append(len(eyes.look()[0].looked))
    assert counts[0] == BUDGET
    assert counts[1:4] == [FEWEST_REGIONS] * 3
    assert counts[-1] == BUDGET


def test_a_camera_whose_pictures_overtake_each_other_is_looked_at_in_fewer_places() -> None:
    eyes = Eyes(load_detector())
    packets = encode(flight((640, 512), 12), key_every=12)
    looked = []
    for number, data in enumerate(packets):
        eyes.take(Packet(CAMERA, number, data))
        if number % 2:  # each look finds two pictures
            looked.append(eyes.look()[0].looked)
    assert looked[0] == [(0, 0, 640, 512)]  # four regions: within the budget
    assert (0, 0, 640, 512) not in looked[BUDGET - FEWEST_REGIONS :]
    assert len(looked[-1]) <= FEWEST_REGIONS


def test_the_budget_comes_back_once_no_picture_is_overtaken() -> None:
    pace = Pace()
    for _ in range(2 * BUDGET):
        pace.looked(overtaken=1)
        assert pace.affordable(BUDGET) >= FEWEST_REGIONS
    assert pace.affordable(BUDGET) == FEWEST_REGIONS
    for _ in range(CALM_LOOKS):
        pace.looked(overtaken=0)
    assert pace.affordable(BUDGET) == FEWEST_REGIONS + 1
    for _ in range(CALM_LOOKS * BUDGET):
        pace.looked(overtaken=0)
    assert pace.affordable(BUDGET) == BUDGET


def test_rubbish_between_the_messages_is_named_and_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    source = io.BytesIO(frame_message(b"rubbish") + packet(0, PACKETS[0]))
    sink = io.BytesIO()
    run(SHIPPED_MODEL, 0.25, 1, source, sink)
    assert messages(sink.getvalue())[-1]["access_unit_ns"] == 1_000
    assert "expected Packet, View or Settings" in capsys.readouterr().err


def test_packets_without_a_picture_are_answered_by_a_sign_of_life() -> None:
    source = io.BytesIO(packet(0, b"no video"))
    sink = io.BytesIO()
    run(SHIPPED_MODEL, 0.25, 1, source, sink)
    assert messages(sink.getvalue())[1:] == [json.loads(ALIVE)]


def test_while_it_decodes_a_long_stretch_it_gives_signs_of_life() -> None:
    stretch = encode(flight((320, 256), 60), key_every=250)
    source = io.BytesIO(b"".join(packet(n, data) for n, data in enumerate(stretch)))
    sink = io.BytesIO()
    run(SHIPPED_MODEL, 0.25, 1, source, sink)
    _, *said = messages(sink.getvalue())
    assert said.count(json.loads(ALIVE)) >= 2
    assert said[-1]["access_unit_ns"] == 1_000 + len(stretch) - 1


def test_what_waits_is_bounded_in_bytes_and_nothing_of_it_is_lost() -> None:
    one = packet(0, b"\0" * 300_000)
    count = 2 * MOST_WAITING_BYTES // len(one)
    waiting = Waiting()
    reader = threading.Thread(target=read_messages, args=(io.BytesIO(one * count), waiting), daemon=True)
    reader.start()
    reader.join(0.5)  # as long as it might take to read all
    assert reader.is_alive()
    taken = waiting.take_all()
    assert sum(len(message.data) for message in taken) <= MOST_WAITING_BYTES  # type: ignore[union-attr]
    while None not in taken:
        taken += waiting.take_all()
    assert len(taken) == count + 1


def test_looking_again_gives_the_same_answer() -> None:
    eyes, again = Eyes(load_detector()), SecondLook()
    recorded = []
    for number, data in enumerate(PACKETS):
        eyes.take(Packet(CAMERA, number, data))
        again.take(CAMERA, number, data)
        recorded += [msgspec.json.encode(result) for result in eyes.look()]
    for result in recorded:
        before, after = json.loads(result), json.loads(again.look_again(result) or b"")
        assert before.pop("latency_ms") is not None
        assert after.pop("latency_ms") is None
        assert after == before
    gone = json.loads(recorded[0]) | {"access_unit_ns": 10_000}
    assert again.look_again(json.dumps(gone).encode()) is None


def run_async(work) -> None:  # type: ignore[no-untyped-def]
    asyncio.run(asyncio.wait_for(work(), TAKE_S))


async def next_result(vision: VisionProcess) -> dict:
    async for result in vision.results():
        return json.loads(result)
    raise AssertionError("closed")


def test_the_client_offers_packets_and_gets_results() -> None:
    async def work() -> None:
        vision = VisionProcess()
        await vision.start()
        assert vision.provider == "CPUExecutionProvider"
        assert vision.offer(CAMERA, 5, PACKETS[0])
        result = await next_result(vision)
        assert (result["access_unit_ns"], result["sensor_id"]) == (5, CAMERA)
        for number, data in enumerate(PACKETS[1:], start=6):
            assert vision.offer(CAMERA, number, data)
        while result["access_unit_ns"] < 5 + len(PACKETS) - 1:
            result = await next_result(vision)
        memory_mb = psutil.Process(vision.pid).memory_info().rss / 2**20
        assert memory_mb < 250
        await vision.close()
        assert not psutil.pid_exists(vision.pid or -1)

    run_async(work)


def test_a_killed_process_is_started_again_and_sees_at_once_from_the_last_key_frame_on() -> None:
    async def work() -> None:
        vision = VisionProcess()
        await vision.start()
        assert vision.offer(CAMERA, 0, PACKETS[0])
        await next_result(vision)
        os.kill(vision.pid or -1, signal.SIGKILL)
        while vision.restart_count == 0 or not vision.is_ready:
            await asyncio.sleep(0.05)
        assert not vision.offer("west", 1, PACKETS[1])  # nobody has its key frame
        assert vision.offer(CAMERA, 1, PACKETS[1])  # with the key frame before it
        assert (await next_result(vision))["access_unit_ns"] == 1
        await vision.close()

    run_async(work)


def test_a_process_that_hangs_is_ended_and_started_again() -> None:
    async def work() -> None:
        vision = VisionProcess(silence_s=1.0)
        await vision.start()
        os.kill(vision.pid or -1, signal.SIGSTOP)
        vision.offer(CAMERA, 0, PACKETS[0])
        while vision.restart_count == 0 or not vision.is_ready:
            await asyncio.sleep(0.05)
        await vision.close()

    run_async(work)


def test_a_full_pipe_drops_at_once_and_what_comes_next_is_seen_with_all_it_is_built_on() -> None:
    async def work() -> None:
        vision = VisionProcess(silence_s=30.0)
        await vision.start()
        os.kill(vision.pid or -1, signal.SIGSTOP)
        large = b"\0" * 400_000
        offered = [vision.offer(CAMERA, n, PACKETS[0] + large) for n in range(8)]
        offered += [vision.offer(CAMERA, n, PACKETS[n - 7]) for n in (8, 9)]
        assert offered[0]
        assert not any(offered[-3:])
        assert vision.dropped_count == offered.count(False)
        os.kill(vision.pid or -1, signal.SIGCONT)
        await next_result(vision)
        while not vision.offer(CAMERA, 10, PACKETS[3]):
            await asyncio.sleep(0.05)
        result = await next_result(vision)
        while result["access_unit_ns"] != 10:
            assert result["access_unit_ns"] < 7  # those left out are decoded, not looked at: they are past
            result = await next_result(vision)
        assert result["damaged_packets"] == 0
        await vision.close()

    run_async(work)


def test_a_model_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    async def work() -> None:
        vision = VisionProcess(tmp_path / "none.onnx")
        with pytest.raises(RuntimeError, match="exit code 2"):
            await vision.start()
        await vision.close()

    run_async(work)


def test_silence_without_packets_is_no_reason_to_restart_and_results_end_when_it_is_closed() -> None:
    async def work() -> None:
        vision = VisionProcess(silence_s=0.4)
        await vision.start()
        collecting = asyncio.create_task(collect(vision))
        await asyncio.sleep(1.2)
        assert vision.restart_count == 0
        await vision.close()
        assert await collecting == []

    async def collect(vision: VisionProcess) -> list[bytes]:
        return [result async for result in vision.results()]

    run_async(work)
    with contextlib.suppress(RuntimeError):
        assert threading.active_count() < 20
