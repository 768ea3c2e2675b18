from __future__ import annotations

from pathlib import Path

from benchmarks.run import write_first_section


def test_new_figures_replace_the_first_section_and_leave_the_others(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("# Figures\n\nold\n\n## Ten minutes\n\nkept\n\n## Start\n\nkept too\n")
    write_first_section(page, "# Figures\n\nnew\n")
    assert page.read_text() == "# Figures\n\nnew\n\n## Ten minutes\n\nkept\n\n## Start\n\nkept too\n"


def test_the_first_figures_need_no_page(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    write_first_section(page, "# Figures\n")
    assert page.read_text() == "# Figures\n"
