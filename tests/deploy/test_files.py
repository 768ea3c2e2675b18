"""What is shipped for deployment is read by the programs it is for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from center.settings import read_settings
from edge.site_file import read_site
from fusion.wire import UP_TOPICS
from sarhad.cli import main

DEPLOY = Path(__file__).parents[2] / "deploy"
SITES = sorted((DEPLOY / "sites").glob("*.toml"))
DOWN_TOPICS = ("ack", "cosign", "cue", "config", "request")


def test_there_are_example_sites():
    assert len(SITES) >= 3


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.stem)
def test_an_example_site_is_understood(site: Path, tmp_path: Path):
    """Where its certificates are, as they are once installed."""
    for name in ("ridge-04.crt", "ridge-04.key", "authority.crt"):
        (tmp_path / name).write_text("a certificate")
    (tmp_path / "radar-north.cfg").write_text((DEPLOY / "sites" / "radar-north.cfg").read_text())
    (tmp_path / site.name).write_text(site.read_text().replace("/etc/sarhad", str(tmp_path)))
    result = CliRunner().invoke(main, ["check", str(tmp_path / site.name), "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["sensors"]


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.stem)
def test_an_example_site_writes_only_where_a_service_may(site: Path):
    """ProtectSystem=strict and read-only containers leave /var/lib/sarhad; the center's store stands beside the outbox."""
    assert Path(read_site(site).broker.outbox_path).parent == Path("/var/lib/sarhad")


def test_the_centers_example_is_understood():
    settings = read_settings(DEPLOY / "center.toml")
    assert (settings.listen_host, settings.listen_port) == ("127.0.0.1", 8000)


def test_the_access_list_knows_every_topic():
    text = (DEPLOY / "mosquitto.acl").read_text()
    for name in UP_TOPICS:
        assert f"pattern write sarhad/v1/%u/{name}\n" in text
        assert f"topic read sarhad/v1/+/{name}\n" in text
    for name in DOWN_TOPICS:
        assert f"pattern read sarhad/v1/%u/{name}\n" in text
        assert f"topic write sarhad/v1/+/{name}\n" in text


def test_the_compose_file_names_what_exists():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed; the compose file stays unread")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"broker", "center", "edge"}
    for name in ("center", "edge"):
        build = services[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
        assert services[name]["cap_drop"] == ["ALL"]
    for volume in services["broker"]["volumes"]:
        source = volume.split(":")[0]
        assert not source.startswith("./mosquitto") or (DEPLOY / source).is_file()


@pytest.mark.parametrize("path", sorted((DEPLOY / "docker").glob("Dockerfile.*")), ids=lambda path: path.name)
def test_a_container_does_not_run_as_root(path: Path):
    lines = path.read_text().splitlines()
    assert "USER sarhad" in lines
    assert lines.index("USER sarhad") < next(i for i, line in enumerate(lines) if line.startswith("ENTRYPOINT"))


def test_every_udev_rule_matches_and_acts():
    rules = [
        line for line in (DEPLOY / "90-sarhad.rules").read_text().splitlines() if line and not line.startswith("#")
    ]
    for rule in rules:
        parts = re.split(r",\s*", rule)
        assert all(re.fullmatch(r'[A-Z]+(\{\w+\})?(==|\+=|=)"[^"]+"', part) for part in parts), rule
        assert any("==" in part for part in parts)
        assert any("==" not in part for part in parts)
