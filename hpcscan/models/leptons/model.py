"""The built-in model: three leptons as spherical vortices in one vacuum, with nine profiled parameters.

Each lepton has its own R_c, U and A; β, w and one scale S from energy to mass are shared:

    χ² = Σ ((S E_ℓ − m_ℓ)/σ_ℓ)²,    S = Σ (m E/σ²) / Σ (E²/σ²),    σ_ℓ = 10⁻⁴ m_ℓ

Magnetic moments may be added to the masses. A pure Hill vortex has none of its own (`leptons.moment`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np

from hpcscan.arrays import Array
from hpcscan.errors import OptionError
from hpcscan.model.data_terms import Gaussian
from hpcscan.model.interface import Derived, Dimension, Jacobian, Model, Option, Parameter, Ranges, Together
from hpcscan.models.leptons.energy import (
    LARGEST,
    SMALLEST,
    Frame,
    Vacuum,
    circulation_prefactor,
    energy_derivatives,
    energy_parts,
    out_of_range,
    outside_physics,
)
from hpcscan.models.leptons.energy_ranges import energy_ranges
from hpcscan.models.leptons.moment import (
    ByMoment,
    Rotation,
    magnetic_moment,
    moment_derivatives,
    moment_ranges,
    quotient,
    rms_radius,
)

Lepton = Literal["electron", "muon", "tau"]
Anchoring = Literal["global_scale", "electron_anchor"]
BoxName = Literal["published", "widened", "moments"]
Convention = Literal["physical", "authors"]
#: A parameter of one lepton.
Entry = Literal[
    "electron.R_c", "electron.U", "electron.A", "muon.R_c", "muon.U", "muon.A", "tau.R_c", "tau.U", "tau.A"
]  # fmt: skip
LEPTONS: tuple[Lepton, ...] = get_args(Lepton)
MAPPINGS = get_args(Anchoring)
#: The profiled scale of the moments.
MOMENT_SCALE = "moment_scale"
#: Observed masses in MeV.
MASSES: dict[Lepton, float] = {"electron": 0.511, "muon": 105.7, "tau": 1776.8}
#: Observed g factors and what they are held to. That of the tau is not measured to such a precision.
G_FACTORS: dict[Lepton, float] = {"electron": 2.00231930436256, "muon": 2.0023318414, "tau": 2.00118}
SIGMA_G: dict[Lepton, float] = {"electron": 1e-3, "muon": 1e-3, "tau": 1e-2}
#: Calibration of λ = η β R_ref² / DIVISOR.
GRADIENT_DIVISOR = 11.0

_QUANTITIES = {
    "R_c": ("model length", "core radius"),
    "U": ("model velocity", "circulation velocity"),
    "A": ("1", "density-deficit amplitude; 1 is cavitation"),
}
#: Names of the parameters of every lepton; and a derivative of zero by each.
_TRIPLES = tuple(tuple(f"{lepton}.{symbol}" for symbol in _QUANTITIES) for lepton in LEPTONS)
_ZEROS: dict[str, Array | float] = {name: 0.0 for names in _TRIPLES for name in names}
_PUBLISHED = {
    "electron.R_c": (0.5, 1.5), "electron.U": (0.01, 0.1), "electron.A": (0.7, 1.0),
    "muon.R_c": (0.05, 0.3), "muon.U": (0.05, 0.2), "muon.A": (0.7, 1.0),
    "tau.R_c": (0.3, 0.8), "tau.U": (0.02, 0.15), "tau.A": (0.7, 1.0),
}  # fmt: skip
_LAST_SCAN = {
    "electron.R_c": (0.05, 3.0), "electron.U": (1e-4, 0.2), "electron.A": (1.0, 1.0),
    "muon.R_c": (0.05, 3.0), "muon.U": (1e-3, 1.0), "muon.A": (1.0, 1.0),
    "tau.R_c": (0.05, 3.0), "tau.U": (0.01, 2.0), "tau.A": (1.0, 1.0),
}  # fmt: skip
#: Named boxes: (lower, upper) of every parameter. `widened` is ample for the three masses to be matched; `moments` is
#: that of the authors' last scan.
BOXES = {
    "published": _PUBLISHED,
    "widened": _PUBLISHED | {"muon.R_c": (0.05, 0.5), "muon.U": (0.02, 0.2), "tau.U": (0.02, 0.25)},
    "moments": _LAST_SCAN,
}

#: What is scanned in the shipped configurations. `check` says what they may be.
VACUUM = (
    Parameter("beta", description="vacuum stiffness"),
    Parameter("w", unit="model length", description="thickness of the boundary layer"),
)
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
_DERIVED_OF_MOMENTS = (
    Derived("magnetic_moment", "model moment", "magnetic moment for unit charge, before its scale", _LEPTON),
    Derived("R_rms", "model length", "root-mean-square radius of the squared density deficit", _LEPTON),
)
NOTES_ON_MOMENTS = (
    "A pure Hill vortex has no magnetic moment of its own: a charge that rotates is assumed, on top of the flow.",
    "The g factor of the tau is not measured to its number here: 2.00118 looks like 2 + a, where g would be 2 + 2 a.",
    "At fixed beta and w, six data are fitted with up to two scales and up to nine parameters, so that moments "
    "determine neither beta nor w: chi2 is flat, or a floor that bounds of parameters set.",
)
#: A scale of reasonable size, MeV per energy unit.
SCALE_RANGE = (0.1, 100.0)
_ANCHORED_SCALE = Derived(
    "S_opt", "MeV per energy unit", "scale fixed by the electron, m_e/E_e", expected_range=SCALE_RANGE
)


def _parameter(name: str, interval: tuple[float, float]) -> Parameter:
    lepton, symbol = name.split(".")
    unit, description = _QUANTITIES[symbol]
    return Parameter(name, *interval, unit=unit, description=f"{lepton} {description}")


def _datum(  # noqa: PLR0913, PLR0917  (a term)
    name: str, observed: float, sigma: float, scale: str | None, unit: str, description: str
) -> Gaussian:
    return Gaussian(name, observed, sigma, scale=scale, unit=unit, description=description, is_tolerance=True)


class LeptonModel(Model):
    """Masses of electron, muon and tau, and perhaps their magnetic moments, from one vortex each over (β, w).

    Parameters
    ----------
    frame : {"stream", "laboratory"}
        Vortex at rest in a uniform stream, or fluid at rest at infinity.
    eta : float
        Strength of the density gradient's energy; 0 switches it off.
    mapping : {"global_scale", "electron_anchor"}
        One profiled scale from energy to mass, or the scale that makes the electron exact.
    box : {"published", "widened", "moments"}
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
    moment : {"none", "uniform", "deficit", "vorticity"}
        How a charge rotates that gives the lepton a magnetic moment (`leptons.moment`), or no moments.
    convention : {"physical", "authors"}
        Moments in Bohr magnetons, μ = C μ(R_c, U, A), or the authors' g = C μ(R_c, U, A)/E, which has a pole at E = 0.
    g_factors, g_sigma : mapping of lepton to float
        Observed g and its σ; moments in Bohr magnetons are (g/2) m_e/m.

    Raises
    ------
    OptionError
        With one entry for every option outside its range.
    """

    title = "Lepton masses as energies of spherical vortices"
    scale_unit: str | Mapping[str, str] = "MeV per energy unit"
    scale_range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = SCALE_RANGE
    #: In the default box; those of a model are in its own.
    parameters = (*VACUUM, *(_parameter(name, interval) for name, interval in BOXES["widened"].items()))
    batch_invariant: ClassVar[bool] = True

    def __init__(  # noqa: PLR0913  (one keyword for each option of the configuration)
        self,
        *,
        frame: Annotated[Frame, Option("vortex at rest in a stream, or fluid at rest at infinity")] = "stream",
        eta: Annotated[float, Option("strength of the density gradient's energy; 0 switches it off")] = 0.03,
        mapping: Annotated[Anchoring, Option("energy to mass: one profiled scale, or m_e/E_e")] = "global_scale",
        box: Annotated[BoxName, Option("named bounds of the nine parameters")] = "widened",
        bounds: Annotated[
            dict[Entry, tuple[float, float]] | None, Option("override entries of the box; equal ones fix")
        ] = None,
        masses: Annotated[dict[Lepton, float], Option("observed masses", unit="MeV")] = MASSES,
        sigma: Annotated[float | dict[Lepton, float], Option("uncertainty of each mass", unit="relative")] = 1e-4,
        r_max: Annotated[float, Option("radius of the domain", unit="model length")] = 10.0,
        R_ref: Annotated[float, Option("reference radius of the gradient's calibration", unit="model length")] = 0.88,
        moment: Annotated[
            Literal["none", Rotation], Option("how a charge rotates on top of the flow, which has no moment of its own")
        ] = "none",
        convention: Annotated[Convention, Option("moments in Bohr magnetons, or g as moment over energy")] = "physical",
        g_factors: Annotated[
            dict[Lepton, float] | None,
            Option(
                "observed g; unset: 2.00231930436256, 2.0023318414, 2.00118, of which the tau's is not measured so "
                "well: it looks like 2 + a, where g would be 2 + 2 a"
            ),
        ] = None,
        g_sigma: Annotated[dict[Lepton, float], Option("uncertainty of each g")] = SIGMA_G,
    ) -> None:
        masses = MASSES | masses
        sigmas = dict.fromkeys(LEPTONS, 1e-4) | (
            dict(sigma) if isinstance(sigma, Mapping) else dict.fromkeys(LEPTONS, sigma)
        )
        intervals = BOXES[box] | {name: (low, high) for name, (low, high) in (bounds or {}).items()}
        positive = {"masses": masses, "sigma": sigmas if isinstance(sigma, Mapping) else {"": sigma}}
        positive |= {"": {"r_max": r_max, "R_ref": R_ref}, "g_factors": g_factors or {}, "g_sigma": g_sigma}
        problems = [
            *(fault for name, values in positive.items() for fault in out_of_range((name,) if name else (), values)),
            *((("bounds", n), text) for n, ends in intervals.items() if (text := outside_physics(n, ends, r_max))),
        ]
        if not 0 <= eta <= LARGEST:
            problems.append((("eta",), f"is {eta:g}; expected zero or a positive number up to {LARGEST:g}"))
        if problems:
            raise OptionError(*problems)
        self.frame, self.mapping, self.r_max = frame, mapping, r_max
        self.moment, self.convention = moment, convention
        self._lambda_over_beta = eta * R_ref**2 / GRADIENT_DIVISOR
        self._masses = np.array([masses[lepton] for lepton in LEPTONS])
        self._box = np.array(list(intervals.values())).reshape(3, 3, 2).transpose(2, 1, 0)
        self.parameters = (*VACUUM, *(_parameter(name, interval) for name, interval in intervals.items()))
        scale = "S" if mapping == "global_scale" else None
        self.data = tuple(
            _datum(lepton, masses[lepton], sigmas[lepton] * masses[lepton], scale, "MeV", f"{lepton} mass")
            for lepton in LEPTONS
        )
        self.derived = _DERIVED if scale else (*_DERIVED, _ANCHORED_SCALE)
        if moment != "none":
            self._add_moments(masses, G_FACTORS | (g_factors or {}), SIGMA_G | g_sigma)

    def _add_moments(
        self, masses: Mapping[Lepton, float], g: Mapping[Lepton, float], sigma: Mapping[Lepton, float]
    ) -> None:
        """Declare the moments: data with a scale of their own, and what is derived."""
        is_physical = self.convention == "physical"
        unit = "Bohr magneton" if is_physical else "1"
        for lepton in LEPTONS:
            factor = masses["electron"] / (2 * masses[lepton]) if is_physical else 1.0
            about = f"{lepton} magnetic moment" if is_physical else f"{lepton} g factor"
            values = g[lepton] * factor, sigma[lepton] * factor
            self.data += (_datum(self._moment_of(lepton), *values, MOMENT_SCALE, unit, about),)
        per = "Bohr magneton per model moment" if is_physical else "energy unit per model moment"
        of_masses = {"S": "MeV per energy unit"} if self.mapping == "global_scale" else {}
        self.scale_unit, self.scale_range = of_masses | {MOMENT_SCALE: per}, {"S": SCALE_RANGE}
        self.notes = NOTES_ON_MOMENTS
        self.derived = (*self.derived, *_DERIVED_OF_MOMENTS)

    def _moment_of(self, lepton: Lepton) -> str:
        """Return the name of the term of a lepton's moment."""
        return f"moment.{lepton}" if self.convention == "physical" else f"g.{lepton}"

    def predict(self, beta: Array, w: Array, **triples: Array) -> Mapping[str, Array]:
        """Energies, or masses in MeV for `electron_anchor`, and moments: shape (n, 1) for each lepton."""
        vacuum, of_all = self._vacuum(beta.T, w.T), tuple(_rows(triples))
        energy = energy_parts(vacuum, *of_all).total
        scaled = energy if self.mapping == "global_scale" else energy * self._anchor(energy)
        predicted = {str(lepton): scaled[i : i + 1].T for i, lepton in enumerate(LEPTONS)}
        if self.moment != "none":
            moments = magnetic_moment(self.moment, vacuum.w, *of_all)
            moments = moments if self.convention == "physical" else moments / energy
            predicted |= {self._moment_of(lepton): moments[i : i + 1].T for i, lepton in enumerate(LEPTONS)}
        return predicted

    def jacobian(self, beta: Array, w: Array, **triples: Array) -> Jacobian:
        """Differentiate `predict` by the leptons' own parameters; those by β and w are left to differences."""
        vacuum, of_all = self._vacuum(beta.T, w.T), tuple(_rows(triples))
        own = energy_derivatives(vacuum, *of_all)
        if self.mapping == "global_scale":
            result = {str(lepton): self._of_lepton(i, own) for i, lepton in enumerate(LEPTONS)}
        else:
            energy = energy_parts(vacuum, *of_all).total
            result = {str(lepton): self._anchored(i, own, energy) for i, lepton in enumerate(LEPTONS)}
        if self.moment != "none":
            of_moments: tuple[Array, ...] = moment_derivatives(self.moment, vacuum.w, *of_all)
            if self.convention == "authors":
                energy = energy_parts(vacuum, *of_all).total
                ratio = magnetic_moment(self.moment, vacuum.w, *of_all) / energy
                pairs = zip(of_moments, own, strict=True)
                of_moments = tuple((moved - ratio * lifted) / energy for moved, lifted in pairs)
            result |= {self._moment_of(lepton): self._of_lepton(i, of_moments) for i, lepton in enumerate(LEPTONS)}
        return result

    def ranges(self, beta: Array | None = None, w: Array | None = None, **others: Array) -> Ranges | None:
        """Enclose the energies, and the moments, where β and w are held, and nothing else is.

        For `electron_anchor` as well, with the electron's mass matched exactly, where there are no moments. Both of a
        lepton are given together for the uniformly charged ball; for other moments they are enclosed one by one.
        """
        # The anchor ties all masses to the electron's parameters, on which its moment depends as well.
        is_tied = self.mapping != "global_scale" and self.moment != "none"
        if beta is None or w is None or others or is_tied:
            return None
        vacuum = self._vacuum(beta, w)
        energies = energy_ranges(vacuum, *self._box)
        lower, upper = ({str(lepton): e[:, i : i + 1] for i, lepton in enumerate(LEPTONS)} for e in energies)
        if self.mapping != "global_scale":
            return Ranges(lower, upper, exact="electron")
        if self.moment == "none":
            return Ranges(lower, upper)
        moments = moment_ranges(self.moment, w, *self._box)
        if self.convention == "authors":
            moments = quotient(moments, energies)
        for side, of_moments in ((lower, moments[0]), (upper, moments[1])):
            side |= {self._moment_of(lepton): of_moments[:, i : i + 1] for i, lepton in enumerate(LEPTONS)}
        return Ranges(lower, upper, together=tuple(self._together(vacuum, energies)))

    def _together(self, vacuum: Vacuum, energies: tuple[Array, Array]) -> Iterator[Together]:
        """Follow energy and moment of each lepton along its moment, where that is known; moment over energy along E."""
        if self.moment != "uniform" or not (self._box[0][1] > 0).all():
            return
        for i, lepton in enumerate(LEPTONS):
            of_lepton = ByMoment(vacuum, self._box[0][:, i], self._box[1][:, i])
            of_energy = (energies[0][:, i], energies[1][:, i]) if self.convention == "authors" else None
            yield of_lepton.together((lepton, self._moment_of(lepton)), of_energy)

    def derive(self, scales: Mapping[str, Array], beta: Array, w: Array, **triples: Array) -> Mapping[str, Array]:
        """Report the energies and their parts, m/E, E_circ/U², ratios and, with moments, radius of every lepton."""
        vacuum, (R_c, U, A) = self._vacuum(beta.T, w.T), _rows(triples)
        parts = energy_parts(vacuum, R_c, U, A)
        further = {} if self.mapping == "global_scale" else {"S_opt": self._anchor(parts.total)}
        if self.moment != "none":
            further |= {
                "magnetic_moment": magnetic_moment(self.moment, vacuum.w, R_c, U, A).T,
                "R_rms": rms_radius(vacuum.w, R_c).T,
            }
        return {
            "energy_total": parts.total.T,
            "energy_circulation": parts.circulation.T,
            "energy_stabilization": parts.stabilization.T,
            "energy_gradient": parts.gradient.T,
            "scale_per_lepton": (self._masses[:, None] / parts.total).T,
            "circulation_prefactor": circulation_prefactor(vacuum, R_c, A).T,
            "energy_ratio": (parts.total / parts.total[-1]).T,
            "mass_ratio": np.broadcast_to(self._masses / self._masses[-1], (len(beta), len(LEPTONS))),
            "layer_over_core": (vacuum.w / R_c).T,
            **further,
        }

    def check(self, beta: Array, w: Array, **triples: Array) -> Iterator[tuple[str, str]]:
        """Refuse β < 0, w ≤ 0, numbers too small or too large, and a vortex that reaches the edge of the domain."""
        for symbol, values in triples.items():
            if message := outside_physics(symbol, (float(values.min()), float(values.max())), self.r_max):
                yield symbol, f"reaches {message}"
        if beta.max() > LARGEST:
            yield "beta", f"reaches {beta.max():g}; a stiffness is at most {LARGEST:g}"
        if beta.min() < 0:
            yield "beta", f"reaches {beta.min():g}; a stiffness is zero or positive"
        if w.min() < SMALLEST:
            yield "w", f"reaches {w.min():g}; a thickness is positive, at least {SMALLEST:g}"
        widest = max(float(values.max()) for name, values in triples.items() if name.endswith(".R_c"))
        if (outer := widest + w.max()) >= self.r_max:
            yield (
                "w",
                f"reaches {w.max():g}: with R_c up to {widest:g} the outer radius R_c + w = {outer:g} "
                f"is not below r_max = {self.r_max:g}",
            )

    def _vacuum(self, beta: Array, w: Array) -> Vacuum:
        """Return what all leptons share."""
        return Vacuum(beta, w, self._lambda_over_beta * beta, self.r_max, self.frame)

    def _anchor(self, energy: Array) -> Array:
        """Scale m_e/E_e, shape (n_rows,), for energies of shape (3, n_rows)."""
        anchor: Array = self._masses[0] / energy[0]
        return anchor

    def _of_lepton(self, i: int, derivatives: tuple[Array, ...]) -> dict[str, Array | float]:
        """Return the derivatives of one prediction by all triples: those of other leptons are zero."""
        own = zip(_TRIPLES[i], derivatives, strict=True)
        return _ZEROS | {name: derivative[i : i + 1].T for name, derivative in own}

    def _anchored(self, i: int, derivatives: tuple[Array, ...], energy: Array) -> dict[str, Array | float]:
        """Return the derivatives of m_e E/E_e: that of the electron itself is constant."""
        anchor, of_own = self._anchor(energy)[:, None], self._of_lepton(i, derivatives)
        result = {n: d * anchor if isinstance(d, np.ndarray) else 0.0 for n, d in of_own.items()}
        for name, derivative in zip(_TRIPLES[0], derivatives, strict=True):
            of_anchor = -anchor * energy[i : i + 1].T / energy[:1].T * derivative[:1].T
            result[name] = of_anchor if i else 0.0
        return result


def _rows(triples: Mapping[str, Array]) -> Iterator[Array]:
    """R_c, U, A of the three leptons, each of shape (3, n): every operation runs along rows."""
    for names in zip(*_TRIPLES, strict=True):
        yield np.concatenate([triples[name].T for name in names])
