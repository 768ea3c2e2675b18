"""What the guards see on a phone: all of each track, without pushing the page sideways."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from edge.guard_page import GuardPage
from edge.health import health_message
from edge.outbox import OutboxCounts
from edge.pipeline import Pipeline
from edge.site_file import parse_site
from fusion.types import Track
from hardware.host import Host

SITE = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[[sensor]]
id = "gnss"
device = { driver = "udp_listener", port = 41238, host = "127.0.0.1" }
protocol = "gnss"
"""
EDGES = """Array.from(document.querySelectorAll("#tracks td"), (cell) => {
  const { left, right } = cell.getBoundingClientRect();
  return [left, right, getComputedStyle(cell, "::before").content === "none" ? "" : cell.title];
})"""  # in one go, as the page draws its rows anew each second
DRONE = Track(
    1234,
    1,
    1,
    np.array([4000.0, 1700.0, -125.0, 30.0, 4.0, 0.0]),  # east-north-east: the longest word for a direction
    np.eye(6),
    0.95,
    "confirmed",
    None,
    (("drone", 0.8), ("unknown", 0.2)),
    (),
    (),
    1,
    None,
    None,
)


@pytest.mark.parametrize(("width_px", "names_columns"), [(320, False), (390, False), (1024, True)])
def test_all_of_a_track_fits_the_screen(browser, width_px: int, names_columns: bool) -> None:
    from playwright.sync_api import expect

    line = Pipeline(parse_site(SITE, "ridge.toml"), "run", "software")
    page = GuardPage("127.0.0.1", 0)
    page.show([DRONE], health_message(line, Host(None, None, None, {}), OutboxCounts(), ("the disk is full",)))
    phone = browser.new_page(viewport={"width": width_px, "height": 700})
    phone.goto(f"http://127.0.0.1:{page.port}/")
    cells = phone.locator("#tracks td")
    expect(cells).to_have_text(["1234", "drone", "67° east-north-east", "4346 m", "-125 m", "30 m/s"])
    assert phone.evaluate("document.documentElement.scrollWidth") <= width_px
    edges = phone.evaluate(EDGES)
    assert len(edges) == 6
    assert all(0.0 <= left < right <= width_px for left, right, _ in edges)
    assert phone.locator("thead").is_visible() == names_columns
    assert ("Speed" in edges[5][2]) != names_columns  # a figure without its column's head says itself what it is
    expect(phone.locator("#troubles")).to_contain_text("the disk is full")
    phone.close()
    page.close()


def test_what_may_be_a_drone_is_no_empty_sky(browser) -> None:
    from playwright.sync_api import expect

    line, page = Pipeline(parse_site(SITE, "ridge.toml"), "run", "software"), GuardPage("127.0.0.1", 0)
    told = health_message(line, Host(None, None, None, {}), OutboxCounts(), ())
    tablet = browser.new_page()
    tablet.goto(f"http://127.0.0.1:{page.port}/")
    for share, state in ((0.36, "PERHAPS A DRONE"), (0.2, "1 seen, none called a drone, but something is wrong")):
        page.show(
            [replace(DRONE, classes=(("drone", share), ("unknown", 1.0 - share)))], replace(told, state="degraded")
        )
        expect(tablet.locator("#state")).to_have_text(state)
    tablet.close()
    page.close()
