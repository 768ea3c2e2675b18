"""What a person at the map sees, in a real headless browser: from MQTT to the screen."""

from __future__ import annotations

import re
import time
from math import radians, sin

import cv2
import numpy as np
import pytest

from fusion.frames import LocalFrame
from fusion.types import Geodetic
from fusion.wire import DetectionMessage, ExplanationMessage, LookedMessage, encode
from tests.made_radars import PlayedPost as PlayedRadar

LATITUDE_DEG, LONGITUDE_DEG = 12.0, -35.0  # as in tests/center/conftest.py


@pytest.fixture
def expect(browser):
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)
    return expect


def row_of(post, track_number: int) -> str:
    return f'tr[data-track="{post.site_id}/{post.run_id}/{track_number}"]'


def test_an_empty_map_says_whether_a_post_can_see(page, post, expect):
    empty = page.locator("#empty")
    expect(empty).to_have_text("No post has reported.")
    post.say_site()
    post.say_health()
    expect(empty).to_have_text("Nothing seen. ridge-04 can see: radar-north ok, camera-north ok.")
    post.say_health(state="degraded", blind={"radar-north": "no bytes for 12 s: check the cable"})
    expect(empty).to_contain_text("It cannot see with: radar-north lost: no bytes for 12 s: check the cable.")
    everything = dict.fromkeys(("radar-north", "camera-north"), "no power")
    post.say_health(state="blind", blind=everything)
    expect(empty).to_contain_text("ridge-04 is blind: radar-north lost: no power;")
    post.say_health(state="gone")
    expect(empty).to_contain_text("ridge-04 is gone: what it sees is not known.")


def test_a_published_track_appears_moves_and_goes(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(7, 1, height_m=75.0))
    row = page.locator(row_of(post, 7))
    expect(row).to_contain_text("drone 90 %")
    expect(row).to_contain_text("75 m")
    expect(page.locator("#empty")).to_be_hidden()
    row.click()
    detail = page.locator("#detail")
    expect(detail).to_contain_text("12.00054°, -35.00000°")
    post.say_tracks(post.track(7, 2, east_m=30.0, height_m=80.0))
    expect(row).to_contain_text("80 m")
    expect(detail).to_contain_text("12.00054°, -34.99972°")
    post.say_tracks(post.track(7, 3, status="dropped", reason="unseen"))
    expect(row).to_have_count(0)
    expect(detail).to_be_hidden()


