"""Take a picture of a running center's map: `python docs/take_screenshot.py http://127.0.0.1:8000 docs/map.png`.

Needs playwright and a Chromium on the PATH. Waits until a track is shown (or `--seconds` are over), opens the first one.
"""

from __future__ import annotations

import argparse
import shutil

from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WITHOUT_GPU = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")


def take_screenshot(url: str, out: str, width: int, height: int, seconds: float, language: str) -> None:
    """Open the map, wait for a track, open its detail and write a PNG."""
    browser_path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser_path is None:
        raise SystemExit(f"no browser on the PATH; looked for {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(WITHOUT_GPU))
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("console", lambda message: print(message.text) if message.type == "error" else None)
        page.goto(url)
        if language == "ur":
            page.click("#language")
        try:
            page.locator("#tracks tbody tr").first.click(timeout=seconds * 1000)
        except NotInTime:
            print("no track was shown; the picture is of the empty map")
        page.wait_for_timeout(2_000)  # some trail behind the track
        page.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("out")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--language", choices=("en", "ur"), default="en")
    arguments = parser.parse_args()
    take_screenshot(**vars(arguments))
