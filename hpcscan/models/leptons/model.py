"""The built-in model: three leptons as spherical vortices in one vacuum, with nine profiled parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast, get_args

import numpy as np

from hpcscan.arrays import Array
from hpcscan.errors import OptionError
from hpcscan.model.interface import Axis, Derived, Dimension, Model, Observable, Option, Parameter, Ranges
from hpcscan.models.leptons.energy import Frame, Vacuum, circulation_prefactor, energy_derivatives, energy_parts
from hpcscan.models.leptons.ranges import energy_ranges

LEPTONS = ("electron", "muon", "tau")
FRAMES = get_args(Frame)
MAPPINGS = ("global_scale", "electron_anchor")
#: Observed masses in MeV.
MASSES = {"electron": 0.511, "muon": 105.7, "tau": 1776.8}
#: Calibration of λ = η β R_ref² / DIVISOR.
GRADIENT_DIVISOR = 11.0

_QUANTITIES = {
    "R_c": ("model length", "core radius"),
    "U": ("model velocity", "circulation velocity"),
    "A": ("1", "density-deficit amplitude; 1 is cavitation"),
}
_PUBLISHED = {
    "electron.R_c": (0.5, 1.5), "electron.U": (0.01, 0.1), "electron.A": (0.7, 1.0),
    "muon.R_c": (0.05, 0.3), "muon.U": (0.05, 0.2), "muon.A": (0.7, 1.0),
    "tau.R_c": (0.3, 0.8), "tau.U": (0.02, 0.15), "tau.A": (0.7, 1.0),
}  # fmt: skip
#: Named boxes: (lower, upper) of every parameter. `widened` is ample for the three masses to be matched.
BOXES = {
    "published": _PUBLISHED,
    "widened": _PUBLISHED | {"muon.R_c": (0.05, 0.5), "muon.U": (0.02, 0.2), "tau.U": (0.02, 0.25)},
}

#: Numbers beyond these mean nothing here, and the powers that are made of them would not be doubles.
SMALLEST, LARGEST = 1e-12, 1e12

_LEPTON = Dimension("lepton", LEPTONS)
_DERIVED = (
    Derived("energy_total", "energy unit", "energy of the lepton", _LEPTON),
    Derived("energy_circulation", "energy unit", "circulation part of the energy", _LEPTON),
    Derived("energy_stabilization", "energy unit", "stabilization part of the energy, which is subtracted", _LEPTON),
    Derived("energy_gradient", "energy unit", "gradient part of the energy", _LEPTON),
    Derived("scale_per_lepton", "MeV per energy unit", "observed mass over energy", _LEPTON),
    Derived("circulation_prefactor", "model length3", "circulation energy over the square of the velocity", _LEPTON),
    Derived("energy_ratio", "1", "energy over that of the tau", _LEPTON),
    Derived("mass_ratio", "1", "observed mass over that of the tau, which the energies have to match", _LEPTON),
    Derived("layer_over_core", "1", "boundary layer over core radius, w/R_c, which is assumed to be small", _LEPTON),
)
#: A scale of reasonable size, MeV per energy unit.
SCALE_RANGE = (0.1, 100.0)
_ANCHORED_SCALE = Derived(
    "S_opt", "MeV per energy unit", "scale fixed by the electron, m_e/E_e", expected_range=SCALE_RANGE
)


class LeptonModel(Model):
    """Masses of electron, muon and tau from one energy functional over (β, w).

    Parameters
    ----------
    frame : {"stream", "laboratory"}
        Vortex at rest in a uniform stream, or fluid at rest at infinity.
    eta : float
        Strength of the density gradient's energy; 0 switches it off.
    mapping : {"global_scale", "electron_anchor"}
        One profiled scale from energy to mass, or the scale that makes the electron exact.
    box : {"published", "widened"}
        Bounds of the nine parameters.
    bounds : mapping of parameter name to (lower, upper)
        Override single entries of the box; equal bounds fix a parameter.
    masses : mapping of lepton to float
        Observed masses, MeV.
    sigma : float, or mapping of lepton to float
        Relative uncertainty of the model for every mass.
    r_max : float
        Radius of the domain, model length.
    R_ref : float
        Reference radius of the gradient's calibration, model length.

    Raises
    ------
    OptionError
        With one entry for every option outside its range.
    """

    title = "Lepton masses as energies of spherical vortices"
    axes = (
        Axis("beta", "1", "vacuum stiffness"),
        Axis("w", "model length", "thickness of the boundary layer"),
    )
    scale_unit = "MeV per energy unit"
    scale_range = SCALE_RANGE
    batch_invariant: ClassVar[bool] = True
    options: ClassVar[tuple[Option, ...]] = (
        Option("frame", "choice", "stream", "", "vortex at rest in a stream, or fluid at rest at infinity", FRAMES),
        Option("eta", "number", 0.03, "", "strength of the density gradient's energy; 0 switches it off"),
        Option("mapping", "choice", "global_scale", "", "energy to mass: one profiled scale, or m_e/E_e", MAPPINGS),
        Option("box", "choice", "widened", "", "named bounds of the nine parameters", tuple(BOXES)),
        Option("bounds", "interval by name", {}, "", "override entries of the box; equal ones fix", tuple(_PUBLISHED)),
        Option("masses", "number by name", MASSES, "MeV", "observed masses", LEPTONS),
        Option("sigma", "number or number by name", 1e-4, "relative", "uncertainty of each mass", LEPTONS),
        Option("r_max", "number", 10.0, "model length", "radius of the domain"),
        Option("R_ref", "number", 0.88, "model length", "reference radius of the gradient's calibration"),
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  (one keyword for each option of the configuration)
        self,
        *,
        frame: str = "stream",
        eta: float = 0.03,
        mapping: str = "global_scale",
        box: str = "widened",
        bounds: Mapping[str, Sequence[float]] | None = None,
        masses: Mapping[str, float] | None = None,
        sigma: float | Mapping[str, float] = 1e-4,
        r_max: float = 10.0,
        R_ref: float = 0.88,
    ) -> None:
        masses = MASSES | dict(masses or {})
        sigmas = dict.fromkeys(LEPTONS, 1e-4) | (
            dict(sigma) if isinstance(sigma, Mapping) else dict.fromkeys(LEPTONS, sigma)
        )
        intervals = BOXES[box] | {name: (low, high) for name, (low, high) in (bounds or {}).items()}
        problems = [
            *_out_of_range(("masses",), masses),
            *_out_of_range(("sigma",), sigmas if isinstance(sigma, Mapping) else {"": sigma}),
            *_out_of_range((), {"r_max": r_max, "R_ref": R_ref}),
            *(problem for name, interval in intervals.items() for problem in _outside_physics(name, interval, r_max)),
        ]
        if not 0 <= eta <= LARGEST:
            problems.append((("eta",), f"is {eta:g}; expected zero or a positive number up to {LARGEST:g}"))
        if problems:
            raise OptionError(*problems)
        self.frame, self.mapping, self.r_max = cast(Frame, frame), mapping, r_max
        self._lambda_over_beta = eta * R_ref**2 / GRADIENT_DIVISOR
        self._masses = np.array([masses[lepton] for lepton in LEPTONS])
        self.parameters = tuple(_parameter(name, interval) for name, interval in intervals.items())
        scale = "S" if mapping == "global_scale" else None
        self.observables = tuple(
            Observable(lepton, masses[lepton], sigmas[lepton] * masses[lepton], scale, "MeV", f"{lepton} mass", True)
            for lepton in LEPTONS
        )
        self.derived = _DERIVED if scale else (*_DERIVED, _ANCHORED_SCALE)

    def predict(self, points: Array, parameters: Array) -> Array:
        """Energies, or masses in MeV for `electron_anchor`; shape (n_rows, 3)."""
        # The leptons come first here, so that every operation runs along rows, which the fit keeps contiguous.
        energy = energy_parts(self._vacuum_of(*points.T), *_triples(parameters.T)).total
        return (energy if self.mapping == "global_scale" else energy * self._anchor(energy)).T

    def jacobian(self, points: Array, parameters: Array) -> Array:
        """Differentiate `predict`: shape (n_rows, 3, 9), zero outside each lepton's own triple for `global_scale`."""
        vacuum, triples = self._vacuum_of(*points.T), _triples(parameters.T)
        result = np.zeros((3, 9, len(parameters)))
        own = np.einsum("iikn->kin", result.reshape(3, 3, 3, -1))
        for of_triple, derivative in zip(own, energy_derivatives(vacuum, *triples), strict=True):
            of_triple[:] = derivative
        if self.mapping == "electron_anchor":
            self._anchor_jacobian(result, energy_parts(vacuum, *triples).total)
        return result.transpose(2, 0, 1)

    def prediction_ranges(self, points: Array) -> Ranges:
        """Enclose the energies; for `electron_anchor` as well, with the electron's mass matched exactly."""
        bounds = np.array([(p.lower, p.upper) for p in self.parameters]).reshape(3, 3, 2).transpose(2, 1, 0)
        lower, upper = energy_ranges(self._vacuum(points), *bounds)
        return Ranges(lower, upper, exact=None if self.mapping == "global_scale" else 0)

    def derive(self, points: Array, parameters: Array, scales: Mapping[str, Array]) -> Mapping[str, Array]:
        """Report the energies and their parts, m/E, E_circ/U² and ratios of every lepton."""
        vacuum, (R_c, U, A) = self._vacuum_of(*points.T), _triples(parameters.T)
        parts = energy_parts(vacuum, R_c, U, A)
        anchored = {} if self.mapping == "global_scale" else {"S_opt": self._anchor(parts.total)}
        return {
            "energy_total": parts.total.T,
            "energy_circulation": parts.circulation.T,
            "energy_stabilization": parts.stabilization.T,
            "energy_gradient": parts.gradient.T,
            "scale_per_lepton": (self._masses[:, None] / parts.total).T,
            "circulation_prefactor": circulation_prefactor(vacuum, R_c, A).T,
            "energy_ratio": (parts.total / parts.total[-1]).T,
            "mass_ratio": np.broadcast_to(self._masses / self._masses[-1], (len(points), len(LEPTONS))),
            "layer_over_core": (vacuum.w / R_c).T,
            **anchored,
        }

    def check_axes(self, values: Mapping[str, Array]) -> list[tuple[str, str]]:
        """Refuse β < 0, w ≤ 0, numbers too small or too large, and a vortex that reaches the edge of the domain."""
        problems = []
        if (beta := values["beta"].max()) > LARGEST:
            problems.append(("beta", f"reaches {beta:g}; a stiffness is at most {LARGEST:g}"))
        if (beta := values["beta"].min()) < 0:
            problems.append(("beta", f"reaches {beta:g}; a stiffness is zero or positive"))
        if (w := values["w"].min()) < SMALLEST:
            problems.append(("w", f"reaches {w:g}; a thickness is positive, at least {SMALLEST:g}"))
        widest = max(self.parameters[i].upper for i in (0, 3, 6))
        if (outer := widest + values["w"].max()) >= self.r_max:
            problems.append((
                "w",
                f"reaches {values['w'].max():g}: with R_c up to {widest:g} the outer radius R_c + w = {outer:g} "
                f"is not below r_max = {self.r_max:g}",
            ))  # fmt: skip
        return problems

    def _vacuum(self, points: Array) -> Vacuum:
        """Give what all leptons share at every point, as columns."""
        return self._vacuum_of(points[:, 0:1], points[:, 1:2])

    def _vacuum_of(self, beta: Array, w: Array) -> Vacuum:
        return Vacuum(beta, w, self._lambda_over_beta * beta, self.r_max, self.frame)

    def _anchor(self, energy: Array) -> Array:
        """Scale m_e/E_e, shape (n_rows,), for energies of shape (3, n_rows)."""
        anchor: Array = self._masses[0] / energy[0]
        return anchor

    def _anchor_jacobian(self, result: Array, energy: Array) -> None:
        """Turn ∂E into ∂(m_e E/E_e) in place: the electron's own row vanishes."""
        anchor = self._anchor(energy)
        electron = result[0, 0:3].copy()
        result *= anchor
        result[0] = 0.0
        for lepton in (1, 2):
            result[lepton, 0:3] = -anchor * energy[lepton] / energy[0] * electron