def test_the_detail_says_what_it_may_be_how_surely_who_sees_it_and_why(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(
        post.track(7, 4, claims=(post.claim(),), group_number=3),
        post.track(8, 4, east_m=20.0, group_number=3),
        groups=(post.group(7, 8),),
    )
    page.locator(row_of(post, 7)).click()
    detail = page.locator("#detail")
    for words in (
        "Track 7 · drone", "90 %", "7 %", "97 %", "7.6 × 4.4 m", "75 m above the WGS-84 ellipsoid",
        "35 m above the post", "8.0 m/s", "90°", "radar-north", "camera-north",
        "Claims to be SARHADTEST0001 here: unverified.", "Our measurements agree with the claimed place.",
        "It says its operator is at 11.99900°, -35.00000°: unverified.",
        "2 of its detections lay near enough; the nearest fits with a squared distance of 1.2 σ²",
        "group 3: tracks 7, 8; 1–2 objects",
        "Looked there and reported nothing: camera-north.",
    ):  # fmt: skip
        expect(detail).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()


def test_what_may_well_be_a_drone_is_told_beside_the_likeliest_class(page, post, expect):
    post.say_site()
    post.say_health()
    classes = {"unknown": 0.5, "drone": 0.36, "bird": 0.14}
    post.say_tracks(
        post.track(7, 1, classes=classes), post.track(8, 1, classes={"unknown": 0.58, "drone": 0.22, "bird": 0.2})
    )
    expect(page.locator(row_of(post, 7))).to_contain_text("unknown 50 %perhaps drone 36 %")
    expect(page.locator(row_of(post, 8))).to_contain_text("unknown 58 %")
    expect(page.locator(row_of(post, 8))).not_to_contain_text("perhaps")


def test_a_direction_only_track_is_a_wedge_and_claims_no_place(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(3, 1, direction=post.direction(20.0), classes={"drone": 0.6, "unknown": 0.4}))
    row = page.locator(row_of(post, 3))
    expect(row).to_contain_text("direction only")
    row.click()
    detail = page.locator("#detail")
    expect(detail).to_contain_text("Seen from camera-north at azimuth 20.0° ± 0.5°")
    expect(detail).to_contain_text("between 80 m and 350 m (90 %)")
    expect(detail).not_to_contain_text("Height")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    page.locator("#fit").click()
    # on the wedge: 95 m at 20° from the post
    page.locator("#map").click(position=point_of(page, east_m=32.5, north_m=89.3))
    expect(detail).to_contain_text("Track 3")


def point_of(page, east_m: float, north_m: float) -> dict[str, float]:
    """Where on the map element a point lies, so far from the post.

    Shown is what the nearest-seeing sensor covers, the radar: 120 m from 50° left to 70° right of north."""
    west_m, east_most_m, north_most_m = -120 * sin(radians(50)), 120 * sin(radians(70)), 120.0
    top, bottom, aside = 64, 44, 60  # px kept free around it
    box = page.locator("#map").bounding_box()
    width, height = box["width"] - 2 * aside, box["height"] - top - bottom
    pixels_per_m = min(width / (east_most_m - west_m), height / north_most_m)
    x = aside + width / 2 + (east_m - (west_m + east_most_m) / 2) * pixels_per_m
    y = top + height / 2 - (north_m - north_most_m / 2) * pixels_per_m
    return {"x": x, "y": y}


def pixels(page, x: float, y: float, half_px: int) -> list[tuple[int, int, int]]:
    """The colours of the map around a point of it."""
    box = page.locator("#map").bounding_box()
    clip = {"x": box["x"] + x - half_px, "y": box["y"] + y - half_px, "width": 2 * half_px, "height": 2 * half_px}
    picture = cv2.imdecode(np.frombuffer(page.screenshot(clip=clip), np.uint8), cv2.IMREAD_COLOR)
    return [(int(red), int(green), int(blue)) for blue, green, red in picture.reshape(-1, 3)]


@pytest.mark.parametrize(
    ("sensor_id", "told", "colour", "place_m"),
    [
        ("air-radar", {"latitude_deg": 12.00045, "longitude_deg": -34.99972}, (0x9F, 0xB4, 0xFF), (30.5, 49.8)),
        ("fence", {"presence": "fence", "text": "zone 4"}, (0xFF, 0xD2, 0x4D), (0.0, 0.0)),
    ],
)
def test_other_systems_tracks_and_presences_are_on_the_map(page, post, expect, sensor_id, told, colour, place_m):
    post.say_site({"air-radar": "asterix_tracks", "fence": "modbus_rtu"})
    post.say_health()
    expect(page.locator("#empty")).to_contain_text("Nothing seen.")
    page.locator("#fit").click()
    place = point_of(page, *place_m)

    def is_drawn() -> bool:
        seen = pixels(page, place["x"], place["y"], 24)
        return sum(all(abs(a - b) < 12 for a, b in zip(one, colour, strict=True)) for one in seen) > 10

    assert not is_drawn()
    post.say_detections(sensor_id, DetectionMessage(**told))
    end_s = time.monotonic() + 10.0
    while not is_drawn() and time.monotonic() < end_s:
        page.wait_for_timeout(100)
    assert is_drawn()


def test_the_view_holds_every_track_that_has_a_place(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1), post.track(2, east_m=-400.0, north_m=900.0))
    expect(page.locator(row_of(post, 2))).to_be_visible()
    scale = page.locator(".maplibregl-ctrl-scale")
    expect(scale).not_to_have_text("100 m")
    page.locator("#fit").click()
    expect(scale).to_have_text("100 m")
    post.say_tracks(post.track(2, 2, status="dropped"))
    expect(page.locator(row_of(post, 2))).to_have_count(0)
    page.locator("#fit").click()
    expect(scale).to_have_text("30 m")


