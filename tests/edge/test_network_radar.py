"""Network radars and other systems' tracks: from the site file to the messages."""

from __future__ import annotations

import json

import pytest

from edge.pipeline import Pipeline
from edge.site_file import SiteFileError, parse_site
from fusion.types import Reading

SITE = """
[site]
id = "ridge-04"
origin = { latitude_deg = 44.7, longitude_deg = 13.0, height_m = 612.4 }

[[sensor]]
id = "center-tracks"
device = { driver = "udp_listener", port = 8600 }
protocol = "asterix_tracks"
protocol_options = { editions = "62:1.21" }
"""
# CAT062: source, time of day, 44.734413 N 13.041528 E, 51.25 m/s west and 170 m/s north, track number 4980, status
RECORD = bytes.fromhex("9b0c19643c6005007f3e9b0025188dff3302a8137400")
RECEIVED_NS = 1_780_000_000_000_000_000


def datagram(number: int) -> bytes:
    record = RECORD[:-3] + number.to_bytes(2, "big") + RECORD[-1:]
    return b"\x3e" + (len(record) + 3).to_bytes(2, "big") + record


def test_other_systems_tracks_are_shown_once_a_second_and_start_no_track_of_ours() -> None:
    pipeline = Pipeline(parse_site(SITE, "ridge.toml"), "run", "test")
    told = []
    for number in range(45):
        received_ns = RECEIVED_NS + number * 100_000_000
        told += pipeline.feed(Reading("center-tracks", received_ns, number + 1, None, "192.0.2.1", datagram(number)))
    assert {outgoing.topic for outgoing in told} == {"detections"}
    messages = [json.loads(outgoing.payload) for outgoing in told]
    # the first nine blocks are not believed yet
    assert [len(message["detections"]) for message in messages] == [1, 10, 10, 10]
    assert messages[-1]["detections"][-1] == {"latitude_deg": 44.734413, "longitude_deg": 13.0415279}


@pytest.mark.parametrize(
    ("editions", "words"),
    [
        ("62:1.3", "protocol_options.editions: category 62 edition 1.3 is not known; known are 1.16"),
        ("newest", 'protocol_options.editions is "newest", expected CATEGORY:EDITION'),
    ],
)
def test_an_edition_that_cannot_be_read_is_a_mistake_of_the_site_file(editions: str, words: str) -> None:
    with pytest.raises(SiteFileError, match=words):
        parse_site(SITE.replace("62:1.21", editions), "ridge.toml")


def bearing(number: int, hundredths_deg: int = 12_345) -> bytes:
    """CAT205: channel 121.500 at so many degrees, with a report number of its own."""
    record = bytes.fromhex(f"bd40190105000000{number:02x}") + b"121.500" + hundredths_deg.to_bytes(2, "big")
    return b"\xcd" + (len(record) + 3).to_bytes(2, "big") + record


def test_what_is_there_without_a_place_is_told_when_new_and_once_a_second() -> None:
    pipeline = Pipeline(parse_site(SITE, "ridge.toml"), "run", "test")
    told = []
    for number in range(40):
        received_ns = RECEIVED_NS + number * 100_000_000
        told += pipeline.feed(Reading("center-tracks", received_ns, number + 1, None, None, bearing(number)))
    messages = [json.loads(outgoing.payload) for outgoing in told]
    assert 3 <= len(messages) <= 4
    assert messages[0]["detections"] == [{"presence": "spectrum", "text": "radio 121.500 at bearing 123.45 deg"}]


def test_presences_that_differ_each_time_are_told_no_more_than_five_times_in_any_second() -> None:
    pipeline = Pipeline(parse_site(SITE, "ridge.toml"), "run", "test")
    told_ms = []
    for number in range(60):
        at_ms = number * 50
        data = bearing(number, 12_000 + number)
        reading = Reading("center-tracks", RECEIVED_NS + at_ms * 1_000_000, 1 + at_ms * 1_000_000, None, None, data)
        told_ms += [at_ms for _ in pipeline.feed(reading)]
    assert told_ms[:5] == [450, 500, 550, 600, 650]  # the first nine blocks are not believed yet
    assert len(told_ms) == 15  # of 51
    assert all(sixth - first >= 1000 for first, sixth in zip(told_ms, told_ms[5:], strict=False))
