"""The reference that commands print: what `--help` says beyond options, and the variables of a result."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING

from hpcscan.errors import Exit

if TYPE_CHECKING:
    from hpcscan.dataset.scan import ScanVariable

#: Columns of the texts below.
WIDTH = 100

EXIT_CODES: Mapping[Exit, str] = {
    Exit.COMPLETE: "complete, every point converged",
    Exit.INCOMPLETE: "complete, but some points did not converge, failed or timed out; check: a criterion fails; "
    "compare --exact: different",
    Exit.USAGE: "wrong usage or configuration, an existing output, a file that is no result: nothing was computed; one "
    "message per mistake, with file:line:column",
    Exit.INTERNAL: "internal error, a lost rank or process, or a failure with --strict",
    Exit.STORAGE: "the disk failed, and what was saved before can be used; or the text of a command that writes "
    "nothing else could not be written",
    Exit.EARLY: "stopped early; everything finished is saved, and --resume goes on",
}

PROGRAM = """\
Files
  Paths are relative to the working directory; ~ is expanded, $ is refused, a symbolic link is
  followed and stays. A result may come from anybody: the commands that read one let a process of
  its own, with limits on memory and time, read the file first, and refuse what is no result.
  Control characters in names are shown, never obeyed; no CSV cell is a formula; the text of a
  plugin is never executed.

Reference
  hpcscan COMMAND --help        options, and what the command does
  hpcscan keys [MODEL]          every key of a configuration; options and declarations of a model
  hpcscan variables SCAN.nc     every variable of a result
  python -m pydoc hpcscan.model how a model is written
"""

RUN = """\
Output
  OUT.nc is the result, OUT.log what was said of it, OUT.nc.journal the finished points of a scan
  that is not complete. A file that appears at OUT.nc during the run is left alone without
  --overwrite: the result is then OUT-2.nc, and the run says so.

Minima
  With fit.starts: auto the grid is fitted in waves. The first starts from nothing, at three values
  of each axis, or without a proof at up to 64 points, which then try their neighbours' minima;
  every later one halves the distances, and begins from earlier minima, interpolated. With a proof
  that is all, and fresh starts follow only where it stays open. Without one, fresh starts are the
  evidence: each point has one (or fit.fresh_starts of them, for a first look that agrees on
  nothing: 0.25 is one for every fourth point after the first wave), those in the middle of
  their neighbours have more until every pool has 16, and points that do not agree yet get more,
  until their pools have 64. A start is left as soon as it is seen where it leads: it counts as a
  hit where its model ends at the known chi2 (to 0.01), or where it is little above it (10, and a
  tenth of chi2) and chi2 falls all along the straight way there.
  With {min: 4, max: 64} a point begins with the least number and doubles it (or adds three, where
  that is more) until its best start has converged and its minimum is proven or agreed; starts
  that are left once one has reached a proven minimum are not_run. Points that are not proven are
  then fitted again from their neighbours' minima, in up to fit.repair_waves waves. Such fits
  confirm nothing, since neighbours' minima come from each other: they never count as agreement.
  fit.method: differential_evolution is scipy's, one run per point: it agrees with nobody and is
  not repaired, and has converged when scipy says so and its minimum is proven.

Converged
  A point is converged when its best start met its tolerance (edm below 1e-9 chi2 or 1e-6,
  whichever is larger) and its minimum is proven or agreed. Proven: chi2 is above chi2_lower_bound
  by no more than 1e-9 chi2 or 1e-3. A proof that ran out of its budget leaves a valid bound and
  says nothing against agreement. A chi2 below its bound by more than rounding says that the bound
  is wrong: the point has not converged, and a model's own ranges are the likely cause.
  Where no proof closes, the Hessian of chi2 is enclosed around the fit: unique_within says in how
  many standard deviations, in every direction of scales and profiled parameters and up to 5, the
  minimum is proven to be the only one. That is evidence of its own (unique) where starts do not
  agree, and the point has not converged: lower minima may be elsewhere. Dear models (one row per
  call), those with ranges or enclose of their own, those of -2 ln L alone and those with more than
  16 free parameters are not asked. best_fit_unique_within says the same of the best fit.

The same bits
  For one configuration, one type of processor and the same versions of the libraries, every
  variable that does not say how the run went is identical bit for bit for any number of ranks and
  any run.chunk, with MPICH and with Open MPI. A point that timed out is the exception.

