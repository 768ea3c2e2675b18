"""What posts and center exchange, for programs of others: JSON Schema and AsyncAPI from the types of `fusion/wire.py` and
`fusion/scan_messages.py`.

    python -m sarhad.message_schemas docs/messages

writes one schema file a stream, `<stream>.schema.json` (JSON Schema 2020-12), and `asyncapi.json` (AsyncAPI 3.0), which names
each topic, who may write it, and the schema of its messages. A topic without a message type has no schema and is named
there as reserved.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from fusion import scan_messages, wire

DIALECT = "https://json-schema.org/draft/2020-12/schema"
UP: dict[str, tuple[type[msgspec.Struct], str]] = {
    "site": (wire.SiteMessage, "Who and where the post is and what it sees with; retained."),
    "tracks": (wire.TracksMessage, "Tracks and claims that one reading, or the passing of time, has changed."),
    "detections": (wire.DetectionsMessage, "The newest scan of a sensor, at most one a second; for orientation only."),
    "sensors": (
        scan_messages.SensorsMessage,
        "Each sensor as a tracker needs it, where detections are sent; retained.",
    ),
    "scans": (
        scan_messages.ScansMessage,
        "Where the site file says so: every scan and claim, ten messages a second, live only, outside the sequence.",
    ),
    "health": (wire.HealthMessage, "How the post and each sensor is; retained, and the last will with state `gone`."),
}
DOWN: dict[str, tuple[type[msgspec.Struct], str]] = {
    "cue": (wire.CueMessage, "What an operator wants a camera on a pan-tilt head to look at, for some seconds."),
    "ack": (wire.AckMessage, "Ranges of sequence numbers that the center has committed; only this empties the outbox."),
}
OUT: dict[str, tuple[type[msgspec.Struct], str]] = {
    "fused": (wire.FusedTracksMessage, "The tracks of all posts joined by object, once a second; for readers."),
}
DESCRIPTION = (
    "Degrees, metres, seconds, WGS-84 and RFC 3339 UTC; sigmas are 1-sigma; null is unknown. Messages with a `sequence` are "
    "counted for each (site_id, run_id) from 1 and repeated until acknowledged: keep each once. Reserved topic names without "
    "a message type: "
)


def schema(message: type[msgspec.Struct]) -> dict[str, Any]:
    """One message's JSON Schema, its parts under `$defs`."""
    found: dict[str, Any] = msgspec.json.schema(message)
    return {"$schema": DIALECT, **found}


def asyncapi() -> dict[str, Any]:
    """The topics with their directions and messages; schemas by reference to the files beside it."""
    streams = {**UP, **DOWN, **OUT}
    reserved = sorted({*wire.UP_TOPICS, *wire.DOWN_TOPICS} - set(streams))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sarhad posts and center",
            "version": str(wire.VERSION),
            "description": DESCRIPTION + ", ".join(reserved) + ".",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {**address(name), "messages": {name: {"$ref": f"#/components/messages/{name}"}}} for name in streams
        },
        "operations": {
            f"{'post' if name in UP else 'center'}_writes_{name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "description": f"Written by the {'post' if name in UP else 'center'} alone.",
            }
            for name in streams
        },
        "components": {
            "messages": {
                name: {"summary": words, "payload": {"$ref": f"{name}.schema.json"}}
                for name, (_, words) in streams.items()
            }
        },
    }


def address(name: str) -> dict[str, Any]:
    """The topic of a stream: each post's own, or the one of the picture of all posts."""
    if name in OUT:
        return {"address": wire.topic(name, "tracks")}
    return {
        "address": wire.topic("{site_id}", name),
        "parameters": {"site_id": {"description": "The post's name, as in its site file."}},
    }


def documents() -> dict[str, str]:
    """Every file's name and text."""
    found = {f"{name}.schema.json": schema(message) for name, (message, _) in {**UP, **DOWN, **OUT}.items()}
    return {
        name: json.dumps(text, indent=1, sort_keys=True) + "\n"
        for name, text in [*found.items(), ("asyncapi.json", asyncapi())]
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for file_name, text in documents().items():
        (folder / file_name).write_text(text, encoding="utf-8")
