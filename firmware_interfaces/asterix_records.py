"""ASTERIX, the surveillance data format of EUROCONTROL: datagrams cut into data blocks, and blocks into plain records.

    datagram   block | block ...                 some gateways put a fixed number of bytes of their own before each block
    block      category | length u16, these 3 bytes included | record | record ...        big-endian, no checksum
    record     FSPEC: 7 item bits a byte, the lowest bit says that another byte follows | items in the category's order

Which items a category has, and in which order, depends on its edition, and no edition is sent: it is a setting of the
feed. A block is read whole and strictly by its edition, or the datagram is refused; libasterix reads the items of one
block at a time, the framing is ours.

A record is {item: content}; content is {"raw": n}, with "value" (in the item's unit), "meaning" or "text" where the edition
defines one, nested as the items are; explicit items that are not understood are {"explicit_hex": ...}.

Source: EUROCONTROL-SPEC-0149 Part 1, Ed. 3.1, and the parts of each category.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from firmware_interfaces.decoder import Rejected

Edition: TypeAlias = tuple[int, int]
Record: TypeAlias = dict[str, Any]

HEADER_BYTES = 3
MAX_SKIPPED_BYTES = 64  # what gateways put in front
MAX_RECORDS = 2000  # of one datagram; the smallest sensible record has some ten bytes
DEFAULT_EDITIONS: dict[int, Edition] = {21: (2, 1)}  # later editions of CAT021 only add to this one; others: the newest
DECIMALS = 9  # of a value in its unit: finer than any item's step


@dataclass(frozen=True, slots=True)
class Block:
    """One data block, read by one edition of its category."""

    category: int
    edition: Edition
    records: tuple[Record, ...]


@cache
def library() -> tuple[Any, dict[int, dict[Edition, Any]]]:
    """libasterix and its categories by number and edition; loaded when the first feed is made, for it takes a second or two
    and some 60 MB."""
    base = importlib.import_module("asterix.base")
    manifest = importlib.import_module("asterix.generated").manifest["CATS"]
    return base, {number: {found.cv_edition: found for found in kinds} for number, kinds in manifest.items()}


def known_editions(category: int) -> tuple[Edition, ...]:
    """The editions of a category that can be read, oldest first."""
    return tuple(sorted(library()[1].get(category, {})))


def read_editions(text: str) -> dict[int, Edition]:
    """The editions of a feed, as a site file names them: "48:1.27, 62:1.16"; categories left out are read by the default.

    A lone "1.16" is meant for all categories that have such an edition. Raises ValueError, saying what can be read.
    """
    chosen: dict[int, Edition] = {}
    for part in re.split(r"[,;\s]+", text.strip()) if text.strip() else []:
        if (lone := re.fullmatch(r"(\d{1,2})\.(\d{1,3})", part)) is not None:
            edition = (int(lone[1]), int(lone[2]))
            having = [number for number in library()[1] if edition in known_editions(number)]
            if not having:
                raise ValueError(f"editions: {part} is an edition of no category")
            chosen |= dict.fromkeys(having, edition)
            continue
        match = re.fullmatch(r"(?:CAT)?0*(\d{1,3}):(\d{1,2})\.(\d{1,3})", part)
        if match is None:
            raise ValueError(f'editions is "{text}", expected CATEGORY:EDITION, ... such as 48:1.27, 62:1.16')
        category, major, minor = (int(number) for number in match.groups())
        if (major, minor) not in known_editions(category):
            known = ", ".join(map(edition_text, known_editions(category))) or "none"
            raise ValueError(f"editions: category {category} edition {major}.{minor} is not known; known are {known}")
        chosen[category] = (major, minor)
    return chosen


def edition_text(edition: Edition) -> str:
    return f"{edition[0]}.{edition[1]}"


def edition_of(category: int, chosen: Mapping[int, Edition]) -> Edition:
    """The edition by which a category of a feed is read. Raises Rejected where the category is not known."""
    known = known_editions(category)
    if not known:
        raise Rejected("unknown", f"category {category} is not known")
    return chosen.get(category) or DEFAULT_EDITIONS.get(category) or known[-1]


class Misfit(Rejected):
    """A block that is framed well and does not fit its edition."""

    def __init__(self, category: int, data: bytes, text: str) -> None:
        super().__init__("layout", text)
        self.category, self.data = category, data


def raw_blocks(datagram: bytes, skip_bytes: int = 0) -> list[tuple[int, bytes]]:
    """Category and records of each block of a datagram, which they must fill. Raises Rejected.

    `skip_bytes` stand before each block; a gateway that puts its bytes before the first alone is understood, too.
    """
    try:
        return _raw_blocks(datagram, skip_bytes, skip_bytes)
    except Rejected:
        if not skip_bytes:
            raise
        return _raw_blocks(datagram, skip_bytes, 0)


def _raw_blocks(datagram: bytes, place: int, skip_bytes: int) -> list[tuple[int, bytes]]:
    blocks = []
    while place < len(datagram):
        length = int.from_bytes(datagram[place + 1 : place + HEADER_BYTES], "big")
        if len(datagram) - place < HEADER_BYTES or not HEADER_BYTES <= length <= len(datagram) - place:
            raise Rejected("length", f"a block of {length} bytes at {place} of {len(datagram)}")
        blocks.append((datagram[place], datagram[place + HEADER_BYTES : place + length]))
        place += length + (skip_bytes if place + length < len(datagram) else 0)
    if not blocks:
        raise Rejected("length", "an empty datagram")
    return blocks


def read_datagram(datagram: bytes, chosen: Mapping[int, Edition], skip_bytes: int = 0) -> tuple[Block, ...]:
    """The blocks of a datagram. Raises Rejected; Misfit where a block does not fit its edition to the last byte."""
    blocks: list[Block] = []
    for category, data in raw_blocks(datagram, skip_bytes):
        edition = edition_of(category, chosen)
        blocks.append(Block(category, edition, read_records(category, edition, data)))
        if sum(len(block.records) for block in blocks) > MAX_RECORDS:
            raise Rejected("length", f"more than {MAX_RECORDS} records in a datagram")
    return tuple(blocks)


def read_records(category: int, edition: Edition, data: bytes) -> tuple[Record, ...]:
    """The records of one block. Raises Rejected where they do not fit the edition to the last byte."""
    base, categories = library()
    uap = categories[category][edition].cv_uap
    kinds = list(uap.cv_uaps.values()) if issubclass(uap, base.UapMultiple) else [uap.cv_record]
    records: list[Record] = []
    place = 0
    while place < len(data):
        if len(records) >= MAX_RECORDS:
            raise Rejected("length", f"more than {MAX_RECORDS} records in a block")
        found, reason = None, "nothing"
        for kind in kinds:
            bits = base.Bits.from_bytes(data[place:])
            result = kind._parse(base.ParsingMode.StrictParsing, bits)
            if isinstance(result, ValueError):
                reason = str(result)
                continue
            record = _plain_record(base, result[0])
            if len(kinds) == 1 or _is_of_kind(uap, kind, record):
                found = record
                place += len(data) - place - len(result[1]) // 8
                break
        if found is None:
            raise Misfit(category, data, f"CAT{category:03} edition {edition_text(edition)}: {reason}")
        records.append(found)
    return tuple(records)


def _is_of_kind(uap: Any, kind: Any, record: Record) -> bool:
    """Of a category with several layouts (plots and tracks of CAT001): whether the record says it has this one."""
    if uap.cv_selector is None:
        return True
    path, names = uap.cv_selector
    name = names.get(_raw_at(record, path))
    return name is None or uap.cv_uaps[name] is kind


def _raw_at(record: Record, path: list[str]) -> int | None:
    content: Any = record
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content.get("raw") if isinstance(content, dict) else None


def fitting_editions(category: int, data: bytes) -> set[Edition]:
    """The editions of a category that the records of one block fit."""
    fitting = set()
    for edition in known_editions(category):
        try:
            read_records(category, edition, data)
        except Rejected:
            continue
        fitting.add(edition)
    return fitting


# libasterix's objects to plain data


def _plain_record(base: Any, record: Any) -> Record:
    plain: Record = {}
    for name, item in record.items_regular.items():
        plain[name] = _plain(base, item.arg, plain)
    if others := [pair for pairs in record.items_rfs for pair in pairs or ()]:
        plain["RFS"] = [{name: _plain(base, item.arg, plain)} for name, item in others]
    return plain


def _plain(base: Any, rule: Any, record: Record) -> Any:
    """The content of an item, `record` holding the items before it."""
    if isinstance(rule, base.RuleVariationDependent):
        key = [_raw_at(record, path) for path in rule.cv_depends_on]
        spec = next((found for values, found in rule.cv_cases if values == key), rule.cv_default_variation)
        result = spec._parse(rule.bs)
        return {"raw": rule.bs.to_uinteger()} if isinstance(result, ValueError) else _content(base, result[0], record)
    return _content(base, rule.arg, record)


def _content(base: Any, variation: Any, record: Record) -> Any:
    if isinstance(variation, base.Element):
        return _element(base, variation, record)
    if isinstance(variation, base.Repetitive):
        return [_content(base, part, record) for part in variation.arg]
    if isinstance(variation, base.Explicit):
        return {"explicit_hex": variation.get_bytes().hex()}
    if isinstance(variation, base.Compound):
        return {name: _plain(base, item.arg, record) for name, item in variation.arg.items()}
    parts = variation.arg  # of a Group; an Extended holds one list for each of its bytes
    if isinstance(variation, base.Extended):
        parts = [part for byte in variation.arg for part in byte]
    return {p.arg.cv_name: _plain(base, p.arg.arg, record) for p in parts if isinstance(p, base.Item)}


def _element(base: Any, element: Any, record: Record) -> Record:
    rule = element._get_rule()
    if isinstance(rule, base.RuleContentDependent):
        key = [_raw_at(record, path) for path in rule.cv_depends_on]
        kind = next((found for values, found in rule.cv_cases if values == key), rule.cv_default_content)
        content = kind(rule.bs)
    else:
        content = rule._get_content()
    plain: Record = {"raw": content.as_uint()}
    if isinstance(content, base.ContentQuantity):
        plain["value"] = round(content._as_quantity(), DECIMALS)
    elif isinstance(content, base.ContentInteger):
        plain["value"] = content.as_integer()
    elif isinstance(content, base.ContentString):
        plain["text"] = content.as_string()
    elif isinstance(content, base.ContentTable) and (meaning := content.table_value()) is not None:
        plain["meaning"] = meaning
    return plain