Stopping and going on
  --resume goes on from OUT.nc.journal, on any number of ranks, and ends with the same bits as a
  run that was never stopped. Without a journal it begins; a finished scan ends at once, or grows
  where an axis has become longer (after a run with --keep-journal). Points that failed are tried
  again; where a grid is fitted from coarse to fine, once it is complete. A plugin counts by what it
  says: comments, blank lines and its place may change, code and the modules and data files beside
  it may not. Before a scan goes on, a few finished points are predicted again: up to 1e-9 sigma
  apart (or the rounding of a prediction) is told, more is refused. Another numpy or processor is
  told.
  A run stops by itself after --max-time, and on SIGUSR1, SIGTERM, SIGHUP (unless under nohup) or
  ^C: running tasks may finish, for a minute at most (20 s after SIGTERM), and a readable file is
  left. Open MPI's launcher turns SIGTERM and ^C into a kill; SIGUSR1 works everywhere.
  A rank that dies ends the job with a non-zero code. Under Open MPI's mpirun --with-ft ulfm the
  scan goes on instead: others do what the rank had, and OUT.log says so. Where rank 0 dies, or
  three ranks one after another at the same task, the job ends there too.

Models that fail
  sys.exit, os._exit, os.abort, os.exec* or any exception fail the point, and the others go on. A
  call of exit in a C library ends the run with 70. What Python cannot see leaves the code of that
  death: a signal, or a C library that calls _exit itself, after which MPICH's mpirun returned 0 and
  Open MPI's 1; ask status. When one rank ends, MPICH's mpirun may return 9. With standard output
  closed or full, MPICH's returned 255 and Open MPI's 0 in the same launches. With fit.time_limit, a
  point that takes longer ends as timed_out; where its call is stuck in C, the rank is given up and
  the others go on.
  Children of a model that return from predict are ended; threads and processes left behind end
  with the run; standard input is empty. What a model prints is shown up to 1 MB a rank; 10 MB
  more go to OUT.log. Signal handlers that a model takes away, or signals that it blocks, come
  back with the next task. Only a call that holds Python's lock on rank 0 for ever, or ignores a
  signal by itself and then hangs, needs kill -9. A rank that waits longer than 120 s
  (HPCSCAN_MPI_START_LIMIT) for MPI to start ends itself with a message.
  python -m may load a few of Python's own modules from the working directory before hpcscan
  begins; hpcscan, or python -P -m hpcscan, does not.
"""

PLAN = """\
The estimate is a formula that agrees with a simulation of rank 0 to a few per cent: how long the
scan takes, how much of that is work, how many ranks are efficient and why not more. Rank 0 hands
out half of what is left over all ranks, again and again, but no less than half of the largest
batch or a sixth of a rank's share, whichever is smaller. It needs 0.25 ms for a chunk and 2 us
for a point: points of 1 ms keep it busy from some 300 ranks on, points of 50 ms from 6,000. The
answer (best fit, intervals, contours) is fitted after the grid: for a grid of some twenty points
that takes as long again, for a large one a small part.
"""

CHECK = """\
The verdict says where chi2 is lowest, how far that is proven, and the first reason for or against
it; a run ends with the same words, which do not change its exit code. The gate asks whether this
is a measurement; its thresholds are keys of the configuration (gate.*), which --set changes.
Numerical criteria ask whether the numbers can be trusted, physical ones what they say; job
scripts go on with --only numerical.
"""

ANSWER = """\
Best fit, errors, intervals and contours are fitted by the run itself; answer: false in a
configuration leaves them out, and they are interpolated between grid points then. This command
fits them afterwards, or others: --set 'answer.cl=[0.9]' (intervals of 1 to 3 sigma are always
there). The file is replaced.
"""

TOYS = """\
At every point up to toys.n data sets, or 10,000 where it is unset, are drawn from the model with
the nuisance parameters that the data have there; all terms fluctuate, constraints too. Each is
fitted at the point and with the scanned parameters released, and p is the share of toys whose
difference of chi2 is at least that of the data: (k + 1)/(n + 1). The region of a confidence level
has p > 1 - CL (G. J. Feldman, R. D. Cousins, Phys. Rev. D 57, 3873 (1998)).
  The end of a grid is no bound: released parameters move within their declared bounds, and by one
  width of the grid beyond it where none is declared; the data are fitted in the same range. A
  point where more than 1 % of the toys fail, or rest on an undeclared end, has no p.
  Toys come in rounds that double, and a point stops once Clopper and Pearson's interval of 99.5 %
  holds no level (toys.adaptive: false makes all). Toy k has the same random stream at every
  point, so that errors of neighbours are alike, and a result has the same bits on any ranks. The
  ends of one scanned parameter are found by bisection with the same toys; the region of several
  is a set of points. toys.points: contours makes toys around the contours alone; toys.coverage
  counts in simulated experiments how often the regions hold true values; toys.asimov: true takes
  the model's own prediction for data: the expected result.
  A model with only -2 ln L (a Likelihood) has toys if it declares data and simulate(rng,
  **parameters), which draws a set of their size, filled up with NaN; twice_nll(data, **parameters)
  then takes one set a row. Points far outside every region (p < 1e-3) are not compared with Wilks.
  There are no toys where sigma is a tolerance (the leptons), for data that predict hides in
  itself, and where no data determine a scanned parameter.
