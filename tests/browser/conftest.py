"""The map page in a real browser, on a real center. Its fixtures are those of tests/center, and a page."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WITHOUT_GPU = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-sandbox")


def center_fixtures() -> Any:
    """tests/center/conftest.py as a module: pytest shows a conftest to its own folder only."""
    path = Path(__file__).parents[1] / "center" / "conftest.py"
    specification = importlib.util.spec_from_file_location("center_fixtures", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["center_fixtures"] = module
    specification.loader.exec_module(module)
    return module


fixtures = center_fixtures()
broker, center = fixtures.broker, fixtures.center


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Not for the whole session: while it is open, playwright keeps an event loop running in this thread."""
    playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser on the PATH; looked for {', '.join(BROWSERS)}")
    with playwright_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=path, args=list(WITHOUT_GPU))
        yield one
        one.close()


@pytest.fixture
def post(broker: Any, center: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The same post in a run of its own: with its first health message the runs before are over."""
    one = fixtures.PlayedPost(broker.port, "ridge-04", f"run-{abs(hash(request.node.nodeid)) % 10**9}")
    yield one
    one.close()


@pytest.fixture
def second_post(broker: Any, center: Any) -> Iterator[Any]:
    """Another one, which stays on the map as silent for a minute."""
    one = fixtures.PlayedPost(broker.port, "ridge-05", "run-1")
    yield one
    one.close()


@pytest.fixture(scope="module")
def errors() -> list[str]:
    """What went wrong in the page, and every address outside the center that it asked for."""
    return []


@pytest.fixture(scope="module")
def page(browser: Any, center: Any, errors: list[str]) -> Iterator[Any]:
    """The map of the running center, drawn."""
    one = browser.new_page(viewport={"width": 1280, "height": 800})
    one.on("pageerror", lambda error: errors.append(str(error)))
    own = (center.url, "blob:", "data:")  # the last two are made by the page itself
    one.on("request", lambda request: None if request.url.startswith(own) else errors.append(request.url))
    one.goto(center.url)
    yield one
    one.close()


@pytest.fixture(autouse=True)
def without_errors(errors: list[str]) -> Iterator[None]:
    yield
    assert errors == []
