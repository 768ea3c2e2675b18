"""Whether the broker lets this post in: connected to as the post would be, with its certificate."""

from __future__ import annotations

import socket
import ssl
import time

from edge.finding import FAIL, NOTE, PASS, Finding
from edge.site_types import BrokerSettings

TIMEOUT_S = 5.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "client id refused",
    3: "it is not available",
    4: "bad log-in",
    5: "not authorised",
}


def try_broker(settings: BrokerSettings, site_id: str) -> Finding:
    """Connect as this post would, with its certificate; nothing is published."""
    where = f"{settings.host}:{settings.port}"
    try:
        answer = connect_answer(settings, f"{site_id}-doctor-{time.monotonic_ns()}")
    except ssl.SSLError as error:
        todo = "check authority, certificate and key, the clock, and the name in the broker's certificate"
        return Finding("broker", FAIL, f"{where}: TLS fails: {error.reason or error}", todo)
    except FileNotFoundError as error:
        return Finding(
            "broker", FAIL, f"{error.filename or 'a certificate file'} is not there", "put the certificates there"
        )
    except ConnectionRefusedError:
        if settings.host in LOOPBACK:
            todo = "`sarhad post` brings a broker of its own; `sarhad edge` needs one that runs"
            return Finding("broker", NOTE, f"no broker answers at {where}", todo)
        return Finding("broker", FAIL, f"{where}: connection refused", "is the broker running, and is the port right?")
    except OSError as error:
        todo = "is it running, is the address right, does a firewall stand between?"
        return Finding("broker", FAIL, f"{where}: {error.strerror or error}", todo)
    if len(answer) < 4 or answer[0] != 0x20:
        todo = "is it an MQTT broker? one that wants certificates answers so to a post without"
        return Finding("broker", FAIL, f"{where} closes without an answer", todo)
    if answer[3] != 0:
        reason = REFUSALS.get(answer[3], f"code {answer[3]}")
        return Finding(
            "broker", FAIL, f"{where} refuses: {reason}", "check its access list and this post's certificate"
        )
    return Finding("broker", PASS, f"{where} lets this post in" + (" over TLS" if settings.is_tls else ""))


def connect_answer(settings: BrokerSettings, client_id: str) -> bytes:
    """The broker's CONNACK. Raises OSError, ssl.SSLError."""
    with socket.create_connection((settings.host, settings.port), TIMEOUT_S) as plain:
        if not settings.is_tls:
            return exchange(plain, client_id)
        context = ssl.create_default_context(cafile=settings.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.key)
        with context.wrap_socket(plain, server_hostname=settings.host) as secure:
            return exchange(secure, client_id)


def exchange(connection: socket.socket, client_id: str) -> bytes:
    """Send CONNECT, give the answer, part with DISCONNECT."""
    connection.sendall(connect_packet(client_id))
    try:
        answer = connection.recv(4)
    except ConnectionResetError:
        return b""
    connection.sendall(b"\xe0\x00")
    return answer


def connect_packet(client_id: str) -> bytes:
    """MQTT 3.1.1 CONNECT, clean session, 60 s keep alive. Source: OASIS MQTT 3.1.1, section 3.1."""
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    assert len(body) < 128  # one length byte
    return bytes([0x10, len(body)]) + body
