"""`sarhad align SITE.toml SENSOR`: how a sensor is turned and how late it is, as lines for the site file."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edge.alignment import Alignment
    from edge.site_file import Site
    from edge.site_types import SensorEntry


WIDEST_DEG = 1.0  # of the heading by the sky; less sure, the sights contradict each other
NAMED_DIGITS = 12  # of a picture's SHA-256, in its name


@click.command()
@click.argument("site_file", metavar="SITE.toml", type=click.Path(path_type=Path))
@click.argument("sensor_id", metavar="SENSOR")
@click.option("--recording", type=click.Path(path_type=Path), help="What the sensor and its reference heard (IN.mcap).")
@click.option("--against", help="The reference: a Remote ID sensor's id, a camera's id, or a flight log (CSV).")
@click.option("--identity", help="Which drone, where the Remote ID sensor heard several.")
@click.option(
    "--landmarks",
    type=click.Path(path_type=Path),
    help="CSV: name, latitude_deg, longitude_deg, height_m, and x_px, y_px where they were seen already.",
)
@click.option(
    "--snapshot", type=click.Path(path_type=Path), help="A camera's picture; left out: taken from the camera."
)
@click.option(
    "--sky",
    type=click.Path(path_type=Path),
    help="CSV: time, x_px, y_px of the sun; of a star also azimuth_deg, elevation_deg.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the page for clicking landmarks is served.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535))
@click.option("--picture", type=click.Path(path_type=Path), help="Write what is left over as SVG.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def command(
    site_file: Path,
    sensor_id: str,
    recording: Path | None,
    against: str | None,
    identity: str | None,
    landmarks: Path | None,
    snapshot: Path | None,
    sky: Path | None,
    host: str,
    port: int,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Measure how SENSOR is mounted and how late it is, and write the lines for the site file.

    A radar or camera is aligned by a drone of known path: `--recording IN.mcap --against remote-id`, or a camera's id, or the
    drone's own log. A camera also by landmarks: `--landmarks towers.csv` serves a page on which they are clicked, also on a
    phone; or by where the sun or stars stood in its pictures: `--sky sights.csv`. Exit code 1 where the sights do not tell.
    """
    from edge.alignment import CannotAlign
    from edge.site_file import SiteFileError, read_site
    from evidence.recording import RecordingDamaged, WrongFile
    from sarhad.running import one_thread

    one_thread()
    image: bytes | None = None
    try:
        site = read_site(site_file)
        entry = next((one for one in site.sensors if one.sensor.sensor_id == sensor_id), None)
        if entry is None or entry.sensor.coverage is None:
            known = ", ".join(one.sensor.sensor_id for one in site.sensors if one.sensor.coverage is not None)
            raise SiteFileError(
                f'{site_file}: "{sensor_id}" is no sensor that can be aligned; expected one of: {known}'
            )
        if landmarks is not None:
            found, image = by_landmarks(site, entry, landmarks, snapshot, host, port)
        elif sky is not None:
            found = by_sky(site, entry, sky)
        elif recording is not None and against is not None:
            found = by_path(site, entry, recording, against, identity)
        else:
            raise SiteFileError("nothing to align by; expected --recording with --against, --landmarks, or --sky")
        kept = "" if image is None else keep_picture(site_file, sensor_id, image)
        tell(entry, found, kept, picture, as_json)
    except (SiteFileError, WrongFile, RecordingDamaged, OSError) as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    except CannotAlign as error:
        click.echo(f"{sensor_id}: {error}", err=True)
        raise SystemExit(1) from None


def keep_picture(site_file: Path, sensor_id: str, image: bytes) -> str:
    """Write the picture by which it was aligned beside the site file; the line that names it there, empty where that fails.

    A name is of one content: the picture that the site file names today stays as it is until its line is replaced."""
    from hashlib import sha256

    from edge.landmark_page import suffix_of

    digest = sha256(image).hexdigest()
    file = site_file.with_name(f"{sensor_id}-aligned-{digest[:NAMED_DIGITS]}{suffix_of(image)}")
    try:
        file.write_bytes(image)
    except OSError as error:
        click.echo(f"{file}: the picture cannot be kept: {error.strerror}; the alignment holds without it", err=True)
        return ""
    return f'aligned_picture = {{ path = "{file.name}", sha256 = "{digest}" }}\n'


