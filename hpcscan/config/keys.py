"""The table of configuration keys: validation, defaults, the resolved text and `hpcscan keys` all loop over it.

A model declares its own keys as `hpcscan.model.Option`; they appear below ``model.options``. Kinds of option:

``"number"``
    A finite number; the model receives a float.
``"choice"``
    One of the option's `choices`; the model receives a str.
``"number by name"``
    ``{electron: 0.511, muon: 105.7}``; the model receives a dict of str to float. The names that a user gives
    replace single entries of the default; the others stay.
``"number or number by name"``
    Either of the two; the model receives a float or a dict.
``"interval by name"``
    ``{muon.U: [0.02, 0.2]}``; the model receives a dict of str to (float, float) in the order in which they were
    written. Entries replace those of the default.

For the kinds by name, `choices` lists the names that are allowed, any where it is empty. What else can be wrong is for
the model to say, by an `OptionError` with the path ``(option,)`` or ``(option, name)``. An option whose default is None
may be left unset, and is then None.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hpcscan.model.interface import Option
from hpcscan.settings import METHODS, FitSettings, GateSettings

#: Kinds that a model's options may have.
OPTION_KINDS = ("number", "choice", "number by name", "number or number by name", "interval by name")

MAX_AXIS_POINTS = 1_000_000
MAX_GRID_POINTS = 1_000_000_000

_FIT = FitSettings()
_GATE = GateSettings()

_CHI2_GOOD = "a good chi2 without degrees of freedom, or where sigma is a tolerance; below: more freedom than data"
_P_VALUE = "with degrees of freedom: chi2 is acceptable from the first probability on, good from the second"
_PULL = (
    "largest |predicted - observed|/sigma; unset: 1 without degrees of freedom or with a tolerance, else what "
    "a correct model exceeds, in the largest of its pulls, with the first probability of gate.p_value"
)


@dataclass(frozen=True)
class Key:
    """One configuration key.

    Attributes
    ----------
    name : str
        Dotted path; a part in angle brackets stands for any name.
    kind : str
        One of `OPTION_KINDS`, or "whole number", "whole number or auto", "whole number or range", "true or false",
        "fraction", "seconds", "time", "numbers", "interval", "text", "path", "any".
    default : object
        None where it may be left unset.
    meaning : str
    unit : str
    choices : tuple of str
        For a "choice"; the names for the kinds by name.
    lowest, highest : int
        Limits of a "whole number".
    """

    name: str
    kind: str
    default: Any
    meaning: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    lowest: int = 1
    highest: int = 2**31 - 1

    @property
    def parts(self) -> tuple[str, ...]:
        """The path as a tuple."""
        return tuple(self.name.split("."))


KEYS = (
    Key("scan.<axis>.min", "number", None, "first value of the axis", "axis"),
    Key("scan.<axis>.max", "number", None, "last value of the axis", "axis"),
    Key("scan.<axis>.points", "whole number", None, "number of values", highest=MAX_AXIS_POINTS),
    Key("scan.<axis>.spacing", "choice", "linear", "how the values are spaced", choices=("linear", "log")),
    Key("scan.<axis>.values", "numbers", None, "increasing; instead of min, max, points", "axis"),
    Key("model.name", "text", None, "a built-in model; or else give model.plugin"),
    Key("model.plugin", "text", None, "your own model, path/to/file.py:ClassName, relative to the configuration"),
    Key("model.options.<option>", "any", None, "the model's own options; see `hpcscan keys MODEL`"),
    Key("fit.method", "choice", _FIT.method, "the minimiser", choices=METHODS),
    Key("fit.starts", "whole number or range", _FIT.starts, "starts per point; or {min: 4, max: 64}", highest=10**6),
    Key("fit.seed", "whole number", _FIT.seed, "root of every random number", lowest=0, highest=2**63 - 1),
    Key("fit.max_iter", "whole number", _FIT.max_iter, "iterations of a start, generations of differential_evolution"),
    Key("fit.unexplored", "fraction", _FIT.unexplored, "estimated share of unseen levels that ends a range of starts"),
    Key("fit.certify", "true or false", _FIT.certify, "prove lower bounds of chi2 where the model can"),
    Key("fit.repair_waves", "whole number", _FIT.repair_waves, "refits from neighbours; 0 for none", lowest=0),
    Key("fit.time_limit", "seconds", _FIT.time_limit, "what a point may take; more ends as timed_out", "s"),
    Key("run.max_time", "time", None, "time after which the run stops, to be continued; also 30m, 2h, 1-00:00:00", "s"),
    Key("run.chunk", "whole number or auto", "auto", "grid points per task"),
    Key("report.reference.<axis>", "number", None, "line that is drawn and quoted, such as a predicted value", "axis"),
    Key("gate.converged", "fraction", _GATE.converged, "least share of points that converge"),
    Key("gate.gap", "number", _GATE.gap, "largest chi2 above its proven bound; 1e-9 of chi2 is always allowed"),
    Key("gate.spikes", "whole number", _GATE.spikes, "points that may be out of line with neighbours", lowest=0),
    Key("gate.chi2_good", "interval", _GATE.chi2_good, _CHI2_GOOD),
    Key(
        "gate.chi2_acceptable", "number", _GATE.chi2_acceptable, "largest acceptable chi2, in the same case; above: bad"
    ),
    Key("gate.p_value", "interval", _GATE.p_value, _P_VALUE),
    Key("gate.scale", "interval", _GATE.scale, "scales of reasonable size; unset: what the model declares"),
    Key("gate.pull", "number", _GATE.pull, _PULL),
    Key("gate.minimum.<axis>", "interval", None, "where the minimum is expected; without any: in each axis", "axis"),
    Key(
        "gate.width.<axis>",
        "interval",
        None,
        "1 sigma half-width: sharp below the first, flat above the second",
        "axis",
    ),
    Key("output", "path", None, "the result; results/<name of the configuration>.nc where unset"),
)

SECTIONS = tuple(dict.fromkeys(key.parts[0] for key in KEYS))


def option_key(option: Option) -> Key:
    """Turn a model's option into a key."""
    name = f"model.options.{option.name}"
    return Key(name, option.kind, option.default, option.meaning, option.unit, tuple(option.choices))


