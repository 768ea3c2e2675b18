"""What the API answers: right on good requests, one clear line with 4xx on all others, never 5xx."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from center.app import Center, make_app
from center.settings import BrokerSettings, CenterSettings

PATHS = (
    "/healthz", "/api/status", "/api/sites", "/api/sites/{site_id}", "/api/sites/{site_id}/health", "/api/sensors",
    "/api/tracks", "/api/tracks/{site_id}/{run_id}/{track_number}",
    "/api/tracks/{site_id}/{run_id}/{track_number}/history", "/api/history",
    "/api/groups", "/api/fused", "/api/claims", "/api/live",
)  # fmt: skip


def test_every_path_is_described_with_what_it_answers(center):
    document = center.get("/openapi.json")
    assert set(document["paths"]) == set(PATHS)
    for path, methods in document["paths"].items():
        answers = methods["get"]["responses"]
        assert methods["get"]["description"], path
        assert answers["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorView"), path
        assert answers["200"]["content"], path
    assert "TrackView" in document["components"]["schemas"]


def test_a_post_its_sensors_and_their_health_are_told(center, post, eventually):
    post.say_site()
    post.say_health(state="degraded", blind={"radar-north": "no bytes for 12 s: check the cable"})
    post.wait_acknowledged()
    path = f"/api/sites/{post.site_id}"
    eventually(lambda: center.get(path)["sight"]["state"] == "partly")
    site = center.get(path)
    assert (site["latitude_deg"], site["software"], site["is_silent"]) == (12.0, "test", False)
    assert site["sight"]["not_seeing"] == ["radar-north"]
    assert site["sight"]["text"].endswith("cannot see: radar-north lost: no bytes for 12 s: check the cable")
    states = {one["sensor_id"]: one["state"] for one in center.get("/api/sensors", site=post.site_id)["sensors"]}
    assert states == {"radar-north": "lost", "camera-north": "ok", "remote-id": "ok", "own-position": "ok"}
    eventually(lambda: center.get(f"{path}/health")["samples"])
    health = center.get(f"{path}/health")
    assert health["health"]["sensors"][0]["decoded"] == {"frame": 600}
    assert health["samples"][-1]["state"] == "degraded"


def test_tracks_are_filtered_by_class_and_box_and_tentative_ones_only_come_on_demand(center, post):
    bird = {"bird": 0.9, "drone": 0.1}
    post.say_tracks(
        post.track(1), post.track(2, classes=bird), post.track(3, status="tentative"), post.track(4, north_m=5_000.0)
    )
    post.wait_acknowledged()

    def numbers(**query: str) -> list[int]:
        return [one["track_number"] for one in center.get("/api/tracks", site=post.site_id, **query)["tracks"]]

    assert numbers() == [1, 2, 4]
    assert numbers(**{"class": "bird"}) == [2]
    assert numbers(bbox="-35.01,11.99,-34.99,12.01") == [1, 2]
    assert numbers(tentative="true") == [1, 2, 3, 4]
    assert numbers(bbox="170,-90,-170,90") == []


def test_a_track_is_found_with_its_history_also_after_it_is_gone(center, post):
    for revision in range(1, 6):
        post.say_tracks(post.track(1, revision, east_m=10.0 * revision))
    path = f"/api/tracks/{post.site_id}/{post.run_id}/1"
    post.wait_acknowledged()
    assert (center.get(path)["revision"], center.get(path)["is_now"]) == (5, True)
    post.say_tracks(post.track(1, 6, status="dropped", reason="unseen"))
    post.wait_acknowledged()
    gone = center.get(path)
    assert (gone["status"], gone["reason"], gone["is_now"]) == ("dropped", "unseen", False)
    history = center.get(f"{path}/history")
    assert [one["revision"] for one in history["states"]] == [1, 2, 3, 4, 5, 6]
    assert [one["revision"] for one in center.get(f"{path}/history", limit=2)["states"]] == [5, 6]
    first = history["states"][0]
    assert (first["velocity_enu_m_s"], first["horizontal_sigma_m"], first["class_name"]) == (
        [8.0, 0.0, 0.5],
        3.11,
        "drone",
    )


def test_history_is_cut_by_time_post_and_box_and_says_when_it_is_not_whole(center, post):
    for revision in range(1, 11):
        post.say_tracks(post.track(1, revision, east_m=100.0 * revision))
    post.wait_acknowledged()
    whole = center.get("/api/history", site=post.site_id)
    assert (len(whole["states"]), whole["is_complete"]) == (10, True)
    part = center.get("/api/history", site=post.site_id, limit=4)
    assert ([one["revision"] for one in part["states"]], part["is_complete"]) == ([1, 2, 3, 4], False)
    middle = whole["states"][4]["time"]
    later = center.get("/api/history", **{"from": middle, "site": post.site_id})["states"]
    assert [one["revision"] for one in later] == [5, 6, 7, 8, 9, 10]
    west = center.get("/api/history", site=post.site_id, bbox="-35.1,11,-34.9975,13")["states"]
    assert [one["revision"] for one in west] == [1, 2]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/sites/nobody", 404, "has never reported"),
        ("/api/tracks/nobody/run/1", 404, "is not known"),
        ("/api/tracks/nobody/run/1/history", 404, "is not known"),
        ("/api/tracks/nobody/run/0", 422, "greater than or equal to 1"),
        ("/api/tracks/nobody/run/99999999999999999999", 422, "less than or equal to"),
        ("/api/tracks?bbox=1,2,3", 422, "expected west,south,east,north"),
        ("/api/tracks?bbox=nan,0,0,0", 422, "expected longitudes within"),
        ("/api/history?from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z", 422, "at most 1 day"),
        ("/api/history?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 422, "from must not be after to"),
        ("/api/history?from=yesterday", 422, "query.from"),
        ("/api/history?to=9999-12-31T23:59:59-12:00", 422, "between 1970 and 2262"),
        ("/api/history?to=0001-01-01T00:00:00%2B12:00", 422, "between 1970 and 2262"),
        ("/api/history?limit=0", 422, "query.limit"),
        ("/api/sites/%00", 422, "path.site_id"),
        ("/nothing-here", 404, "Not Found"),
        ("/%00", 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_answered_with_one_clear_line(center, path, status, words):
    answer = httpx.get(center.url + path)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_foreign_name_for_this_machine_is_not_answered(center):
    answer = httpx.get(center.url + "/api/tracks", headers={"Host": "attacker.example"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("host is 'attacker.example'; expected localhost")


def test_the_page_may_load_nothing_from_elsewhere(center):
    answer = httpx.get(center.url)
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert 'id="map"' in answer.text


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The application without its broker: only the paths are asked."""
    settings_ = CenterSettings(BrokerSettings("127.0.0.1", 1), Path(tmp_path_factory.mktemp("api")) / "center.db")
    return TestClient(make_app(Center(settings_)), base_url="http://127.0.0.1", raise_server_exceptions=False)


