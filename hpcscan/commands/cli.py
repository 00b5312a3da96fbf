"""The command line: verbs, their options, and exit codes."""

from __future__ import annotations

import argparse
import difflib
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hpcscan.commands.manual import MANUAL, describe_variables, program_help
from hpcscan.commands.terminal import log_to_terminal, print_text
from hpcscan.config.kinds import seconds
from hpcscan.errors import Exit, HpcscanError, SignalError, StoppedError, UsageError
from hpcscan.guard.printed import count_output
from hpcscan.parallel import StopRequest, end_on_signals, launcher_rank, status_for_launcher
from hpcscan.version import __version__

logger = logging.getLogger("hpcscan")

#: Seconds.
HEAD_START = 1.0


class Shown(SystemExit):
    """The end after --help and --version; any other `SystemExit` is not the command line's."""


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes are errors like all others: one message, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}; see {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End after what was asked for is shown."""
        raise Shown(status)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print --help and --version once, however many ranks were asked for it."""
        if launcher_rank() == 0:
            print_text(message.removesuffix("\n"))


def launched_main(heard: list[int]) -> int:
    """Run one command and return what this process, one of those that a launcher started, exits with."""
    try:
        return status_for_launcher(main(heard=heard))
    except Shown:
        return Exit.COMPLETE


def main(arguments: Sequence[str] | None = None, heard: list[int] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    heard : list of int, optional
        Signals that have arrived so far; where it is not given, the caller hears signals as it likes.
    """
    log_to_terminal(logging.INFO)
    try:
        options = _parse(_with_default_verb(list(sys.argv[1:] if arguments is None else arguments)))
        log_to_terminal(getattr(options, "level", None) or logging.INFO)
        command: Callable[[argparse.Namespace], int] = options.command
        options.heard = heard
        # These three stop with what is done saved; all others end at once.
        if heard is not None and command not in (_run, _toys, _sensitivity):
            end_on_signals(heard)
        return command(options)
    except HpcscanError as error:
        return _report(error)
    except SignalError as error:
        return _report(StoppedError(f"stopped early: {error}"))


def _report(error: HpcscanError) -> int:
    """Print an error once, however many ranks found it."""
    if launcher_rank() == 0:
        logger.error("%s", error)
    else:
        # Some launchers end the job with the first rank that leaves: let the one that speaks be first.
        time.sleep(HEAD_START)
    return error.exit_code


def _with_default_verb(arguments: list[str]) -> list[str]:
    """Put `run` before a configuration that stands alone."""
    first = arguments[0] if arguments else "--help"
    if first in (*VERBS, "-h", "--help", "--version"):
        return arguments or [first]
    # Not by `Path`: a name that is too long is no file either.
    if not first.startswith("-") and not os.path.exists(first) and not Path(first).suffix:  # noqa: PTH110
        close = difflib.get_close_matches(first, VERBS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"commands are {', '.join(VERBS)}"
        raise UsageError(f"{first}: neither a command nor a file; {hint}")
    return ["run", *arguments]


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; for an unknown option point to the one that may be meant, and to the help of the verb."""
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        # The library's own message names neither the verb nor what may have been meant.
        verb: argparse.ArgumentParser = options.parser
        known = [name for action in verb._actions for name in action.option_strings]
        close = [name for word in unknown for name in difflib.get_close_matches(word.partition("=")[0], known, n=1)]
        hint = f"; did you mean {' and '.join(close)}?" if close else ""
        verb.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return options


def _parser() -> argparse.ArgumentParser:
    text = (
        "Profile-likelihood scans under MPI. CONFIG without a command is run: hpcscan CONFIG\n"
        "means hpcscan run CONFIG. Without anything: this help."
    )
    # What is written in lines stays in them.
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="hpcscan", description=text, epilog=program_help(), formatter_class=form)
    parser.add_argument("--version", action="version", version=f"hpcscan {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for name, (add_options, command, text) in VERBS.items():
        manual = MANUAL.get(name)
        verb = verbs.add_parser(name, help=text, description=text, epilog=manual, formatter_class=form)
        verb.set_defaults(command=command, parser=verb)
        add_options(verb)
    return parser


def _configuration_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="the configuration, a YAML file")
    _set_option(parser, "change a configuration key, such as fit.starts=32; may be repeated")


def _set_option(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help=text)


def _run_options(parser: argparse.ArgumentParser) -> None:
    _configuration_options(parser)
    parser.add_argument("-o", "--output", metavar="OUT.nc", help="where the result goes, instead of the key output")
    known = parser.add_mutually_exclusive_group()
    known.add_argument(
        "--resume", action="store_true", help="continue an unfinished scan; or begin, or let a grid grow"
    )
    known.add_argument("--overwrite", action="store_true", help="replace an existing result")
    text = "keep the journal of a complete scan, from which its grid can grow with --resume"
    parser.add_argument("--keep-journal", action="store_true", help=text)
    text = "stop after this time, to be continued: 90 (seconds), 30m, 2h, 1-00:00:00"
    parser.add_argument("--max-time", type=_time, metavar="T", help=text)
    parser.add_argument("--strict", action="store_true", help="stop at the first point where the model raises")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("--quiet", dest="level", action="store_const", const=logging.WARNING, help="errors only")
    volume.add_argument("-v", "--verbose", dest="level", action="store_const", const=logging.DEBUG, help="every chunk")


def _time(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _plan_options(parser: argparse.ArgumentParser) -> None:
    _configuration_options(parser)
    parser.add_argument("-n", "--ranks", type=int, default=1, metavar="RANKS", help="ranks to plan for (default 1)")


def _point_options(parser: argparse.ArgumentParser) -> None:
    _configuration_options(parser)
    parser.add_argument("--at", required=True, metavar="AXIS=VALUE,...", help="the point, such as beta=3.1,w=0.02")


def _sensitivity_options(parser: argparse.ArgumentParser) -> None:
    _configuration_options(parser)
    text = "the point whose budget is varied and through which the lines go; the middle of the grid where not given"
    parser.add_argument("--at", metavar="AXIS=VALUE,...", help=text)
    text = "iterations that a fit may take, in increasing order (default 50,100,200,500)"
    parser.add_argument("--budgets", type=_budgets, metavar="N,...", help=text)


def _budgets(text: str) -> tuple[int, ...]:
    try:
        budgets = tuple(int(part) for part in text.split(","))
    except ValueError:
        budgets = ()
    if not budgets or budgets[0] < 1 or list(budgets) != sorted(set(budgets)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers of iterations, such as 50,100,200")
    return budgets


def _keys_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a built-in model, or path/to/file.py:ClassName")
    parser.add_argument("--markdown", action="store_true", help="the settings alone, as a table in Markdown")


def _variables_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scan", metavar="SCAN.nc", help="a result")


def _status_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scan", metavar="OUT.nc", help="where the result is, or will be")
    text = "print the number of finished fits and nothing else, for job scripts; 0 where there is no scan"
    parser.add_argument("--count", action="store_true", help=text)


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scan", metavar="SCAN.nc", help="a result")
    parser.add_argument("--only", choices=("numerical", "physical"), help="judge this group of criteria alone")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--all", dest="is_whole", action="store_true", help="every row of long tables")
    form.add_argument("--json", dest="is_json", action="store_true", help="sentences, criteria and numbers as JSON")
    _threshold_options(parser)


def _answer_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scan", metavar="SCAN.nc", help="a finished result; it is replaced by one that has the answer")
    parser.add_argument("--config", required=True, metavar="CONFIG", help="the configuration of the scan")
    _set_option(parser, "change a configuration key, such as answer.cl=[0.9]; may be repeated")


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scan", metavar="SCAN.nc", help="a result")
    parser.add_argument("-o", "--output", metavar="DIR", help="where the report goes; SCAN-report where not given")
    parser.add_argument("--only", metavar="KINDS", help="some kinds of figures alone, such as contours,data")
    parser.add_argument("--size", metavar="SIZE", help="single or double: columns of a paper that a figure takes")
    parser.add_argument("--format", metavar="FORMATS", help="files of each figure, such as pdf,png or svg")
    parser.add_argument("--style", metavar="FILE", help="a matplotlib style file")
    _threshold_options(parser)


def _toy_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scan", metavar="SCAN.nc", help="a finished result, which is written again with the toys")
    parser.add_argument("--config", required=True, metavar="CONFIG", help="the configuration of its run")
    _set_option(parser, "change a configuration key, such as toys.n=1000; may be repeated")
    text = "stop after this time; the same command goes on: 90 (seconds), 30m, 2h"
    parser.add_argument("--max-time", type=_time, metavar="T", help=text)


def _threshold_options(parser: argparse.ArgumentParser) -> None:
    _set_option(parser, "change a key of gate or report, such as gate.pull=3; may be repeated")


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="A.nc", help="a result")
    parser.add_argument("others", metavar="B.nc", nargs="+", help="results to compare with it")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--exact", action="store_true", help="bit for bit; exit code 1 where anything differs")
    way.add_argument("-o", "--output", metavar="DIR", help="write maps and tables of the differences there")


def _run(options: argparse.Namespace) -> int:
    # Before anything that takes time: a signal that nobody hears ends the process.
    stop = StopRequest.install(heard=options.heard or ())
    if options.heard is not None:
        # Before numpy is loaded, because the process that counts lives as long as this one.
        count_output(f"rank {launcher_rank()}")
        log_to_terminal(options.level or logging.INFO)
    from hpcscan.commands.ranks import run  # noqa: PLC0415  (each command loads what it needs)
    from hpcscan.commands.request import RunRequest  # noqa: PLC0415

    request = RunRequest(
        config=options.config,
        output=options.output,
        overrides=tuple(options.overrides),
        overwrite=options.overwrite,
        resume=options.resume,
        strict=options.strict,
        keep_journal=options.keep_journal,
        max_time=options.max_time,
    )
    return run(request, stop)


def _toys(options: argparse.Namespace) -> int:
    # Before anything that takes time: a signal that nobody hears ends the process.
    stop = StopRequest.install(heard=options.heard or ())
    from hpcscan.commands.ranks import toys  # noqa: PLC0415
    from hpcscan.commands.request import ToyRequest  # noqa: PLC0415

    return toys(ToyRequest(options.scan, options.config, tuple(options.overrides), options.max_time), stop)


def _plan(options: argparse.Namespace) -> int:
    from hpcscan.commands.plan import plan  # noqa: PLC0415

    return _print(lambda: plan(options.config, options.overrides, options.ranks))


def _point(options: argparse.Namespace) -> int:
    from hpcscan.commands.point import point  # noqa: PLC0415

    return _answer(*point(options.config, options.overrides, options.at))


def _check(options: argparse.Namespace) -> int:
    from hpcscan.commands.check import check  # noqa: PLC0415

    return _answer(
        *check(options.scan, options.only, options.overrides, is_whole=options.is_whole, is_json=options.is_json)
    )


def _fit_answer(options: argparse.Namespace) -> int:
    from hpcscan.commands.answer import answer  # noqa: PLC0415

    return _print(lambda: answer(options.scan, options.config, options.overrides))


def _report_scan(options: argparse.Namespace) -> int:
    from hpcscan.commands.report import report  # noqa: PLC0415

    look = (options.only, options.size, options.format, options.style)
    return _print(lambda: report(options.scan, options.output, options.overrides, *look))


def _compare(options: argparse.Namespace) -> int:
    from hpcscan.commands.compare import compare  # noqa: PLC0415

    return _answer(*compare([options.first, *options.others], options.exact, options.output))


def _sensitivity(options: argparse.Namespace) -> int:
    # Before anything that takes time: a signal that nobody hears ends the process.
    stop = StopRequest.install(heard=options.heard or ())
    from hpcscan.commands.sensitivity import BUDGETS, Request, sensitivity  # noqa: PLC0415

    request = Request(options.config, tuple(options.overrides), options.at, options.budgets or BUDGETS)
    return sensitivity(request, stop)


def _keys(options: argparse.Namespace) -> int:
    from hpcscan.commands.keys_listing import describe_keys, markdown_keys  # noqa: PLC0415

    def described() -> str:
        from hpcscan.scanning.strategy import outlook  # noqa: PLC0415  (a model alone needs it)

        return describe_keys(options.model, outlook)

    return _print(markdown_keys if options.markdown else described)


def _variables(options: argparse.Namespace) -> int:
    return _print(lambda: describe_variables(options.scan))


def _status(options: argparse.Namespace) -> int:
    from hpcscan.commands.status import n_finished, status  # noqa: PLC0415

    if options.count:
        return _print(lambda: str(n_finished(options.scan)))
    return _answer(*status(options.scan))


def _print(text: Callable[[], str]) -> int:
    """Print the answer of a command that one process gives; under a launcher the other ranks have nothing to say."""
    if launcher_rank() == 0:
        print_text(text())
    return 0


def _answer(text: str, exit_code: int) -> int:
    """Print the answer of a command whose exit code is part of it."""
    _print(lambda: text)
    return exit_code


VERBS = {
    "run": (_run_options, _run, "scan a grid and write one netCDF file; the default command"),
    "plan": (_plan_options, _plan, "points, fits, chunks, and the cost measured on a few points"),
    "point": (_point_options, _point, "fit one point, on or off the grid, and show every start"),
    "check": (_check_options, _check, "judge a result: the gate, with numbers, thresholds and likely causes"),
    "answer": (_answer_options, _fit_answer, "fit what a finished grid says, where its run left that out"),
    "toys": (_toy_options, _toys, "make toys for a finished result: regions of fixed coverage"),
    "report": (_report_options, _report_scan, "figures, tables and one self-contained HTML page of a result"),
    "compare": (_compare_options, _compare, "what changed between results: minima, closure, chi2, settings, status"),
    "sensitivity": (
        _sensitivity_options,
        _sensitivity,
        "does the conclusion depend on the optimiser? Its budget, and lines",
    ),
    "status": (_status_options, _status, "how far a running, interrupted or finished scan is, from its journal"),
    "keys": (_keys_options, _keys, "every configuration key with its type, unit, default and meaning"),
    "variables": (_variables_options, _variables, "every variable of a result with its dimensions, unit and meaning"),
}
