"""Detections for the center's tracker: sent only where the site file says so, all of them, and each once."""

from __future__ import annotations

import asyncio
import dataclasses

import msgspec
import pytest

from edge.gathered_scans import MESSAGE_DETECTIONS, cut
from edge.pipeline import Outgoing, Pipeline
from edge.simulator.run import readings
from edge.simulator.scenario import LIBRARY, read_scenario
from edge.site_file import Site, parse_site
from edge.sources import recorded
from fusion.scan_messages import MeasuredMessage, ScanMessage, ScansMessage, SensorsMessage
from tests.made_sites import BROKER, RECEIVER, RIDGE

SECONDS = 5.0


def sending(site: Site) -> Site:
    return dataclasses.replace(site, broker=dataclasses.replace(site.broker, send_detections=True))


def run(site: Site, scenario) -> tuple[Pipeline, list[Outgoing]]:
    pipeline = Pipeline(site, "run-1", "test")

    async def play() -> list[Outgoing]:
        made = recorded(readings(scenario, None, SECONDS, video=False), speed=None)
        return [outgoing async for reading in made for outgoing in pipeline.feed(reading)]

    return pipeline, asyncio.run(play())


@pytest.fixture(scope="module")
def scenario():
    return read_scenario(LIBRARY / "honest-remote-id.toml")


def test_a_site_file_says_whether_detections_are_sent_and_does_not_by_itself():
    assert not parse_site(RIDGE + RECEIVER + BROKER, "ridge.toml").broker.send_detections
    assert parse_site(RIDGE + RECEIVER + BROKER + "send_detections = true\n", "ridge.toml").broker.send_detections


def test_all_scans_and_claims_are_sent_once_and_the_tracks_are_as_without(scenario):
    silent, told_without = run(scenario.site, scenario)
    assert silent.sensors(0) == []
    pipeline, told = run(sending(scenario.site), scenario)
    assert [one for one in told if one.sequence] == told_without
    messages = [msgspec.json.decode(one.payload, type=ScansMessage) for one in told if not one.sequence]
    scans = [scan for message in messages for scan in message.scans]
    watched = pipeline.watch.sensors.values()
    waiting = len(pipeline._gathered._scans)  # since the last tick
    assert len(scans) + waiting == sum(watch.scans for watch in watched) > 20
    assert len({(scan.sensor_id, scan.time) for scan in scans}) == len(scans)
    assert any(message.claims for message in messages)
    [described] = pipeline.sensors(0)
    sensors = msgspec.json.decode(described.payload, type=SensorsMessage)
    assert {scan.sensor_id for scan in scans} <= {sensor.sensor_id for sensor in sensors.sensors}


def test_no_message_holds_more_than_its_bound():
    scans = [ScanMessage("radar", "", (MeasuredMessage(),) * count) for count in (600, 500, 1000, 0, 1000, 1)]
    parts = cut(scans)
    assert [scan for part in parts for scan in part] == scans
    assert max(sum(len(scan.detections) for scan in part) for part in parts) <= MESSAGE_DETECTIONS
