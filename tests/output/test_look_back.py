"""What of a journal is kept, and what is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from hpcscan.commands.status import n_finished
from hpcscan.config.building import build_model
from hpcscan.config.read import parse_config
from hpcscan.errors import UsageError
from hpcscan.fitting.records import Status
from hpcscan.output.journal import Kind
from hpcscan.output.journal_reading import read_journal
from hpcscan.output.recorder import Recorder, Session, recording
from hpcscan.output.resume import look_back

SCAN = "scan: {beta: {values: [3.0, 3.1, 3.2]}, w: {values: [0.01, 0.02]}}\nmodel: {name: leptons}\nfit: {starts: 2}\n"
N = 6


def session_at(output, text=SCAN):
    config = parse_config(text, "scan.yaml")
    return Session(config, build_model(config.model), output, 1, "none", datetime.now(UTC), ("hpcscan",))


def look(session, **options):
    return look_back(session.output, session.wanted(), **{"resume": True, "overwrite": False} | options)


def results_of(session, status):
    results = session.blank()
    results.status[:] = status
    return results


def record(session, status, past=None, todo=None) -> Recorder:
    """Begin a session, and add points with these statuses; those that are not run are left."""
    past = past or look(session)
    is_todo = np.ones(N, bool) if todo is None else np.isin(np.arange(N), todo)
    results = results_of(session, status)
    with recording(session, past) as recorder:
        for point in np.flatnonzero(is_todo & (results.status != Status.NOT_RUN)):
            recorder.add(results.take(np.array([point])))
    return recorder


@pytest.fixture
def session(tmp_path):
    return session_at(tmp_path / "out.nc")


def points_by_kind(session):
    found = {}
    for one in read_journal(session.output.with_name("out.nc.journal")).records:
        found.setdefault(one.kind, []).extend(one.point_index.tolist())
    return found


OK, BAD, FAILED, LATE, UNRUN = Status.CONVERGED, Status.NOT_CONVERGED, Status.FAILED, Status.TIMED_OUT, Status.NOT_RUN


def test_nothing_is_there(session):
    past = look(session, resume=False)
    assert (past.records, past.tried, past.finished) == ((), (), None)


def test_what_failed_or_timed_out_is_tried_again(session):
    """What did not converge is a result."""
    record(session, [OK, BAD, FAILED, LATE, UNRUN, UNRUN])
    past = look(session)
    assert past.tried == (2, 3)
    assert np.flatnonzero(past.standing(N).is_known).tolist() == [0, 1]
    assert len(past.history) == 1


def test_what_fails_again_stays_until_the_scan_is_complete(session):
    """Else a job that is requeued would try the same points for ever."""
    record(session, [OK, BAD, FAILED, LATE, UNRUN, UNRUN])
    record(session, [OK, OK, FAILED, OK, FAILED, UNRUN], look(session), todo=[2, 3, 4])
    assert points_by_kind(session) == {Kind.FITTED: [0, 1, 3, 4], Kind.SETTLED: [2]}
    past = look(session)
    assert past.tried == (4,)
    assert np.flatnonzero(past.standing(N).is_known).tolist() == [0, 1, 2, 3]
    recorder = record(session, [OK] * 4 + [OK, OK], past, todo=[4, 5])
    recorder.journal = replace_journal(recorder)
    recorder.write(is_complete=True)
    assert look(session).tried == (2,)


def replace_journal(recorder):
    class Closed:
        def sync(self):
            pass

    return Closed()


def test_progress_is_a_point_that_need_not_be_computed_again(session):
    """What failed once is tried again, so that it counts when it has failed twice."""
    assert n_finished(str(session.output)) == 0
    record(session, [OK, BAD, FAILED, LATE, UNRUN, UNRUN])
    assert n_finished(str(session.output)) == 2
    recorder = record(session, [OK, OK, FAILED, OK, UNRUN, UNRUN], look(session), todo=[2, 3])
    assert n_finished(str(session.output)) == 4
    recorder.journal.path.write_bytes(b"nothing that can be read")
    assert n_finished(str(session.output)) == 0


@pytest.mark.parametrize(("is_complete", "n"), [(True, 5), (False, 0)])
def test_a_result_counts_without_its_journal_if_it_is_complete(session, is_complete, n):
    """Else it cannot be continued."""
    recorder = record(session, [OK, OK, OK, FAILED, BAD, UNRUN])
    recorder.journal = replace_journal(recorder)
    recorder.write(is_complete=is_complete)
    session.output.with_name("out.nc.journal").unlink()
    assert n_finished(str(session.output)) == n


def test_a_grid_that_grew_is_told_apart(tmp_path, session):
    """Its old points have new numbers; what failed is tried again."""
    record(session, [OK, BAD, FAILED, OK, OK, OK])
    wider = session_at(session.output, SCAN.replace("[0.01, 0.02]", "[0.01, 0.015, 0.02]"))
    past = look(wider)
    standing = past.standing(9)
    assert np.flatnonzero(standing.is_known).tolist() == [0, 2, 5, 6, 8]
    assert past.tried == (3,)
    with pytest.raises(UsageError, match=r"scan\.w lacks 0\.02"):
        look(session_at(session.output, SCAN.replace("[0.01, 0.02]", "[0.01, 0.03]")))


def test_a_kill_before_the_file_is_written(session):
    """All points are known: nothing is left but repair."""
    record(session, [OK] * N)
    past = look(session)
    assert past.standing(N).is_known.all()
    assert past.finished is None


def test_another_version_is_told(session, monkeypatch):
    """It continues where the columns are the same; it cannot where they are not."""
    record(session, [OK] + [UNRUN] * 5)
    monkeypatch.setattr("hpcscan.output.resume.__version__", "99.0")
    past = look(session)
    assert len(past.records) == 1
    assert past.warnings[0].endswith("continued with 99.0")
    wanted = session.wanted()
    with pytest.raises(UsageError, match=r"other columns than this version, 99\.0"):
        look_back(session.output, replace(wanted, layout=wanted.layout[1:]), resume=True, overwrite=False)


def test_a_new_session_over_a_finished_file_is_unfinished(session):
    """--overwrite, then kill: the old file is not taken for the new scan's."""
    recorder = record(session, [OK] * N)
    recorder.journal = replace_journal(recorder)
    recorder.write(is_complete=True)
    assert look(session).finished.tolist() == [OK] * N
    record(session, [OK] + [UNRUN] * 5, look(session, overwrite=True))
    past = look(session)
    assert past.finished is None
    assert np.flatnonzero(past.standing(N).is_known).tolist() == [0]


def test_leftovers_of_killed_runs_are_removed(session):
    folder = session.output.parent
    ours = (".out.nc.12.part", ".out.nc.journal.7.part", ".out.nc.lock.1.part")
    others = (".out.nc2.12.part", ".out.nc.part", "out.nc.12.part", ".xout.nc.1.part")
    for name in (*ours, *others):
        (folder / name).touch()
    record(session, [OK] * N)
    assert {path.name for path in folder.iterdir()} == {*others, "out.nc.journal"}