def test_a_claim_without_a_track_is_shown_as_a_claim(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(claims=(post.claim(identity="<b>bold</b>", agreement="not_testable"),))
    page.locator("#tab-claims").click()
    claims = page.locator("#claims")
    expect(claims).to_contain_text("Claims to be <b>bold</b> here: unverified.")
    expect(claims).to_contain_text("No sensor of ours sees anything there.")
    expect(page.locator("#tab-tracks")).to_have_text("Tracks 0")
    expect(page.locator("#empty")).to_contain_text("Nothing seen.")


def test_the_health_of_each_sensor_says_what_is_wrong_and_what_to_do(page, post, expect):
    post.say_site()
    post.say_health(state="degraded", blind={"radar-north": "no bytes for 12 s: check the cable"})
    page.locator("#tab-posts").click()
    radar = page.locator('[data-sensor="radar-north"]')
    for words in (
        "lost",
        "no bytes for 12 s: check the cable",
        "decoded 600",
        "rejected 2 (checksum 2)",
        "last reading",
    ):
        expect(radar).to_contain_text(words)
    expect(page.locator('[data-sensor="camera-north"]')).to_contain_text("mounting not measured: directions ± 5°")
    expect(page.locator('[data-sensor="remote-id"] .state')).to_have_text("ok")


def test_a_camera_shows_what_it_found_where_it_looked_and_where_the_tracks_are(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(
        post.track(7, 1, east_m=0.0, north_m=60.0, height_m=52.0), post.track(8, 1, east_m=60.0, north_m=0.0)
    )
    page.locator("#tab-posts").click()
    view = page.locator('[data-sensor="camera-north"] .camera-view')
    expect(view).to_have_attribute("aria-label", "camera-north has found nothing yet.")
    expect(page.locator('[data-sensor="radar-north"] .camera-view')).to_have_count(0)
    looked = LookedMessage((0.0, 10.0, 10.0, 0.0), (10.0, 10.0, 0.0, 0.0))
    bird = DetectionMessage(azimuth_deg=5.0, elevation_deg=2.0, confidence=0.6, classes={"bird": 0.5, "unknown": 0.5})
    post.say_detections("camera-north", bird, looked=(looked,))
    expect(view).to_have_attribute("aria-label", re.compile(r"What camera-north found \d s ago: bird 60 % 5°."))
    expect(view.locator("text")).to_have_text(["bird 60 %", "7"])  # track 8 stands beside the picture
    box, track, region = (view.locator(name).bounding_box() for name in (".box", ".track-place", ".looked"))
    frame = view.bounding_box()
    px_a_deg = frame["width"] / 30.0
    north = frame["x"] + frame["width"] / 2 - 10.0 * px_a_deg  # the camera looks to 10 degrees
    assert box["x"] + box["width"] / 2 - north == pytest.approx(5.0 * px_a_deg, abs=3.0)
    assert track["x"] + track["width"] / 2 - north == pytest.approx(0.0, abs=3.0)
    assert (region["x"] - north, region["width"]) == pytest.approx((0.0, 10.0 * px_a_deg), abs=3.0)
    assert box["y"] > track["y"]  # 2 degrees up, and the track some 8
    page.locator("#language").click()
    expect(view.locator("text").first).to_have_text("پرندہ\u200e 60 %")  # the mark keeps the number behind the word
    page.locator("#language").click()  # which the browser remembers


def test_the_page_speaks_urdu_from_right_to_left_and_remembers_it(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1))
    expect(page.locator("#tracks tbody tr")).to_have_count(1)
    faces = "[...document.fonts].filter(f => f.family.includes('Noto Sans Arabic') && f.status == 'loaded').length"
    assert page.evaluate(faces) == 2  # both weights, before they are needed: the line may be down by then
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("#tab-tracks")).to_have_text("ٹریک 1")
    expect(page.locator("#tracks tbody")).to_contain_text("ڈرون")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "ur")
    page.locator("#language").click()
    expect(page.locator("#tab-tracks")).to_have_text("Tracks 1")


def test_everything_around_the_picture_is_said_in_urdu_too(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1, claims=(post.claim(status="emergency"),)))
    page.locator(row_of(post, 1)).click()
    page.locator("#language").click()
    for selector, words in (
        ("#fit", "سب چوکیاں دکھائیں"),
        (".maplibregl-ctrl-zoom-in", "قریب کریں"),
        (".maplibregl-ctrl-zoom-out", "دور کریں"),
    ):
        expect(page.locator(selector)).to_have_attribute("title", words)
        expect(page.locator(selector)).to_have_attribute("aria-label", words)
    expect(page.locator("#detail")).to_contain_text("ملٹی روٹر")
    expect(page.locator("#detail")).to_contain_text("ہنگامی حالت")
    expect(page.locator("#posts")).to_contain_text("RTK فکسڈ")
    expect(page.locator("#posts")).to_contain_text("چیک سم 2")
    page.locator("#language").click()
    expect(page.locator("#fit")).to_have_attribute("title", "Show all posts")
    expect(page.locator("#detail")).to_contain_text("Claimed kind: multirotor.")
    page.keyboard.press("Escape")


def test_words_that_the_page_does_not_know_stay_as_they_were_sent(page, post, expect):
    post.say_site()
    post.say_health(state="dreaming")
    claim = post.claim(agreement="perhaps", category="blimp", status="constructor")
    why = ExplanationMessage("radar-north", "yesterday", ((0, 1.2),), 0, (), ())
    track = post.track(1, status="hovering", classes={"toString": 0.9, "drone": 0.1}, claims=(claim,), explanation=why)
    post.say_tracks(track)
    row = page.locator(row_of(post, 1))
    expect(row).to_contain_text("hovering")
    row.click()
    for words in (
        "toString",
        "blimp",
        "constructor",
        "Whether our measurements agree is not known.",
        "radar-north at –:",
    ):
        expect(page.locator("#detail")).to_contain_text(words)
    page.keyboard.press("Escape")


