"""The center's settings: each mistake is told in one line with file, field, found and expected."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from center.settings import SettingsError, read_settings
from sarhad.commands.center import command

BROKER = '[broker]\nhost = "127.0.0.1"\n'
AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUdeUFcuncuRe24Vrxu3Ew6fUZ7OgwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIzMTY1MTAzWhgPMjEy
NjEwMzAxNjUxMDNaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEmv5su23nzP0QILJ/WfIj/M3+hkyspvTCquVNl0zJ
tS5Z4yMz12n/Znv00WJ9LcQPOkKO1ODFASyfPzYGGHxczqNTMFEwHQYDVR0OBBYE
FFtzcN+sBg6U/wlf8oIqL9add6mvMB8GA1UdIwQYMBaAFFtzcN+sBg6U/wlf8oIq
L9add6mvMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgFzdwlZGb
/KpuD+0FouOQ1uyeE+aV4hvkRYZkHjuHEWoCIElff5IFPjz9KJwHUVnCNXPphYzM
rqc9IvRBLtvqQx8d
-----END CERTIFICATE-----
"""  # made for this test; its key was never kept


def test_only_the_broker_is_needed(tmp_path):
    path = tmp_path / "center.toml"
    path.write_text(BROKER)
    settings = read_settings(path)
    assert (settings.broker.port, settings.listen_host, settings.listen_port) == (1883, "127.0.0.1", 8000)
    assert (settings.store_path, settings.retention.days) == (tmp_path / "center.db", 30.0)


def test_a_broker_with_an_authority_is_spoken_to_over_tls(tmp_path):
    (tmp_path / "authority.crt").write_text("")
    path = tmp_path / "center.toml"
    path.write_text(BROKER + 'authority = "authority.crt"\n')
    assert read_settings(path).broker.port == 8883


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "[broker] host is missing"),
        ("[broker]\nhost = 3\n", "[broker] host is 3; expected a text"),
        ("broker = 3\n", "broker is 3; expected a table"),
        (BROKER + "port = 70000\n", "[broker] port is 70000; expected 1 to 65535"),
        (BROKER + "port = true\n", "[broker] port is True; expected a whole number"),
        (
            BROKER + 'user = "x"\n',
            "[broker] user is not known; expected one of authority, certificate, host, key, port",
        ),
        (
            BROKER + "[lisen]\nport = 1\n",
            "[lisen] is not known; expected one of broker, listen, posts, retention, store",
        ),
        (BROKER + '[listen]\nhost = "0.0.0.0"\n', "the center has no log-in"),
        (BROKER + '[listen]\nhost = "center.example.net"\n', "expected a loopback address"),
        (BROKER + "[retention]\ndays = 0\n", "[retention] days is 0; expected more than 0"),
        (BROKER + "[retention]\ndays = nan\n", "[retention] days is nan"),
        (BROKER + "[retention]\nleast_free_mb = -1\n", "[retention] least_free_mb is -1; expected 0 or more"),
        (BROKER + '[posts]\nretired = "old-gate"\n', "[posts] retired is 'old-gate'; expected a list"),
        (BROKER + "[posts]\nretired = [3]\n", "[posts] retired holds 3; expected ids of posts"),
        (BROKER + 'certificate = "a.crt"\n', "certificate and key belong together"),
        (BROKER + 'authority = "nowhere.crt"\n', "[broker] authority is 'nowhere.crt'; no such file"),
        ("[broker\n", "is not TOML"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, text, words):
    path = tmp_path / "center.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        read_settings(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_command_refuses_wrong_settings_with_exit_code_2(tmp_path):
    answer = CliRunner().invoke(command, [str(tmp_path / "nowhere.toml")])
    assert answer.exit_code == 2
    assert "nowhere.toml: cannot be read: No such file or directory" in answer.output


def test_the_command_refuses_a_port_that_is_taken(center, tmp_path):
    path = tmp_path / "center.toml"
    path.write_text(BROKER)
    answer = CliRunner().invoke(command, [str(path), "--port", str(center.port)])
    assert answer.exit_code == 2
    assert f"[listen] port {center.port} of 127.0.0.1 cannot be used: Address already in use" in answer.output


def test_the_command_refuses_a_file_that_is_no_store(tmp_path):
    (tmp_path / "center.db").write_text("not a database, but long enough to be looked at " * 10)
    path = tmp_path / "center.toml"
    path.write_text(BROKER)
    answer = CliRunner().invoke(command, [str(path), "--port", "0"])
    assert answer.exit_code == 2
    assert "cannot be used as the store: file is not a database" in answer.output


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ('authority = "junk.pem"\n', "[broker] authority: "),
        ('authority = "good.pem"\ncertificate = "junk.pem"\nkey = "junk.pem"\n', "[broker] certificate and key: "),
    ],
)
def test_the_command_refuses_certificate_files_that_are_none(tmp_path, fields, words):
    (tmp_path / "junk.pem").write_text("junk")
    (tmp_path / "good.pem").write_text(AUTHORITY)
    path = tmp_path / "center.toml"
    path.write_text(BROKER + fields)
    answer = CliRunner().invoke(command, [str(path), "--port", "0"])
    assert answer.exit_code == 2
    assert f"{path}: {words}" in answer.output
    assert "junk.pem" in answer.output
    assert "[listen]" not in answer.output


def test_the_command_refuses_a_store_that_another_center_uses(center, tmp_path):
    path = tmp_path / "center.toml"
    path.write_text(BROKER + f'[store]\npath = "{center.store_path}"\n')
    answer = CliRunner().invoke(command, [str(path), "--port", "0"])
    assert answer.exit_code == 2
    assert f"{center.store_path}: another center uses it" in answer.output


def test_a_center_answers_at_any_loopback_address_it_is_told_to_listen_on(make_center):
    center = make_center('[listen]\nhost = "127.0.0.2"\n', host="127.0.0.2")
    assert center.get("/healthz")["status"] == "ok"
