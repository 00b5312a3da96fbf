"""A long run: what it leaves behind now and then."""

from __future__ import annotations

import numpy as np
import pytest
from commands.results import read

from hpcscan.errors import StorageError
from hpcscan.fitting.records import Status
from hpcscan.output import recorder as module
from hpcscan.output.journal import Kind
from hpcscan.output.journal_reading import read_journal
from output.test_look_back import look, results_of, session_at


@pytest.fixture
def clock(monkeypatch):
    """Seconds, in a list, for all that ask the recorder's clock."""
    now = [0.0]
    init = module.Recorder.__init__
    monkeypatch.setattr(
        module.Recorder, "__init__", lambda self, *arguments: init(self, *arguments, clock=lambda: now[0])
    )
    return now


@pytest.fixture
def session(tmp_path):
    return session_at(tmp_path / "out.nc")


@pytest.fixture
def recorder(clock, session):
    with module.recording(session, look(session)) as recorder:
        recorder.add(results_of(session, Status.CONVERGED).take(np.array([1, 4])))
        yield recorder


def test_an_unfinished_file_is_written_every_few_minutes(recorder, clock, tmp_path):
    """Not before, and not again at once."""
    output = tmp_path / "out.nc"
    clock[0] = module.SAVE_INTERVAL - 1
    recorder.tick()
    assert not output.exists()
    clock[0] = module.SAVE_INTERVAL
    recorder.tick()
    result = read(output)
    assert result.about["hpcscan_complete"] == 0
    assert result["status"].ravel().tolist() == [0, 1, 0, 0, 1, 0]
    output.unlink()
    clock[0] += 1
    recorder.tick()
    assert not output.exists()
    clock[0] += module.SAVE_INTERVAL
    recorder.tick()
    assert output.exists()


def test_files_that_take_long_are_written_less_often(recorder, clock, tmp_path, monkeypatch):
    saved = []

    def write(**_):
        saved.append(clock[0])
        clock[0] += 60.0

    monkeypatch.setattr(recorder, "write", write)
    for _ in range(100):
        clock[0] += 100.0
        recorder.tick()
    assert 60.0 * len(saved) < 0.05 * clock[0]
    assert len(saved) > 1


def test_a_file_that_cannot_be_written_stops_nothing_while_the_journal_can(recorder, clock, monkeypatch, caplog):
    def fail(*_, **__):
        raise StorageError("cannot write out.nc: no room")

    monkeypatch.setattr(module, "write_dataset", fail)
    clock[0] = module.SAVE_INTERVAL
    monkeypatch.setattr(module.logger.parent, "propagate", True)
    recorder.tick()
    assert "no room; all points are safe in" in caplog.text
    assert len(read_journal(recorder.journal.path).records) == 1
    with pytest.raises(StorageError, match=r"out\.nc\.journal, continue with --resume"):
        recorder.write(is_complete=True)


@pytest.fixture
def told(monkeypatch, caplog):
    monkeypatch.setattr(module.logger.parent, "propagate", True)
    return caplog


def kinds_of_points(path):
    return {point: one.kind for one in read_journal(path).records for point in one.point_index.tolist()}


def replaced_by_nothing(path):
    path.unlink()
    path.touch()


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b""), replaced_by_nothing])
def test_a_journal_that_goes_is_written_again(recorder, session, told, spoil):
    """From memory, when that is noticed; what comes later is appended to it."""
    path = recorder.journal.path
    header = read_journal(path).header
    spoil(path)
    recorder.write(is_complete=False)
    assert "while this run was writing it; it is written again" in told.text
    recorder.add(results_of(session, Status.CONVERGED).take(np.array([0])))
    contents = read_journal(path)
    assert (contents.header, contents.problems) == (header, ())
    assert kinds_of_points(path) == dict.fromkeys([0, 1, 4], Kind.FITTED)


def test_a_point_that_a_wave_has_improved_is_not_written_again(recorder, told):
    """The journal has what the first pass found, and that is lost; it is computed again."""
    recorder.results.repaired[4] = 1
    recorder.journal.path.unlink()
    recorder.write(is_complete=False)
    assert kinds_of_points(recorder.journal.path) == {1: Kind.FITTED}


def test_a_journal_of_another_run_stays(recorder):
    path = recorder.journal.path
    path.unlink()
    path.write_bytes(b"another one")
    with pytest.raises(StorageError, match="another run has taken over this output"):
        recorder.write(is_complete=False)
    assert path.read_bytes() == b"another one"
