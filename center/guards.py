"""What stands around every answer: only names of this machine are answered, and the page loads from here alone."""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class OwnNames:
    """Refuses requests that were sent to any other name than this machine's own.

    A loopback address cannot be made to mean something else; a name that a foreign page resolves to one is refused."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = host_of(Headers(scope=scope).get("host", "")) if scope["type"] == "http" else "localhost"
        if is_own(name):
            await self.app(scope, receive, send)
        else:
            error = f"host is {name!r}; expected localhost or a loopback address: the center answers this machine alone"
            await JSONResponse({"error": error}, status_code=400)(scope, receive, send)


def host_of(header: str) -> str:
    """The name or address in a Host header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


def is_own(name: str) -> bool:
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class SafeHeaders:
    """Lets the page load from this server alone, and no other page frame it."""

    HEADERS = (
        (
            b"content-security-policy",
            b"default-src 'self'; worker-src 'self' blob:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline';"
            b" frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    )

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self.HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
