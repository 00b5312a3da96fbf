"""Files that are no results, or wrong ones: exit code 2 with a message, whatever is in them and whoever asks."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from hpcscan.commands.cli import main
from hpcscan.dataset import inspection
from hpcscan.dataset.inspection import Inspection, inspect, read_outline
from hpcscan.dataset.reader import read_scan
from hpcscan.errors import UsageError
from report.judging import CODES, OUTLINE, answers, problem_of
from report.spoiling import describe, write
from report.synthetic import good

#: Files about which two commands are asked, and files about which all are.
TIMES, WHOLE = 46, 2
SEED = 3


@pytest.mark.parametrize(("first", "last", "n_commands"), [(0, TIMES, 2), (TIMES, TIMES + WHOLE, 6)])
def test_spoilt_results(tmp_path, first, last, n_commands):
    """Each is refused with a message or judged; no traceback, no warning, no crash, nothing a terminal obeys.

    tests/stress/results.py makes more of them.
    """
    found = list(answers(tmp_path, first, last, SEED, n_commands))
    assert [answer for answer in found if answer.problem] == []
    asked = [answer for answer in found if answer.command != "end"]
    assert len({answer.case for answer in asked}) == last - first
    assert 2 in {answer.code for answer in asked}


@pytest.mark.parametrize(
    ("code", "text", "seconds"),
    [
        (70, "a.nc: internal error", 0.1),
        (2, "something is wrong", 0.1),
        (1, "Traceback (most recent call last):", 0.1),
        (0, "a RuntimeWarning", 0.1),
        (0, "\x1b[31mred", 0.1),
        (0, "fine", 1000.0),
    ],
)
def test_what_is_wrong_with_an_answer_is_seen(code, text, seconds):
    assert problem_of("check", code, text, seconds, Path("a.nc"))
    assert not problem_of("check", 2, "a.nc: is no result", 0.1, Path("a.nc"))
    assert 74 not in CODES["check"]


def changed(path, change):
    """Write a good result with one thing changed."""
    good(extra=OUTLINE).write(path)
    description = describe(path)
    change(description)
    write(description, path)
    return str(path)


def transposed(d):
    d.entries["chi2"].dims = d.entries["chi2"].dims[::-1]


def other_type(d):
    d.entries["pull"].dtype = "f4"


def without_variable(d):
    del d.entries["at_bound"]


def numbers_for_labels(d):
    d.entries["parameter_name"].dtype = "f8"
    d.entries["parameter_name"].values = np.arange(2.0)


def without_labels(d):
    d.sizes["other"] = 3
    d.entries["more"] = type(d.entries["chi2"])("f8", ("beta", "w", "other"), np.zeros(3), {})


def repeated_label(d):
    d.entries["parameter_name"].values[:] = "left"


def long_label(d):
    d.entries["observable_name"].values[0] = "x" * 2000


def axis_with_nan(d):
    d.entries["beta"].values[3] = np.nan


def axis_that_falls(d):
    d.entries["w"].values = d.entries["w"].values[::-1]


def other_flags(d):
    d.entries["status"].attributes["flag_meanings"] = "a b c d e"


def a_flag_as_text(d):
    d.entries["status"].attributes["flag_values"] = "text"


def no_axis(d):
    d.entries["chi2"].dims = ()


def half_a_scale(d):
    d.entries["S_opt_lower"].dims = ("parameter",)


def huge(d):
    d.sizes["start"] = 10**9


def list_of_texts(d):
    d.attributes["title"] = ["a", "b"]


def in_a_group(d):
    d.extras.append(lambda dataset: dataset.createGroup("group"))


def own_type(d):
    d.extras.append(lambda dataset: dataset.createVariable("v", dataset.createVLType("f8", "ragged"), ()))


STRUCTURES = {
    transposed: "delta_chi2 has the dimensions beta, w",
    other_type: "pull is of the type float32",
    without_variable: "at_bound is missing",
    numbers_for_labels: "parameter_name is of the type float64, expected str",
    without_labels: "the dimension other has no labels",
    repeated_label: "parameter_name has a label twice",
    long_label: "observable_name has a label that is no text of at most 1000 characters",
    axis_with_nan: "the axis beta has a value that is no finite number",
    axis_that_falls: "the values of the axis w do not increase",
    other_flags: "status has flags with other meanings",
    a_flag_as_text: "status has 1 flags with the meanings",
    no_axis: "delta_chi2 has the dimensions beta, w, expected",
    half_a_scale: "S_opt_lower is no scale with a value for each point",
    huge: "more than its",
    list_of_texts: "the attribute title is neither a text nor a few numbers",
    in_a_group: "it has groups",
    own_type: "it has types of its own",
}


@pytest.mark.parametrize("change", STRUCTURES, ids=lambda change: change.__name__)
def test_a_structure_that_readers_cannot_rely_on_is_refused(tmp_path, change):
    """By whoever reads it, in this process: the Python interface starts no other one."""
    path = changed(tmp_path / "a.nc", change)
    with pytest.raises(UsageError) as caught:
        read_scan(path)
    assert STRUCTURES[change] in str(caught.value)
    assert str(caught.value).startswith(path)
    with pytest.raises(UsageError):
        read_outline(Path(path))


def test_numbers_in_another_order_of_bytes_are_numbers(tmp_path):
    """A result may come from a machine of another kind."""

    def swapped(d):
        for entry in d.entries.values():
            entry.dtype = ">f8" if entry.dtype == "f8" else entry.dtype

    one, two = changed(tmp_path / "a.nc", lambda d: None), changed(tmp_path / "big.nc", swapped)
    inspect(two)
    with netCDF4.Dataset(two) as dataset:
        assert dataset.variables["chi2"].endian() == "big"
    assert np.array_equal(read_scan(one).at_points("chi2"), read_scan(two).at_points("chi2"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("start_status", 99), ("n_flat_directions", 1_717_986_880), ("n_determined_axes", 3), ("n_flat_directions", -2)],
)
def test_a_value_without_meaning_is_found_in_the_whole_file(tmp_path, name, value):
    """Degrees of freedom follow from counts: absurd ones would be summed over for ever."""

    def strange(d):
        d.entries[name].values.flat[-1] = value

    path = changed(tmp_path / "a.nc", strange)
    with pytest.raises(UsageError, match=f"{name} has the value {value}, which has no meaning"):
        inspect(path)


def test_a_good_result_passes(tmp_path):
    path = good(leptons=True).write(tmp_path / "a.nc")
    inspect(path)
    inspect(str(path))


def test_what_is_no_file_is_left_to_the_reader(tmp_path):
    inspect(tmp_path)
    inspect(tmp_path / "nothing.nc")
    inspect("x" * 5000)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"the netCDF library crashed on it \(SIGSEGV\)"),
        ("import os; os.abort()", r"the netCDF library crashed on it \(SIGABRT\)"),
        ("import os; os._exit(7)", r"the netCDF library gave up on it \(exit 7\)"),
        ("import time; time.sleep(60)", "cannot be read within 2 s"),
        ("import sys; sys.exit(11)", "takes more than 2 GiB to read"),
    ],
)
def test_what_kills_the_process_that_reads_is_a_message(tmp_path, monkeypatch, code, words):
    """A library that crashes, or never ends, takes another process with it."""
    path = good().write(tmp_path / "a.nc")
    monkeypatch.setattr(inspection, "_CHILD", f"import sys; sys.stdout.write('\\n'); sys.stdout.flush()\n{code}")
    monkeypatch.setattr(inspection, "SECONDS", 2)
    with pytest.raises(UsageError, match=words) as caught:
        inspect(path)
    assert str(caught.value).startswith(str(path))


def test_a_process_that_cannot_begin_is_told_and_costs_nothing(tmp_path, monkeypatch, caplog):
    """Where no second process is allowed, a result can be read all the same."""
    path = good().write(tmp_path / "a.nc")
    monkeypatch.setattr(inspection, "_CHILD", "raise SystemExit(3)")
    inspect(path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    inspect(path)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "not looked at by a process of its own first (it did not begin, exit 3)",
        "not looked at by a process of its own first (No such file or directory)",
    ]


def test_memory_and_time_of_the_process_that_reads_are_limited(tmp_path, alone):
    """It cannot take more than its limits, and leaves no core file."""
    path = good().write(tmp_path / "a.nc")
    code = (
        "import resource, sys, time\n"
        "from hpcscan.dataset import inspection\n"
        "if sys.argv[2] == 'memory': inspection._read_whole = lambda path: bytearray(2**32) and ''\n"
        "if sys.argv[2] == 'time': inspection._read_whole = lambda path: all(iter(lambda: 1, 0)) and ''\n"
        "code = inspection.inspect_here(sys.argv[1], 1)\n"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n"
        "sys.exit(code)"
    )
    assert alone("-c", code, path, "nothing").returncode == Inspection.GOOD
    assert alone("-c", code, path, "memory").returncode == Inspection.TOO_LARGE
    assert -alone("-c", code, path, "time").returncode in (signal.SIGXCPU, signal.SIGKILL)


def test_modules_come_from_where_this_process_has_them(tmp_path, monkeypatch):
    """Not from the working directory, which may hold anything."""
    path = good().write(tmp_path / "a.nc")
    for name in ("numpy", "json", "netCDF4", "hpcscan"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inspection.logger, "warning", lambda *words: pytest.fail(words[0] % words[1:]))
    inspect(path)


def test_a_plugin_in_a_result_is_never_executed(tmp_path, capsys):
    """Its text is shown, at most: nothing that reads results runs it."""
    marker = tmp_path / "it-ran"
    text = f"open({str(marker)!r}, 'w')\n"
    config = "scan: {beta: {values: [1]}}\nmodel: {plugin: bad.py:Bad}\n"
    (tmp_path / "bad.py").write_text(text)
    extra = OUTLINE | {"hpcscan_plugin_source": text, "hpcscan_config": config}
    path = str(good(extra=extra).write(tmp_path / "a.nc"))
    for command in (("check",), ("status",), ("compare", path), ("report",)):
        verb, *others = command
        assert main([verb, path, *others]) in (0, 1), capsys.readouterr().err
    assert (tmp_path / "a-report" / "report.html").exists()
    assert not marker.exists()


def test_names_in_a_file_reach_no_terminal_and_no_table_as_commands(tmp_path, capsys):
    """Escape sequences are shown, markup is text, and a spreadsheet computes nothing."""

    def change(d):
        d.entries["parameter_name"].values[:] = ["\x1b[2Jleft\x9b", "=HYPERLINK(0)"]
        d.entries["observable_name"].values[0] = "<script>alert(1)</script>\u202e"
        d.attributes["title"] = "\x1b]0;title\x07"

    path = changed(tmp_path / "a.nc", change)
    assert main(["check", path, "--all"]) in (0, 1)
    assert main(["report", path]) == 0
    said = capsys.readouterr().out
    folder = tmp_path / "a-report"
    texts = [
        said,
        *(file.read_text() for file in folder.rglob("*") if file.suffix in (".html", ".csv", ".tex", ".txt")),
    ]
    assert len(texts) > 5
    assert not any(character in text for text in texts for character in "\x1b\x9b\x07\u202e")
    html = (folder / "report.html").read_text()
    assert "<script>" not in html
    assert r"\x1b[2Jleft\x9b" in html
    cells = [
        cell for file in folder.rglob("*.csv") for line in file.read_text().splitlines() for cell in line.split(",")
    ]
    assert "'=HYPERLINK(0)" in cells
    assert [
        cell for cell in cells if cell[:1] in ("=", "+", "@", "\t") or (cell[:1] == "-" and not is_number(cell))
    ] == []


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("verb", ["check", "report", "compare", "status", "run", "plan", "keys", "point"])
@pytest.mark.parametrize("length", [300, 5000])
def test_a_long_argument_is_a_message(verb, length, capsys):
    """No file has such a name, and asking the system about it fails in another way."""
    name = "x" * length
    more = {"compare": [name], "point": ["--at", "a=1"]}.get(verb, [])
    assert main([verb, name, *more]) == 2
    assert main([f"{name}.nc"]) == 2
    assert len(capsys.readouterr().err.splitlines()) >= 2


def test_a_pipe_is_no_result(tmp_path, capsys):
    """Opening it would wait for ever."""
    os.mkfifo(tmp_path / "a.nc")
    for verb in ("check", "status", "report"):
        assert main([verb, str(tmp_path / "a.nc")]) == 2
    assert "is no regular file" in capsys.readouterr().err
