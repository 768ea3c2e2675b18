"""What a site may hear and keep, and how far it is honest to say that it sees."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge.node import Node
from edge.pipeline import Pipeline
from edge.radio_law import BROADCASTS, TELLS_OPERATORS
from edge.sensors import PROTOCOLS
from edge.simulator.scenario import read_scenario
from edge.site_file import SiteFileError, parse_site
from edge.site_words import expected_words, site_warnings
from evidence.recording import read_recording
from fusion.types import CLOCK, Reading
from sarhad.simulating import simulate

SCENARIO = Path(__file__).parents[2] / "edge" / "scenarios" / "demo.toml"
HEAD = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[broker.outbox]
path = "OUTBOX"
"""
MOUNTED = """
position = { east_m = 0.0, north_m = 0.0, up_m = 3.0 }
orientation = { heading_deg = 0.0 }
accuracy = { azimuth_deg = 1.5, elevation_deg = 2.0, slant_range_m = 0.8, range_rate_m_s = 0.3 }
coverage = { azimuth_deg = [-60, 60], elevation_deg = [-10, 40], slant_range_m = [2, 40000] }
"""
REMOTE_ID = """
[[sensor]]
id = "remote-id"
device = { driver = "udp_listener", port = 41301, host = "127.0.0.1" }
protocol = "open_drone_id"
"""
BOARD = f"""
[[sensor]]
id = "board"
device = {{ driver = "serial_port", path = "/dev/serial/by-id/board", baud = 921600 }}
protocol = "ti_mmwave"
transmits = {{ band_ghz = [60.0, 64.0], power_dbm = 12 }}
{MOUNTED}"""
FAR = f"""
[[sensor]]
id = "far"
device = {{ driver = "udp_listener", port = 41302, allow = ["192.0.2.1"] }}
protocol = "asterix"
{MOUNTED}"""


def warnings(text: str) -> str:
    return "\n".join(site_warnings(parse_site(text, "ridge.toml")))


def test_the_tables_name_protocols_that_exist() -> None:
    assert set(BROADCASTS) <= set(PROTOCOLS)
    assert set(BROADCASTS) >= TELLS_OPERATORS


def test_a_site_that_may_not_decode_broadcasts_refuses_who_would() -> None:
    with pytest.raises(
        SiteFileError, match=r'sensor "remote-id": protocol is "open_drone_id"; .*decode_broadcasts is false'
    ):
        parse_site(HEAD + "[law]\ndecode_broadcasts = false\n" + REMOTE_ID, "ridge.toml")
    assert parse_site(HEAD + "[law]\ndecode_broadcasts = false\n" + BOARD, "ridge.toml").law.decode_broadcasts is False


def test_what_the_site_file_leaves_open_is_told() -> None:
    assert "is decoding drones' Remote ID allowed here?" in warnings(HEAD + REMOTE_ID)
    assert "decode_broadcasts" not in warnings(HEAD + "[law]\ndecode_broadcasts = true\n" + REMOTE_ID)
    assert "keep_operators = false keeps them out" in warnings(HEAD + REMOTE_ID)
    assert "no permit stated" in warnings(HEAD + BOARD)


def test_a_post_of_short_sighted_sensors_is_told_what_sees_farther() -> None:
    assert "expected to be seen to 40 m at most: what sees farther is a network radar" in warnings(HEAD + BOARD)
    assert "sees farther" not in warnings(HEAD + BOARD + FAR)
    assert "its maker's figures hold" in expected_words(parse_site(HEAD + FAR, "ridge.toml").sensors[0])[0]


def test_what_sees_no_drone_says_so_rather_than_a_range_of_nothing() -> None:
    module = HEAD + BOARD.replace("ti_mmwave", "ld2450")
    told = expected_words(parse_site(module, "ridge.toml").sensors[0])
    assert [": is not seen, by day and by night" in line for line in told] == [True] * 3
    assert "coverage reaches 40000 m, but no 0.35 m drone is expected, its silence tells little" in warnings(module)
    assert "expected to about 40 m only; beyond, its silence tells little" in warnings(HEAD + BOARD)


def claims(text: str, recording: Path) -> list:
    """The claims in the messages of a run over a simulated flight."""
    import json

    line = Pipeline(parse_site(text, "ridge.toml"), "run", "software")
    found = []
    with recording.open("rb") as stream:
        for reading in read_recording(stream)[1]:
            for message in line.feed(reading):
                if message.topic == "tracks":
                    told = json.loads(message.payload)
                    found += told["claims"] + [claim for track in told["tracks"] for claim in track["claims"]]
    return found


def test_operators_can_be_kept_out_of_messages_and_recordings(tmp_path: Path) -> None:
    assert read_scenario(SCENARIO)
    recording = tmp_path / "flight.mcap"
    assert simulate(SCENARIO, recording, 15.0, None, False, True) == 0
    with recording.open("rb") as stream:
        text = read_recording(stream)[0].site_text
    told = claims(text, recording)
    assert any(claim.get("operator_id") == "DEMO-OPERATOR-1" for claim in told)
    kept_out = claims(text + "\n[law]\nkeep_operators = false\n", recording)
    assert len(kept_out) == len(told)
    assert not any(claim.get("operator_id") or claim.get("operator_latitude_deg") for claim in kept_out)
    assert {claim.get("identity") for claim in kept_out} == {claim.get("identity") for claim in told}

    site = parse_site(
        HEAD.replace("OUTBOX", str(tmp_path / "o.db")) + "[law]\nkeep_operators = false\n" + REMOTE_ID, "x"
    )
    written = tmp_path / "kept.mcap"

    async def run() -> None:
        node = Node(site, record_path=written, publish=False)
        node._take(Reading("remote-id", 1, 1, None, None, b"where somebody stands"))
        node._take(Reading(CLOCK, 2, 2, None, None, b""))
        await node._close()

    asyncio.run(run())
    assert b"somebody" not in written.read_bytes()
    with written.open("rb") as stream:
        assert [reading.sensor_id for reading in read_recording(stream)[1]] == [CLOCK]
