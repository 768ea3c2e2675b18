"""The reference of the site file, from the tables that read it: `python -m edge.site_reference > docs/site-file.md`."""

from __future__ import annotations

from collections.abc import Iterator

from edge.device_options import DRIVERS
from edge.protocol_options import PROTOCOLS
from edge.site_keys import REQUIRED, Key
from edge.site_tables import SECTIONS

HEAD = """# The site file

One post is one TOML file in UTF-8: degrees, metres and seconds; headings from true north; heights above the WGS-84 ellipsoid.
Relative paths start at the file's own folder. `sarhad check SITE.toml` explains a good file in words and a wrong one in one
line. Examples stand in [deploy/sites](../deploy/sites).

This page is written from the tables that read the file: `python -m edge.site_reference > docs/site-file.md`.
"""


def reference() -> str:
    """The whole page, Markdown."""
    lines = [HEAD, "## Tables", ""]
    for name, keys in SECTIONS:
        lines += [f"### {name}", "", *table(keys), ""]
    lines += ["## Drivers", "", '`device = { driver = "...", ... }` with the driver\'s options:', ""]
    for name, driver in DRIVERS.items():
        lines += [
            f"### {name}",
            "",
            f"{sentence(driver.words)} Delivers {driver.delivers}.",
            "",
            *table(driver.options),
            "",
        ]
    lines += ["## Protocols", "", '`protocol = "..."`, and settings in `protocol_options = { ... }`:', ""]
    for name, protocol in PROTOCOLS.items():
        over = ", ".join(f"`{driver}`" for driver in protocol.drivers)
        lines += [f"### {name}", "", f"{sentence(protocol.words)} Comes over {over}.", "", *table(protocol.options), ""]
    return "\n".join(lines).rstrip() + "\n"


def sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


def table(keys: tuple[Key, ...]) -> Iterator[str]:
    """A row for each key; nothing where there are none."""
    if not keys:
        return
    yield "| key | may hold | left out | meaning |"
    yield "|---|---|---|---|"
    for key in keys:
        cells = (f"`{key.name}`", key.expected(), left_out(key), key.words)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def left_out(key: Key) -> str:
    """What holds where the key is not written."""
    if key.default is REQUIRED:
        return "must stand"
    if key.default is None or key.default == {}:
        return "-"
    if isinstance(key.default, bool):
        return "true" if key.default else "false"
    return str(key.default)


if __name__ == "__main__":
    print(reference(), end="")
