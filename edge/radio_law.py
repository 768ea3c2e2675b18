"""What a post may hear and keep: decoding what others broadcast, and positions of people who fly drones.

    [law]
    decode_broadcasts = true       an authority, or a permit, allows it here; false: no sensor of this site may
    keep_operators = false         where operators stand and who they say they are is neither sent on nor recorded

Countries differ: Remote ID is meant to be received by anyone in most, DJI's DroneID, aircraft and other people's sensors are
not everywhere; where an operator stands is personal data almost everywhere. This file knows no law. It does what the site
file says, and `sarhad check` says what the site file leaves open.

With `keep_operators = false` the readings of receivers that carry such positions are not recorded, since the bytes hold them:
a replay of such a recording knows the other sensors alone, so a run with such a receiver leaves no answer (`tracks.jsonl`,
`digest.txt`) beside it, which no replay could give.
"""

from __future__ import annotations

from dataclasses import replace

from edge.site_types import LawSettings, SensorEntry, Site
from fusion.types import Claim, Fact

BROADCASTS = {  # protocols that decode what others broadcast -> whose
    "open_drone_id": "drones' Remote ID",
    "dronescout": "drones' Remote ID",
    "esp32_remote_id": "drones' Remote ID",
    "radio_frames": "drones' Remote ID and DJI DroneID",
    "antsdr": "DJI DroneID",
    "ads_b": "aircraft's ADS-B",
    "rtl_433": "wireless sensors, also others' ones",
}
TELLS_OPERATORS = frozenset(("open_drone_id", "dronescout", "esp32_remote_id", "radio_frames", "antsdr"))


def forbidden(law: LawSettings, entry: SensorEntry) -> str | None:
    """Whose broadcasts a sensor would decode although the site may not; None where it may."""
    return BROADCASTS.get(entry.protocol) if law.decode_broadcasts is False else None


def law_warnings(site: Site) -> list[str]:
    """What the site file leaves open."""
    heard = sorted({BROADCASTS[entry.protocol] for entry in site.sensors if entry.protocol in BROADCASTS})
    found = []
    if heard and site.law.decode_broadcasts is None:
        found.append(f"[law]: decode_broadcasts is not stated: is decoding {' and '.join(heard)} allowed here?")
    if site.law.keep_operators and any(entry.protocol in TELLS_OPERATORS for entry in site.sensors):
        found.append("[law]: operators' positions are recorded and sent on; keep_operators = false keeps them out")
    for entry in site.sensors:
        if entry.transmits is not None and "no permit" in entry.transmits:
            found.append(f'sensor "{entry.sensor.sensor_id}": transmits {entry.transmits}')
    return found


def unrecorded(site: Site) -> frozenset[str]:
    """Sensors whose bytes must not be kept."""
    if site.law.keep_operators:
        return frozenset()
    return frozenset(entry.sensor.sensor_id for entry in site.sensors if entry.protocol in TELLS_OPERATORS)


def without_operator(fact: Fact) -> Fact:
    """A claim without where its operator stands, who that is, and the free text, which may say either."""
    if not isinstance(fact, Claim):
        return fact
    return replace(fact, operator_position=None, operator_id=None, text=None)
