"""Coverage-guided fuzzing of one decoder: `python tests/fuzz/decoders.py CASE [--seconds S]`, `--list` names the cases.

    the case's own stream, cut and changed ──▶ decoder, in pieces ──▶ no exception, at most 64 KiB kept, counts add up,
    (atheris mutates what reaches new code)                          the same facts in one piece as in several

Needs `pip install atheris`, which is no part of the product. An input that breaks a claim is written into FINDINGS, where
`tests/firmware_interfaces/test_damage.py` feeds it again for ever; it is committed together with its cure.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests" / "firmware_interfaces"
FINDINGS = TESTS / "findings"
MOST_BYTES = 1500
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(TESTS)]


def folder_of(case: Any) -> str:
    """A case's name as a folder's."""
    return "".join(letter if letter.isalnum() else "-" for letter in str(case))


def told(facts: list[Any]) -> list[Any]:
    """Facts without the times that follow from the cut."""
    return [replace(fact, time_ns=0) if hasattr(fact, "looked") else fact for fact in facts]


def check(case: Any, reading: Any, data: bytes) -> None:
    """Raise where one of the claims does not hold; the first byte says how the rest is cut."""
    from firmware_interfaces.decoder import MAX_KEPT_BYTES

    if not data:
        return
    size, data = data[0] or 1, data[1:]
    whole = case.make()
    facts = list(whole.feed(reading(data)))
    assert whole.kept_bytes <= MAX_KEPT_BYTES
    whole.diagnosis()
    if not case.is_stream:  # datagrams: each piece is one, and what they say together must not raise either
        for place in range(0, len(data), size):
            whole.feed(reading(data[place : place + size], 2_000_000_000 + place))
        whole.diagnosis()
        return
    cut = case.make()
    pieces = [fact for place in range(0, len(data), size) for fact in cut.feed(reading(data[place : place + size]))]
    assert told(pieces) == told(facts), "the facts depend on the cut"
    assert cut.counts == whole.counts, "the counts depend on the cut"
    assert whole.counts.bytes == len(data)
    whole.feed(reading(b"", 5_000_000_000))  # the wait for a rest is given up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", help="one of --list")
    parser.add_argument("--list", action="store_true", help="the cases")
    parser.add_argument("--seconds", type=int, default=600, help="how long")
    asked = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["firmware_interfaces"]):
        import conftest
    names = [str(case) for case in conftest.CASES]
    if asked.list or asked.case not in names:
        print("\n".join(names))
        raise SystemExit(0 if asked.list else 2)
    case = conftest.CASES[names.index(asked.case)]
    findings = FINDINGS / folder_of(case)
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as corpus:
        stream, sizes = case.stream, (7, 255)
        if str(case) == "asterix":
            datagrams = conftest.asterix_turn()
            stream, sizes = b"".join(datagrams), (len(datagrams[0]),)
        for size in sizes:
            seed = bytes((size,)) + stream[:MOST_BYTES]
            (Path(corpus) / f"whole-{size}").write_bytes(seed)
            check(case, conftest.reading, seed)  # what it imports late is not counted as an input's time
        options = [
            f"-max_total_time={asked.seconds}", f"-max_len={MOST_BYTES}", f"-artifact_prefix={findings}/",
            "-timeout=60", "-print_final_stats=1",  # seconds of the wall clock: on a busy machine 5 pass without a turn
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options, corpus], lambda data: check(case, conftest.reading, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
