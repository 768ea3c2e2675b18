"""Tables of keys: what may stand in a TOML table, of which kind, within which limits, with which default.

A `Key` says all of that once. `read_keys` holds a table against its keys and gives the values, or one line that names
place, key, what was found and what was expected. `docs/site-file.md` is written from the same keys.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class SiteFileError(Exception):
    """One line: file, place, what was found, what was expected."""


class Required:
    """The default of a key that has none: it must be written."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = Required()

KINDS = {
    "text": "a text in quotes",
    "path": "a path in quotes",
    "integer": "a whole number",
    "number": "a number",
    "yes_no": "true or false",
    "table": "a table: { key = value, ... }",
    "tables": "a list of tables",
    "numbers": "a list of numbers",
    "pair": "two numbers, the lower one first",
    "texts": "a list of texts",
    "number_or_table": "a number or a table",
    "integer_or_text": "a whole number or a text in quotes",
    "points": "a list of two or more pairs: [[pixels, probability], ...], probability within 0 and 1",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its name with the unit last, its kind (of KINDS), what it means, and its limits."""

    name: str
    kind: str
    words: str
    default: Any = REQUIRED  # None: may be left out, and is then unknown or unused
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    from_zero: float | None = None  # either sign, at least so far from 0: what something is divided by
    choices: tuple[Any, ...] = ()
    count: int | None = None  # of a list's items
    read: Callable[[Any], Any] | None = None  # understands the value, or raises ValueError in words

    def expected(self) -> str:
        """What may stand here, in words."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        words = KINDS[self.kind]
        if self.kind == "numbers" and self.count:
            words = f"a list of {self.count} numbers"
        limits = [
            f"{name} {limit:g}"
            for name, limit in (
                ("at least", self.at_least),
                ("above", self.above),
                ("at most", self.at_most),
                ("below", self.below),
            )
            if limit is not None
        ]
        if self.from_zero is not None:
            limits.append(f"at least {self.from_zero:g} from 0")
        return " ".join([words, " and ".join(limits)]).strip()


@dataclass(frozen=True, slots=True)
class Place:
    """Where in which file we are, and how its errors begin."""

    file: str
    section: str  # 'sensor "radar-north"', "[site]"
    inside: str = ""  # "accuracy.", within an inline table

    def error(self, text: str) -> SiteFileError:
        return SiteFileError(f"{self.file}: {self.section}: {text}")

    def found(self, key: str, found: Any, expected: str) -> SiteFileError:
        return self.error(f"{self.inside}{key} is {shown(found)}; expected {expected}")

    def missing(self, key: str, expected: str) -> SiteFileError:
        return self.error(f"{self.inside}{key} is missing; expected {expected}")

    def within(self, table: str) -> Place:
        return Place(self.file, self.section, f"{self.inside}{table}.")


def shown(value: Any) -> str:
    """A value as the person wrote it, cut to a line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else "a table" if isinstance(value, dict) else str(value)
    return in_line(text)


def in_line(text: str, longest: int = 80) -> str:
    """On one line, cut where it is long, nothing that a terminal would obey."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def read_keys(table: Any, keys: Sequence[Key], place: Place) -> dict[str, Any]:
    """The table's values by key, defaults filled in. Raises SiteFileError at the first mistake."""
    if not isinstance(table, dict):
        raise place.error(f"{place.inside.rstrip('.') or 'it'} is {shown(table)}; expected {KINDS['table']}")
    known = {key.name: key for key in keys}
    for name in table:
        if name not in known:
            raise place.error(f"{place.inside}{in_line(name)} is not known here{meant(name, known)}")
    return {key.name: read_key(table, key, place) for key in keys}


def read_key(table: dict[str, Any], key: Key, place: Place) -> Any:
    """One value, or its default."""
    if key.name not in table:
        if key.default is REQUIRED:
            raise place.missing(key.name, key.expected())
        return key.default
    value = table[key.name]
    if not is_of_kind(value, key) or not is_within(value, key) or (key.choices and value not in key.choices):
        hint = meant(value, key.choices) if key.choices and isinstance(value, str) else ""
        if key.kind == "tables" and isinstance(value, dict):
            hint = f", each under [[{key.name}]] in two brackets"
        raise place.found(key.name, value, key.expected() + hint)
    if key.read is not None:
        try:
            key.read(value)
        except ValueError as error:
            raise place.error(f"{place.inside}{in_line(str(error), 200)}") from None
    return float(value) if key.kind == "number" else value


def meant(name: str, known: Any) -> str:
    """A hint at the nearest known word, or the list of them."""
    near = difflib.get_close_matches(name, [str(word) for word in known], n=1, cutoff=0.6)
    if near:
        return f'; did you mean "{near[0]}"?'
    return "; known are " + ", ".join(sorted(str(word) for word in known)) if isinstance(known, dict) else ""


def is_number(value: Any) -> bool:
    """Whether this is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def is_point(value: Any) -> bool:
    """Whether this is a pair of a size, 0 or more, and a probability."""
    if not isinstance(value, list) or len(value) != 2 or not all(is_number(number) for number in value):
        return False
    return bool(value[0] >= 0.0 and 0.0 <= value[1] <= 1.0)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and is_number(value)


def is_of_kind(value: Any, key: Key) -> bool:
    """Whether TOML gave what the key's kind asks for."""
    match key.kind:
        case "text" | "path":
            return isinstance(value, str) and value.strip() != "" and value.isprintable()
        case "integer":
            return is_whole(value)
        case "number":
            return is_number(value)
        case "yes_no":
            return isinstance(value, bool)
        case "table":
            return isinstance(value, dict)
        case "number_or_table":
            return is_number(value) or isinstance(value, dict)
        case "integer_or_text":
            return is_whole(value) or (isinstance(value, str) and value.strip() != "")
    return isinstance(value, list) and are_of_kind(value, key)


def are_of_kind(values: list[Any], key: Key) -> bool:
    """The same for a list and its items."""
    if key.kind == "points":
        return len(values) >= 2 and all(is_point(value) for value in values)
    if key.kind == "tables":
        return all(isinstance(value, dict) for value in values)
    if key.kind == "texts":
        return all(isinstance(value, str) and value.strip() for value in values)
    if not all(is_number(value) for value in values) or (key.count and len(values) != key.count):
        return False
    return key.kind != "pair" or (len(values) == 2 and values[0] < values[1])


def is_within(value: Any, key: Key) -> bool:
    """Whether a number, or every number of a list, keeps the key's limits."""
    numbers = value if isinstance(value, list) else [value]
    return all(
        (key.at_least is None or number >= key.at_least)
        and (key.at_most is None or number <= key.at_most)
        and (key.above is None or number > key.above)
        and (key.below is None or number < key.below)
        and (key.from_zero is None or abs(number) >= key.from_zero)
        for number in numbers
        if is_number(number)
    )


def resolve(path: str, folder: Path | None) -> str:
    """A path as the site file means it: relative ones start at the file's own folder."""
    return path if folder is None or Path(path).is_absolute() else str(folder / path)
