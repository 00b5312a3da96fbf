"""The log beside the result."""

from __future__ import annotations

import logging
import re

import pytest

from hpcscan.errors import UsageError
from hpcscan.guard.printed import log_path
from hpcscan.output.destination import journal_path, lock_path
from hpcscan.output.log import logging_to

logger = logging.getLogger("hpcscan.test")


@pytest.fixture(autouse=True)
def level():
    logging.getLogger("hpcscan").setLevel(logging.INFO)
    yield
    logging.getLogger("hpcscan").setLevel(logging.NOTSET)


def lines(path):
    """Without their times, which every line has."""
    found = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (.*)", line) for line in path.read_text().splitlines()]
    assert all(found)
    return [match[1] for match in found]


def test_every_line_has_its_time(tmp_path):
    with logging_to(tmp_path / "a.log"):
        logger.info("one\ntwo, β")
        logger.debug("not said")
    logger.info("after it")
    assert lines(tmp_path / "a.log") == ["one", "two, β"]


def test_a_log_goes_on(tmp_path):
    for text in ("first", "second"):
        with logging_to(tmp_path / "a.log"):
            logger.info(text)
    assert lines(tmp_path / "a.log") == ["first", "second"]


def test_what_ends_a_run_is_in_its_log(tmp_path):
    with pytest.raises(UsageError), logging_to(tmp_path / "a.log"):
        raise UsageError("no\nway")
    with pytest.raises(ZeroDivisionError), logging_to(tmp_path / "a.log"):
        1 / 0  # noqa: B018
    found = lines(tmp_path / "a.log")
    assert found[:3] == ["no", "way", "Traceback (most recent call last):"]
    assert found[-1] == "ZeroDivisionError: division by zero"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path, capsys):
    with logging_to(tmp_path / "missing" / "a.log"):
        logger.info("one")
    assert "Traceback" not in capsys.readouterr().err


def test_places(tmp_path):
    """Every file beside the result has a name of its own, whatever the name of the result."""
    for name in ("full.nc", "full", "full.log", "full.nc.nc", "full.v2"):
        output = tmp_path / name
        assert len({output, journal_path(output), lock_path(output), log_path(output)}) == 4
    assert log_path(tmp_path / "full.nc").name == "full.log"
    assert log_path(tmp_path / "full.v2").name == "full.v2.log"
    assert journal_path(tmp_path / "full.nc").name == "full.nc.journal"