def test_any_address_opens_the_map(browser, center, post, expect, errors):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1), post.track(2, status="tentative"))
    for address, words in (("%", None), (f"{post.site_id}/{post.run_id}/2", "not yet confirmed"), ("a/b/c", None)):
        other = browser.new_page()
        other.on("pageerror", lambda error: errors.append(str(error)))
        other.goto(f"{center.url}/#{address}")
        expect(other.locator(row_of(post, 1))).to_be_visible()
        if words:
            expect(other.locator("#detail")).to_contain_text(words)
        other.close()


def test_the_page_says_when_the_line_is_down_and_goes_on_after_a_restart(page, center, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1, 1))
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#tracks tbody tr")).to_have_count(1)
    center.kill()
    expect(page.locator("#connection")).to_have_text("reconnecting")
    expect(page.locator("#empty")).to_contain_text("The line to the center is down. What you see is as of")
    center.start()
    post.say_health()
    post.say_tracks(post.track(1, 2, height_m=90.0), post.track(2, 1))
    post.send_until_acknowledged()
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#tracks tbody tr")).to_have_count(2)
    expect(page.locator("#tracks")).to_contain_text("90 m")


def test_the_list_is_sorted_by_a_column_and_works_from_the_keyboard(page, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1, height_m=50.0), post.track(2, height_m=90.0), post.track(3, height_m=70.0))
    rows = page.locator("#tracks tbody tr")
    expect(page.locator(row_of(post, 3))).to_be_visible()  # not the rows of a run that was shown before
    expect(rows).to_have_count(3)
    page.locator('[data-sort="height"]').click()
    page.locator('[data-sort="height"]').click()
    expect(rows.first).to_contain_text("90 m")
    expect(page.locator('th[aria-sort="descending"]')).to_contain_text("Height")
    rows.first.locator("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_contain_text("Track 2")


def test_the_page_fits_a_phone(browser, center, post, expect):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1))
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(center.url)
    row = page.locator(row_of(post, 1))
    expect(row).to_be_in_viewport()
    width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert width <= 390


def test_an_object_that_two_posts_see_is_one_sign_and_its_detail_names_both(page, post, second_post, expect):
    posts = ((7, post), (2, second_post))
    for number, one in posts:
        one.say_site()
        one.say_health()
        one.say_tracks(one.track(number))
    rows = page.locator("#tracks [data-track]")
    for revision in range(2, 9):  # the center wants to see for some seconds that they fly as one
        time.sleep(0.5)
        for number, one in posts:
            one.say_health()
            one.say_tracks(one.track(number, revision, east_m=4.0 * revision))
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(page.locator("#detail")).to_contain_text("Also track of")
    expect(page.locator("#detail .chip", has_text="·")).to_have_count(1)


def test_what_only_the_detections_of_all_posts_show_is_a_sign_of_its_own(page, post, expect):
    post.say_site()
    place = LocalFrame(Geodetic(LATITUDE_DEG, LONGITUDE_DEG, 60.0))
    radar, rows = PlayedRadar(post.site_id, place.origin), page.locator('#tracks [data-track^="fused/"]')
    post.client.publish(f"sarhad/v1/{post.site_id}/sensors", encode(radar.sensors()), 1)
    for step in range(30):
        post.say_health()
        now_ns = time.time_ns()
        looks = radar.looks(now_ns, place.enu_to_geodetic([100.0 + 5.0 * step, 300.0, 50.0]))
        post.client.publish(f"sarhad/v1/{post.site_id}/scans", encode(looks), 1)
        time.sleep(0.5)
        if rows.count():
            break
    expect(rows).to_have_count(1)
    rows.first.click()
    expect(page.locator("#detail")).to_contain_text("12.00")


def test_a_track_that_its_posts_detections_do_not_bear_out_is_said_to_be_so(page, post, expect):
    post.say_site()
    place = LocalFrame(Geodetic(LATITUDE_DEG, LONGITUDE_DEG, 60.0))
    radar, doubt = PlayedRadar(post.site_id, place.origin), page.locator("#detail .advice")
    post.client.publish(f"sarhad/v1/{post.site_id}/sensors", encode(radar.sensors()), 1)
    words = "The detections of all posts that see there, taken together, show no such object."
    for step in range(60):
        post.say_health()
        post.say_tracks(post.track(5, step + 1, east_m=-200.0, north_m=100.0))
        looks = radar.looks(time.time_ns(), place.enu_to_geodetic([100.0 + 5.0 * step, 300.0, 50.0]))
        post.client.publish(f"sarhad/v1/{post.site_id}/scans", encode(looks), 1)
        time.sleep(0.5)
        if step == 4:
            page.locator(row_of(post, 5)).click()
            expect(page.locator("#detail")).to_contain_text("Track 5")
            expect(doubt).to_have_count(0)
        if step > 4 and doubt.count():
            break
    expect(doubt).to_have_text(words)
