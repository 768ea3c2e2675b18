"""The shape of the house: layers, types, formatting, tables, documents. What is missing is named."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge import sensors
from edge.device_options import DRIVERS
from edge.protocol_options import PROTOCOLS
from edge.site_reference import reference
from sarhad.cli import main

ROOT = Path(__file__).parents[1]
PACKAGES = ("sarhad", "edge", "center", "evidence", "fusion", "hardware", "firmware_interfaces")
FOLDERS = (*PACKAGES, "edge/simulator", "edge/training", "edge/vision", "deploy", "benchmarks", "tests")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(path.stem.replace("_", "-") for path in (ROOT / "sarhad" / "commands").glob("[a-z]*.py"))
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".yml",
    ".conf",
    ".acl",
    ".service",
    ".rules",
    ".ts",
    ".css",
    ".html",
    ".sh",
    ".sql",
    ".cfg",
}
GENERATED = ("center/web/dist", "node_modules", ".git/", ".venv", "build/", "dist/", "package-lock.json")


def run_tool(module: str, *words: str) -> None:
    """Run a developer's tool on the whole project; its words are the failure's."""
    if find_spec(module) is None:
        pytest.fail(f'{module} is not installed; pip install -e ".[dev]"')
    start = ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()")
    command = [sys.executable, *(start if module == "importlinter" else ("-m", module)), *words]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout[-4000:]}\n{result.stderr[-2000:]}"


def texts() -> list[tuple[Path, str]]:
    """The project's own text files, with their text."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        hidden = any(part.startswith(".") and part != ".ci" for part in Path(name).parts)
        if path.suffix in TEXT and path.is_file() and not hidden and not any(word in name for word in GENERATED):
            found.append((path, path.read_text(encoding="utf-8")))
    return found


# Tools


def test_the_code_keeps_ruffs_rules():
    run_tool("ruff", "check", "--no-cache", ".")


def test_the_code_is_formatted():
    run_tool("ruff", "format", "--check", "--no-cache", ".")


def test_the_provable_folders_are_fully_typed():
    run_tool("mypy")


def test_no_folder_knows_what_stands_above_it():
    run_tool("importlinter", "--no-cache")


# Tables: sensors


@pytest.mark.parametrize("protocol", sorted(sensors.PROTOCOLS))
def test_a_protocol_has_its_decoder_test_and_readme_line(protocol: str):
    module = sensors.PROTOCOLS[protocol].module.rsplit(".", 1)[1]
    assert (ROOT / "firmware_interfaces" / f"{module}.py").is_file()
    assert protocol in PROTOCOLS, f"edge/protocol_options.py has no line for {protocol}"
    assert f"| `{protocol}` |" in README, f"README.md has no line for {protocol}"
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "firmware_interfaces").glob("*.py"))
    assert re.search(rf"\b({module}|{protocol})\b", tests), f"no test of firmware_interfaces names {protocol}"
    readme = (ROOT / "firmware_interfaces" / "README.md").read_text()
    assert module in readme, f"firmware_interfaces/README.md does not name {module}"


@pytest.mark.parametrize("driver", sorted(sensors.DRIVERS))
def test_a_driver_has_its_module_test_and_readme_line(driver: str):
    module, name = sensors.DRIVERS[driver].split(":")
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    assert driver in DRIVERS, f"edge/device_options.py has no line for {driver}"
    assert f"| `{driver}` |" in README, f"README.md has no line for {driver}"
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "hardware").glob("*.py"))
    assert name in tests, f"no test of hardware names {name}"
    assert driver in (ROOT / "hardware" / "README.md").read_text(), f"hardware/README.md does not name {driver}"


# Documents


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_what_it_is(folder: str):
    readme = ROOT / folder / "README.md"
    assert readme.is_file(), f"{folder}/README.md is missing"
    assert readme.read_text().startswith("# ")


@pytest.mark.parametrize("name", ["README", "ARCHITECTURE", "GLOSSARY", "CONTRIBUTING", "CHANGELOG"])
def test_a_document_is_there(name: str):
    assert len((ROOT / f"{name}.md").read_text()) > 300


def test_the_licence_is_the_true_one():
    text = (ROOT / "LICENSE").read_text()
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert 'license = "AGPL-3.0-or-later"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("mark", "line"), [("run", "pip install . && sarhad demo"), ("test", 'pip install -e ".[dev]" && pytest')]
)
def test_the_readmes_two_commands_are_marked(mark: str, line: str):
    assert re.search(rf"^<!-- {mark} -->\n```\w*\n{re.escape(line)}\n```$", README, re.M)


def test_the_site_files_reference_is_up_to_date():
    written = (ROOT / "docs" / "site-file.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m edge.site_reference > docs/site-file.md"


def test_links_between_documents_lead_somewhere():
    broken = []
    for path, text in texts():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target and not (path.parent / target).exists():
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert not broken


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    words = result.output.split("Options:")[0]
    assert len(words.split()) > 8, f"sarhad {name} --help says too little"


# What must not stand in the project


def forbidden(pattern: str, spared: tuple[str, ...] = ()) -> list[str]:
    """Lines that hold the pattern, with their place; the file of this test is spared."""
    compiled = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        if path != Path(__file__) and not path.relative_to(ROOT).as_posix().startswith(spared or ("\0",))
        for number, line in enumerate(text.splitlines(), start=1)
        if compiled.search(line)
    ]


def test_no_path_of_a_machine_is_written_down():
    assert not forbidden(r"(?<![\w.])/(work|root|home/\w+|Users/\w+|tmp/\w+)(/|\b)")


def test_no_package_registry_is_written_down():
    assert not forbidden(r"(?i)py[p]i\.org|python[h]osted\.org|registry\.[n]pmjs|index-url|/simple/?[\"'\s]")


def test_nothing_unfinished_is_left():
    assert not forbidden(r"\b([T]ODO|[F]IXME|[X]XX)\b|NotImplemented[E]rror|\b[x]fail\b", spared=("CONTRIBUTING.md",))


def test_no_module_is_a_junk_room():
    junk = {"utils", "helpers", "common", "manager", "core", "base", "misc", "functions", "classes"}
    names = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert not [str(path.relative_to(ROOT)) for path in names if path.stem in junk]
