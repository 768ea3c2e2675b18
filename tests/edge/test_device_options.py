"""What a site file may set is what drivers and decoders take: names, needed ones and defaults."""

from __future__ import annotations

import importlib
import inspect

import pytest

from edge import sensors
from edge.device_options import DRIVERS
from edge.protocol_options import PROTOCOLS
from edge.site_keys import REQUIRED, Key
from edge.site_tables import MODEL
from edge.vision.detector import CONFIDENCE

FOR_TESTS = {"monotonic_s", "wait"}  # clocks that tests put in


def settings_of(maker: object) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(maker).parameters)  # type: ignore[arg-type]


def check(keys: tuple[Key, ...], parameters: dict[str, inspect.Parameter]) -> None:
    assert {key.name for key in keys} == set(parameters)
    for key in keys:
        default = parameters[key.name].default
        if key.default is REQUIRED:
            assert default is inspect.Parameter.empty, key.name
        elif key.default is not None:
            assert key.default == default, key.name
        else:
            assert default in (None, ()), key.name


def test_the_tables_know_the_same_drivers_and_protocols():
    assert set(DRIVERS) == set(sensors.DRIVERS)
    assert set(PROTOCOLS) == set(sensors.PROTOCOLS)
    assert {driver for kind in PROTOCOLS.values() for driver in kind.drivers} == set(DRIVERS)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_drivers_options_are_its_constructors(driver: str):
    module, name = sensors.DRIVERS[driver].split(":")
    parameters = settings_of(getattr(importlib.import_module(module), name))
    check(DRIVERS[driver].options, {key: value for key, value in parameters.items() if key not in FOR_TESTS})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocols_options_are_its_decoders(protocol: str):
    parameters = settings_of(importlib.import_module(sensors.PROTOCOLS[protocol].module).Decoder)
    given_by_the_site = {"sensor", "lens"}
    check(
        PROTOCOLS[protocol].options, {key: value for key, value in parameters.items() if key not in given_by_the_site}
    )


def test_a_cameras_confidence_is_the_detectors_where_the_site_says_nothing():
    written = next(key for key in MODEL if key.name == "confidence")
    assert written.default == CONFIDENCE
