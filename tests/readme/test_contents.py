"""What the README says of commands, exit codes, files and variables is so."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

import hpcscan
from hpcscan.commands.cli import VERBS, Shown, main
from hpcscan.commands.manual import MANUAL, program_help
from hpcscan.commands.toys import DEFAULT_TOYS
from hpcscan.errors import Exit
from hpcscan.settings import SETTINGS
from readme.page import README, ROOT, blocks


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 350


def test_every_command_is_shown() -> None:
    """So every one is run; `run` may be left out."""
    shown = "\n".join(block.text for block in blocks("sh"))
    assert {verb for verb in VERBS if re.search(rf"-m hpcscan {verb} ", shown)} == {*VERBS}


def test_help_lists_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Shown):
        main(["--help"])
    text = capsys.readouterr().out
    codes = text[text.index("Exit codes") : text.index("Files")]
    assert [int(number) for number in re.findall(r"^ +(\d+)  [a-z]", codes, re.MULTILINE)] == sorted(Exit)
    assert {verb for verb in VERBS if re.search(rf"^    {verb}( |$)", text, re.MULTILINE)} == {*VERBS}


def test_the_manual_names_options_that_there_are() -> None:
    """Those of the command, of `run`, or of Open MPI's launcher."""
    for verb, text in MANUAL.items():
        named = {*re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)}
        assert named <= {*_options(verb), *_options("run"), "--with-ft"}, verb


def _options(verb: str) -> list[str]:
    parser = argparse.ArgumentParser()
    VERBS[verb][0](parser)
    return [name for action in parser._actions for name in action.option_strings]


def test_the_manual_names_keys_that_there_are() -> None:
    keys = {key.name.partition(".<")[0] for key in SETTINGS}
    sections = "|".join(sorted({key.partition(".")[0] for key in keys}))
    named = {name for text in MANUAL.values() for name in re.findall(rf"\b(?:{sections})\.[a-z_]+", text)}
    assert len(named) > 5
    assert named <= keys


@pytest.mark.parametrize("text", [*MANUAL.values(), program_help()])
def test_the_manual_fits_a_hundred_columns(text: str) -> None:
    assert max(map(len, text.splitlines())) <= 100


def test_the_manual_is_of_commands() -> None:
    assert {*MANUAL} <= {*VERBS}


def test_the_models_shown_are_the_files_that_are_run() -> None:
    folders = ROOT / "configs" / "plugins", ROOT / "tests" / "recipes"
    paths = [path for folder in folders for path in folder.glob("[!_]*.py") if not path.name.startswith("test_")]
    files = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    shown = {block.text for block in blocks("python") if "class " in block.text}
    assert shown <= {*files.values()}
    # One that is too long for the page is linked.
    assert {path for path, text in files.items() if text not in shown and f"]({path})" not in README} == set()


def test_the_configurations_shown_are_the_files_that_are_run() -> None:
    files = "configs/pendulum.yaml", "tests/recipes/line.yaml"
    assert [block.text for block in blocks("yaml")] == [(ROOT / file).read_text() for file in files]


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


def test_the_manual_has_the_number_of_toys_where_none_is_given():
    assert f"up to toys.n data sets, or {DEFAULT_TOYS:,} where it is unset," in MANUAL["toys"]