"""

REPORT = """\
The report has figures, tables (CSV, LaTeX) and one page of HTML that needs no network; the same
result gives the same bytes. Needs the extra plot: pip install '.[plot]'. Maps and curves follow
the values and slopes of chi2 between the grid points, in log x on a log axis; contours run
through their fitted vertices. Data and pulls at the best fit, correlations and, of three scanned
parameters and more, a triangle are drawn too; captions say what a figure leaves out. Figures that
would show nothing are left out. Where a grid has more than 400 values along an axis, a cell
stands for several points and shows the worst status and gap among them; above 100,000 points the
table of points has the lowest, the worst, and some spread over the grid. For a paper: --only
contours,data --size single --format pdf --style FILE.
"""

COMPARE = """\
-o draws all results into one plane, with their profiles, and maps of the differences. The shift
of a minimum, and exp(-(beta - reference)), are given only where both results have a minimum.
"""

SENSITIVITY = """\
One point is fitted with 50, 100, 200 and 500 iterations, and a line of up to ten values along
every axis, each with the multistart and with differential evolution: as dear as its fits, on any
number of ranks. In the published box, where one run of differential evolution takes some seconds,
that is three minutes of one core: there the multistart is at the proven minimum from 50 iterations
on, and differential evolution 1.5e4 above it after 200 and 56 after 500.
"""

STATUS = """\
Nothing is locked or changed. The exit code is that of the finished scan, and 75 while it is not.
"""

KEYS = """\
An axis is {min: 0, max: 1, points: 11}, with spacing: log if wanted, or {values: [0, 0.1, 1]}. A
parameter that is neither scanned nor fixed is profiled; an empty scan: {} makes one fit. YAML's
merge keys and sections x-... for anchors may be used. Paths are relative to the configuration. Of
a model the last lines say what can be proven.
"""

VARIABLES = """\
A result is one flat netCDF-4 file after the CF conventions. Missing floats are NaN. The global
attributes hold the complete configuration (hpcscan_config), the seed, a plugin's text, and the
versions of everything that made the file.
"""

MANUAL: Mapping[str, str] = {
    "run": RUN,
    "plan": PLAN,
    "check": CHECK,
    "answer": ANSWER,
    "toys": TOYS,
    "report": REPORT,
    "compare": COMPARE,
    "sensitivity": SENSITIVITY,
    "status": STATUS,
    "keys": KEYS,
    "variables": VARIABLES,
}


def program_help() -> str:
    """Format what `hpcscan --help` says below the commands: exit codes, and where the reference is."""
    codes = (f"{code.value:>4}  {meaning}" for code, meaning in EXIT_CODES.items())
    lines = (fill(line, WIDTH, subsequent_indent=" " * 6) for line in codes)
    return "\n".join(["Exit codes", *lines, "", PROGRAM])


def describe_variables(path: str) -> str:
    """Describe every variable of a result, as the file itself has it.

    Raises
    ------
    UsageError
        Where the file is no result.
    """
    # `--help` needs none of this.
    from hpcscan.dataset.inspection import inspect  # noqa: PLC0415
    from hpcscan.dataset.reader import read_scan  # noqa: PLC0415
    from hpcscan.words.tables import fitted_lines  # noqa: PLC0415
    from hpcscan.words.visible import on_one_line  # noqa: PLC0415

    inspect(path)
    scan = read_scan(path)
    axes = tuple(axis.name for axis in scan.grid.axes)
    rows = [
        (name, ", ".join(_dimensions(name, one, axes)) or "–", one.unit or "–", _meaning(one))
        for name, one in scan.variables.items()
    ]
    shape = " × ".join(f"{axis.name} ({len(axis.values)})" for axis in scan.grid.axes) or "one point"
    header = ("variable", "dimensions", "unit", "meaning")
    lines = fitted_lines([header, *(tuple(map(on_one_line, row)) for row in rows)])
    return "\n".join([f"point: {on_one_line(shape)}", "", *lines])


def _dimensions(name: str, one: ScanVariable, axes: tuple[str, ...]) -> tuple[str, ...]:
    """List dimensions, with "point" for those of the grid together."""
    is_at_points = axes and one.dims[: len(axes)] == axes and name not in axes
    return ("point", *one.dims[len(axes) :]) if is_at_points else one.dims


def _meaning(one: ScanVariable) -> str:
    """Format what a variable is, the meanings of its flags, and whether it belongs to the run alone."""
    flags = ", ".join(f"{value}={meaning}" for value, meaning in one.flags.items())
    comment = str(one.attributes.get("comment", ""))
    run = "may differ between equal runs" if one.role == "run" else ""
    return "; ".join(filter(None, (one.long_name, comment, flags, run)))