def concrete_keys(axes: Iterable[str], options: Sequence[Option] | None) -> tuple[Key, ...]:
    """Fill in the table's placeholders.

    Parameters
    ----------
    axes : iterable of str
        Names for ``<axis>``.
    options : sequence of Option, optional
        The model's; None where they are not known, so that anything is accepted below ``model.options``.
    """
    keys: list[Key] = []
    names = tuple(axes)
    scan = [key for key in KEYS if key.parts[0] == "scan"]
    for axis in names:
        keys += [_for_axis(key, axis) for key in scan]
    for key in KEYS:
        if key.kind == "any":
            keys += [replace(key, name="model.options")] if options is None else map(option_key, options)
        elif key not in scan:
            keys += [_for_axis(key, axis) for axis in names] if "<axis>" in key.parts else [key]
    return tuple(keys)


def _for_axis(key: Key, axis: str) -> Key:
    return replace(key, name=key.name.replace("<axis>", axis))


def split_name(name: str) -> tuple[str, ...]:
    """Split a dotted key into its path; below a key of the table the rest is one name, as in ``bounds.muon.U``."""
    parts = tuple(name.split("."))
    depth = max((len(key.parts) for key in KEYS if _matches(key, parts)), default=len(parts))
    return (*parts[:depth], *filter(None, [".".join(parts[depth:])]))


def _matches(key: Key, parts: tuple[str, ...]) -> bool:
    pairs = zip(key.parts, parts, strict=False)
    return len(key.parts) <= len(parts) and all(a == b or a.startswith("<") for a, b in pairs)
