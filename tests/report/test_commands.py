"""The commands: exit codes, one message for wrong usage, and what is said without matplotlib."""

import sys

import pytest

from hpcscan.commands.cli import main
from hpcscan.report.figures import __name__ as figures
from report.landscapes import LANDSCAPES
from report.synthetic import bowl, good

OK, FAILS, USAGE = 0, 1, 2


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {name: str(LANDSCAPES[name].write(folder / f"{name}.nc")) for name in ("good", "floor", "failures")}


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = main(list(arguments))
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("good", (), OK),
        ("floor", (), FAILS),
        ("floor", ("--only", "numerical"), OK),
        ("failures", ("--only", "numerical"), FAILS),
        ("good", ("--set", "gate.chi2_acceptable=1.5", "--set", "gate.chi2_good=[0.5, 1]"), FAILS),
    ],
)
def test_check_says_by_its_exit_code_whether_the_gate_is_open(run, files, name, options, code):
    found, out, _ = run("check", files[name], *options)
    assert found == code
    assert ("gate: open" if code == OK else "gate: closed") in out.splitlines()[-1]


def test_check_of_a_failed_scan_shows_what_to_look_at(run, files):
    _, out, _ = run("check", files["floor"])
    for words in ("likely cause", "freedom", "Residuals of every observable", "Bounds that hold chi2 up", "Optimiser"):
        assert words in out
    assert max(map(len, out.splitlines())) <= 160


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "missing.nc"), "missing.nc: does not exist"),
        (("check", "{good}", "--set", "fit.starts=3"), "only keys of gate and report"),
        (("check", "{good}", "--set", "gate.pul=3"), "did you mean"),
        (("check", "{good}", "--set", "gate.pull=many"), "expected a number"),
        (("report", "{good}", "-o", "{good}"), "is a file; name a directory"),
        (("report", "missing.nc"), "does not exist"),
        (("compare", "{good}"), "required"),
        (("compare", "{good}", "missing.nc", "--exact"), "does not exist"),
    ],
)
def test_wrong_usage_is_one_message_and_code_2(run, files, arguments, words):
    code, out, err = run(*(argument.format(**files) for argument in arguments))
    assert (code, out) == (USAGE, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_compare(run, files):
    assert run("compare", files["good"], files["floor"])[0] == OK
    assert run("compare", files["good"], files["floor"], "--exact")[0] == FAILS
    code, out, _ = run("compare", files["good"], files["good"], files["good"], "--exact")
    assert (code, out.count("identical")) == (OK, 2)


def test_without_matplotlib_there_are_tables_and_a_message(run, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith((figures, "matplotlib"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = str(good().write(tmp_path / "scan.nc"))
    code, out, _ = run("report", path)
    assert code == OK
    assert "no figures: they need matplotlib; install it with: pip install 'hpcscan[plot]'" in out
    assert (tmp_path / "scan-report" / "tables" / "gate.tex").exists()
    assert not (tmp_path / "scan-report" / "figures").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("check", "{good}", "--onyl=numerical"),
            "hpcscan check: unrecognized arguments: --onyl=numerical; did you mean",
        ),
        (("check", "{good}", "--overwrite"), "hpcscan check: unrecognized arguments: --overwrite"),
        (("run", "a.yaml", "--resum-e"), "did you mean --resume?; see hpcscan run --help"),
        (("a.yaml", "--owerwrite"), "did you mean --overwrite?; see hpcscan run --help"),
        (("compare", "{good}", "{good}", "--exakt"), "did you mean --exact?; see hpcscan compare --help"),
        (("status", "{good}", "{good}"), "see hpcscan status --help"),
    ],
)
def test_an_unknown_option_points_to_the_verb_that_was_meant(run, files, arguments, words):
    code, out, err = run(*(argument.format(**files) for argument in arguments))
    assert (code, out) == (USAGE, "")
    assert words in err


@pytest.mark.parametrize("name", ["", ".", "/"])
@pytest.mark.parametrize("options", [(), ("--count",)])
def test_status_wants_the_name_of_a_file(run, name, options):
    code, out, err = run("status", name, *options)
    assert (code, out) == (USAGE, "")
    assert "expected the name of a file" in err


def test_the_bare_command_is_its_help(capsys):
    """And the help says what it does without a command."""
    texts = []
    for arguments in ([], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "hpcscan CONFIG means hpcscan run CONFIG" in " ".join(texts[0].split())


def test_long_tables_of_check_end_after_forty_rows(run, tmp_path):
    """And say how many are left, and what shows them."""
    path = str(good(chi2=bowl(floor=5000.0), n_data=60).write(tmp_path / "many.nc"))
    code, out, _ = run("check", path)
    assert code == FAILS
    assert "… and 20 more rows; --all shows them" in out.splitlines()
    assert "mass.39" in out
    assert "mass.40" not in out.partition("Residuals")[2]
    _, whole, _ = run("check", path, "--all")
    assert "more rows" not in whole
    assert "mass.59" in whole
    assert len(whole.splitlines()) > len(out.splitlines()) + 18