def tell(entry: SensorEntry, found: Alignment, kept: str, picture: Path | None, as_json: bool) -> None:
    from edge import alignment_words

    patch = alignment_words.patch(entry.sensor, found) + kept
    if picture is not None:
        picture.write_text(alignment_words.picture(found), encoding="utf-8")
    if as_json:
        turn = found.orientation
        told = {
            "sensor_id": entry.sensor.sensor_id,
            "heading_deg": math.degrees(turn.heading_rad) % 360.0,
            "pitch_deg": math.degrees(turn.pitch_rad),
            "roll_deg": math.degrees(turn.roll_rad),
            "sigma_deg": [math.degrees(sigma) for sigma in found.sigma_rad],
            "latency_s": found.latency_ns / 1e9,
            "latency_sigma_s": found.latency_sigma_s,
            "slant_range_bias_m": found.slant_range_bias_m,
            "covariance": found.covariance.tolist(),
            "sights": found.sights,
            "azimuth_rms_deg": math.degrees(found.azimuth_rms_rad),
            "patch": patch,
        }
        click.echo(json.dumps(told))
        return
    click.echo("\n".join([*alignment_words.words(entry.sensor, found), "", patch]))


def by_path(site: Site, entry: SensorEntry, recording: Path, against: str, identity: str | None) -> Alignment:
    """By a drone whose path is known."""
    from edge.alignment import align
    from edge.alignment_sources import claimed_path, facts_of, logged_path, paired, sights_of
    from edge.seen_rays import seen_pairs
    from edge.sensors import is_camera
    from evidence.recording import read_recording
    from fusion.frames import LocalFrame

    reference = next((one for one in site.sensors if one.sensor.sensor_id == against), None)
    wanted = [entry.sensor.sensor_id, *([against] if reference else [])]
    with recording.open("rb") as stream:
        facts = facts_of(site, read_recording(stream)[1], wanted)
    frame = LocalFrame(site.origin)
    if reference is not None and is_camera(reference):
        return align(entry.sensor, seen_pairs(reference.sensor, entry.sensor, facts), moving=True)
    path = logged_path(Path(against), frame) if reference is None else claimed_path(facts, against, frame, identity)
    return align(entry.sensor, paired(sights_of(entry.sensor, facts), path), moving=True)


def by_sky(site: Site, entry: SensorEntry, file: Path) -> Alignment:
    """By the sun and stars."""
    from edge.alignment import CannotAlign, align
    from edge.sky_sights import sky_pairs

    if entry.lens is None:
        raise CannotAlign("sun and stars are for cameras")
    found = align(entry.sensor, sky_pairs(entry, site.origin, file), moving=False)
    if (sigma_deg := math.degrees(found.sigma_rad[0])) > WIDEST_DEG:
        raise CannotAlign(f"heading only to {sigma_deg:.1f} deg; expected sights that fit each other, well apart")
    return found


def by_landmarks(
    site: Site, entry: SensorEntry, file: Path, snapshot: Path | None, host: str, port: int
) -> tuple[Alignment, bytes | None]:
    """By points whose places are known: clicked already, or on a page; and the picture, where there is one."""
    from edge.alignment import CannotAlign
    from edge.landmark_page import align_by_clicks, check_picture, read_landmarks, serve_until_solved, take_snapshot

    if entry.lens is None:
        raise CannotAlign("landmarks are for cameras")
    known = read_landmarks(file)
    image = None if snapshot is None else snapshot.read_bytes()
    if image is not None:
        check_picture(entry, image, str(snapshot))
    if all(landmark.pixel is not None for landmark in known):
        return align_by_clicks(site, entry, known), image
    if image is None:
        image = take_snapshot(entry)
        check_picture(entry, image, "the camera's picture")
    return serve_until_solved(site, entry, known, image, host, port, click.echo), image