NAMES = ("site", "class", "bbox", "from", "to", "limit", "tentative", "x")
numbers = st.one_of(st.integers(), st.floats()).map(str)
times = st.datetimes(timezones=st.just(None)).map(lambda moment: moment.isoformat() + "Z")
boxes = st.lists(numbers, min_size=3, max_size=5).map(",".join)
values = st.one_of(st.text(max_size=40), numbers, times, boxes)
queries = st.dictionaries(st.sampled_from(NAMES), values, max_size=5)
parts = st.one_of(st.text(min_size=1, max_size=12), numbers)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([one for one in PATHS if one != "/api/live"]), query=queries, one=parts, two=parts, three=parts
)
def test_no_request_whatever_makes_the_center_fail(client, path, query, one, two, three):
    quoted = {
        name: httpx.QueryParams({"": part}).__str__()[1:].replace("+", "%20")
        for name, part in (("site_id", one), ("run_id", two), ("track_number", three))
    }
    answer = client.get(path.format(**quoted), params=query)
    assert answer.status_code < 500, (path, query, one, two, three, answer.text)


def test_groups_are_answered_by_post(center, post):
    post.say_site()
    post.say_health()
    post.say_tracks(post.track(1), post.track(2), groups=(post.group(1, 2),))
    post.wait_acknowledged()
    [group] = center.get("/api/groups", site=post.site_id)["groups"]
    assert (group["group_number"], group["members"], group["count"], group["event"]) == (3, [1, 2], [1, 2], "formed")
    assert center.get("/api/groups", site="nobody")["groups"] == []
