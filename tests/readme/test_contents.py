"""What the README says of commands, exit codes, files and variables is so."""

from __future__ import annotations

import re
from pathlib import Path

import hpcscan
from hpcscan.commands.cli import VERBS
from hpcscan.config.building import build_model
from hpcscan.config.keys_listing import markdown_keys
from hpcscan.config.read import read_config
from hpcscan.dataset.variables import variable_table
from hpcscan.errors import Exit
from readme.page import README, ROOT, blocks, code, table


def test_every_command_is_listed() -> None:
    listed = [code(row[0])[0].split()[0] for row in table("command")]
    assert listed == [*VERBS, "--version"]


def test_every_exit_code_is_listed() -> None:
    assert [int(row[0]) for row in table("exit code")] == sorted(Exit)


def test_every_variable_is_listed_with_its_dimensions() -> None:
    config = read_config(str(ROOT / "configs" / "full.yaml"))
    model = build_model(config.model)
    real = {row.name: row.dims for row in variable_table(config.grid, model)}
    listed = {name: tuple(row[1].split(", ")) for row in table("variable") for name in code(row[0])}
    assert listed == real


def test_only_the_last_row_of_variables_may_differ_between_equal_runs() -> None:
    config = read_config(str(ROOT / "configs" / "full.yaml"))
    rows = variable_table(config.grid, build_model(config.model))
    assert code(list(table("variable"))[-1][0]) == [row.name for row in rows if row.role == "run"]


def test_the_settings_are_the_table_of_settings() -> None:
    """`hpcscan keys --markdown` writes it."""
    assert f"\n\n{markdown_keys()}\n\n" in README


def test_the_models_shown_are_the_files_that_are_run() -> None:
    folders = ROOT / "configs" / "plugins", ROOT / "tests" / "recipes"
    files = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("[!_]*.py")]
    models = {text for text in files if "def test_" not in text}
    assert {block.text for block in blocks("python") if "class " in block.text} == models


def test_the_configuration_shown_is_the_file_that_is_run() -> None:
    assert [block.text for block in blocks("yaml")] == [(ROOT / "configs" / "pendulum.yaml").read_text()]


def test_every_configuration_is_mentioned() -> None:
    for path in (ROOT / "configs").glob("*.yaml"):
        # budget-50, -100, -200 and -500.
        assert re.search(rf"[/`]{path.stem}[.`]|`-{path.stem.partition('-')[2]}`", README), path.name


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README)
    headings = {re.sub(r"[^a-z ]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in _headings()}
    for target in targets:
        assert target.removeprefix("#") in headings if target.startswith("#") else (ROOT / target).is_file(), target


def _headings() -> list[str]:
    return [line for line in README.splitlines() if line.startswith("#")]


def test_the_version_is_the_same_everywhere() -> None:
    citation = re.search(r"^version: (.*)$", _text("CITATION.cff"), re.MULTILINE)
    change = re.search(r"^## (.*)$", _text("CHANGELOG.md"), re.MULTILINE)
    assert citation is not None
    assert change is not None
    assert citation[1] == change[1] == hpcscan.__version__


def _text(name: str) -> str:
    return Path(ROOT / name).read_text(encoding="utf-8")