def _triples(parameters: Array) -> tuple[Array, Array, Array]:
    """R_c, U, A of the three leptons, each of shape (3, n_rows), from parameters of shape (9, n_rows)."""
    return parameters[0::3], parameters[1::3], parameters[2::3]


def _parameter(name: str, interval: tuple[float, float]) -> Parameter:
    lepton, symbol = name.split(".")
    unit, description = _QUANTITIES[symbol]
    return Parameter(name, *interval, unit=unit, description=f"{lepton} {description}")


def _out_of_range(path: tuple[str, ...], values: Mapping[str, float]) -> list[tuple[tuple[str, ...], str]]:
    return [
        ((*path, name) if name else path, f"is {value:g}; expected a positive number, {SMALLEST:g} to {LARGEST:g}")
        for name, value in values.items()
        if not SMALLEST <= value <= LARGEST
    ]


def _outside_physics(name: str, interval: tuple[float, float], r_max: float) -> list[tuple[tuple[str, ...], str]]:
    """Say why an interval of R_c, U or A cannot be; nothing where it can."""
    lower, upper = interval
    message = None
    if not (abs(lower) <= LARGEST and abs(upper) <= LARGEST):
        message = f"bounds are numbers from {-LARGEST:g} to {LARGEST:g}"
    elif lower > upper:
        message = "the lower bound is above the upper; swap them"
    elif name.endswith(".R_c") and not SMALLEST <= lower <= upper < r_max:
        message = f"a core radius lies above 0, at {SMALLEST:g} or more, and below r_max = {r_max:g}"
    elif name.endswith(".A") and not 0 <= lower <= upper <= 1:
        message = "an amplitude lies between 0 and 1"
    return [(("bounds", name), f"({lower:g}, {upper:g}): {message}")] if message else []
