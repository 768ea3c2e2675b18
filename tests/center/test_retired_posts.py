"""Posts that an operator has retired: kept, but neither shown nor tracked.

The center of these tests is alone on its broker: a second one would acknowledge for it what it has not stored yet.
"""

from __future__ import annotations

import httpx

from center.app import Center
from center.received import Received
from center.settings import BrokerSettings, CenterSettings


def test_a_retired_post_is_kept_but_not_shown_and_the_center_says_that_it_speaks(make_center, make_post, eventually):
    old, young = make_post("old-gate"), make_post("new-gate")
    center = make_center(f'[posts]\nretired = ["{old.site_id}"]\n')
    for post in (old, young):
        post.say_health()
        post.say_tracks(post.track(1))
        post.wait_acknowledged()
    shown = [site["site_id"] for site in center.get("/api/sites")["sites"]]
    assert young.site_id in shown
    assert old.site_id not in shown
    assert {track["site_id"] for track in center.get("/api/tracks")["tracks"]} == {young.site_id}
    eventually(lambda: f"{old.site_id} stands in [posts] retired and speaks" in str(center.get("/healthz")))
    assert center.read(f"SELECT COUNT(*) FROM messages WHERE site_id = '{old.site_id}' AND name = 'tracks'") == [(1,)]


def test_a_post_that_is_retired_is_neither_brought_back_by_a_start_nor_by_a_client_that_resumes(
    make_center, make_post, read_live, eventually, tmp_path
):
    old, young, center = make_post("old-gate"), make_post("new-gate"), make_center("")
    for post in (old, young):
        post.say_site()
        post.say_health()
        post.wait_acknowledged()
    reader = read_live(center)
    eventually(lambda: reader.events)
    seen_id = reader.last_id()
    reader.close()
    for post in (old, young):
        post.say_tracks(post.track(1))
        post.wait_acknowledged()
    center.kill()
    with (tmp_path / "center.toml").open("a") as file:
        file.write(f'[posts]\nretired = ["{old.site_id}"]\n')
    center.start()
    shown = [site["site_id"] for site in center.get("/api/sites")["sites"]]
    assert young.site_id in shown
    assert old.site_id not in shown
    answer = httpx.get(f"{center.url}/api/sites/{old.site_id}")
    assert (answer.status_code, "stands in [posts] retired" in answer.text) == (404, True)
    resumed = read_live(center, seen_id)
    eventually(lambda: [data for _, _, data in resumed.named("tracks") if data["message"]["site_id"] == young.site_id])
    resumed.close()
    assert all(data["message"]["site_id"] != old.site_id for _, _, data in resumed.named("tracks"))


def test_what_a_retired_post_detects_is_not_tracked(tmp_path, monkeypatch):
    told = CenterSettings(BrokerSettings("127.0.0.1", 1), tmp_path / "center.db", retired_posts=frozenset({"a"}))
    center, given_on = Center(told), []
    monkeypatch.setattr(center.tracking, "give", given_on.append)
    for site_id in ("a", "b"):
        center._track(Received("scans", site_id, "run", 0, 1, b"{}", None))
    center.store.close()
    assert [received.site_id for received in given_on] == ["b"]
