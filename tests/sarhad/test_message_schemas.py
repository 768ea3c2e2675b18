"""The published schemas are those of the types, and the messages that are sent keep them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from fusion import wire
from sarhad.message_schemas import DOWN, OUT, UP, asyncapi, documents

FOLDER = Path(__file__).parents[2] / "docs" / "messages"
SITE = wire.SiteMessage(1, "ridge", "run", 1, "2026-03-02T10:15:30.000000Z", 45.0, 7.0, 600.0, (), "0" * 64, "0.1.0")


def test_the_written_schemas_are_those_of_the_types():
    of_sensors = {"sensor-line.schema.json"}  # what comes in, not what is sent
    written = {
        path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json") if path.name not in of_sensors
    }
    assert written == documents(), "run: python -m sarhad.message_schemas docs/messages"


@pytest.mark.parametrize("name", [*UP, *DOWN, *OUT])
def test_each_schema_is_one(name: str):
    jsonschema.Draft202012Validator.check_schema(json.loads(documents()[f"{name}.schema.json"]))


def test_a_message_keeps_its_schema_and_a_wrong_one_does_not():
    validator = jsonschema.Draft202012Validator(json.loads(documents()["site.schema.json"]))
    message = json.loads(wire.encode(SITE))
    validator.validate(message)
    with pytest.raises(jsonschema.ValidationError, match="latitude_deg"):
        validator.validate({name: value for name, value in message.items() if name != "latitude_deg"})


def test_every_topic_has_a_channel_or_is_called_reserved():
    told = asyncapi()
    for name in (*wire.UP_TOPICS, *wire.DOWN_TOPICS):
        assert name in told["channels"] or name in told["info"]["description"].split(":")[-1]
    assert {channel["address"] for channel in told["channels"].values()} == {
        *(f"sarhad/v1/{{site_id}}/{name}" for name in (*UP, *DOWN)),
        "sarhad/v1/fused/tracks",
    }
