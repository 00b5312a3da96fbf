"""Contours of two coordinates: lines at which Δχ² equals a level with all others free, found by fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.answer.coordinates import Frame
from hpcscan.answer.cubics import TOLERANCE, Arcs, Brackets, crossings
from hpcscan.answer.held_fits import SAME_PLACE, Asked, Fits, Library, Search
from hpcscan.answer.mesh import Mesh
from hpcscan.arrays import Array

#: An arc is good when its middle is so near the level in Δχ², and it turns by no more than this.
MIDDLE, MOST_TURN = 0.01, 1.4
#: Times that arcs are halved, steps that bring a middle to the level, and times that cells are divided.
MOST_HALVINGS, MOST_STEPS, MOST_DIVISIONS = 6, 6, 3
#: A step stops when its end is so near the level.
NEAR = 10 * TOLERANCE


@dataclass(frozen=True)
class ContourLine:
    """One line.

    Attributes
    ----------
    level : float
        Of Δχ².
    vertices : array, shape (n, 2)
        Of the line as it is drawn; the first one again where it is closed.
    ends : (str, str)
        Why an open line ends: "grid", "bound" or "hole"; empty where it is closed.
    error : float
        Largest |Δχ² − level| at the middles of its arcs.
    is_resolved : bool
        Whether every arc of it is good.
    """

    level: float
    vertices: Array
    is_closed: bool
    ends: tuple[str, str]
    error: float
    is_resolved: bool


@dataclass
class _Segment:
    """A piece of a line between two vertices, by their rows, in a cell."""

    p: int
    q: int
    level: float
    cell: tuple[int, int]
    error: float = np.inf
    is_good: bool = False


def contours(
    frame: Frame, library: Library, pair: tuple[int, int], levels: Sequence[float], covariances: Array
) -> Search[list[ContourLine]]:
    """Find all lines of all levels.

    Parameters
    ----------
    covariances : array, shape (n_minima, n_coordinates, n_coordinates)
        At each of the library's minima; NaN where there is none.
    """
    # Fit on a mesh first: its edges show where lines go.
    mesh = Mesh(frame, library, pair, levels)
    yield from mesh.prepared()
    # Then follow the lines, and divide cells in which some arc does not come out on the level.
    tracer = _Tracer(mesh, _whitenings(frame, mesh, pair, covariances))
    segments = yield from tracer.traced()
    for _ in range(MOST_DIVISIONS):
        bad = {segment.cell for segment in segments if not segment.is_good}
        if not bad or not mesh.add(_halved(mesh, bad)):
            break
        yield from mesh.filled()
        yield from mesh.looked_at()
        segments = yield from tracer.traced()
    return tracer.joined(segments)


def _halved(mesh: Mesh, cells: set[tuple[int, int]]) -> list[tuple[float | None, float | None]]:
    middles = [(line[:-1] + line[1:]) / 2 for line in mesh.lines]
    return [(float(middles[0][a]), float(middles[1][b])) for a, b in sorted(cells)]


def _whitenings(frame: Frame, mesh: Mesh, pair: tuple[int, int], covariances: Array) -> Array:
    """Return W for which |W d| = 1 one standard deviation away, in units of the widths: (n_minima, 2, 2)."""
    width = frame.width[list(pair)]
    cells = [float(np.diff(line).mean()) for line in mesh.lines]
    # Without a covariance a cell of the mesh stands for one standard deviation.
    plain = np.diag(width / cells)
    result = []
    for matrix in covariances:
        block = matrix[np.ix_(pair, pair)] / width / width[:, None]
        is_sound = np.isfinite(block).all() and np.linalg.eigvalsh(block)[0] > 1e-14 * np.trace(block)
        result.append(np.linalg.inv(np.linalg.cholesky(block)) if is_sound else plain)
    return np.array(result)


class _Tracer:
    """Finds vertices on the edges of a mesh and joins them by arcs."""

    def __init__(self, mesh: Mesh, whitenings: Array) -> None:
        self.mesh, self.pair, self._whitenings = mesh, mesh.pair, whitenings
        self._frame, self._library = mesh.frame, mesh.library
        self._width = self._frame.width[list(self.pair)]
        self._minima = self._library.minima.z[:, self.pair] / self._width
        self._vertices: list[Fits] = []
        self._known: dict[tuple[float, int, float], list[tuple[float, int]]] = {}

    @property
    def vertices(self) -> Fits:
        """All vertices so far."""
        if len(self._vertices) > 1:
            self._vertices = [Fits.joined(self._vertices)]
        return self._vertices[0]

    def traced(self) -> Search[list[_Segment]]:
        """Find the crossings of all edges, join them within cells, and refine the arcs."""
        edges = yield from self._edges()
        segments = yield from self._within_cells(edges)
        return (yield from self._refined(segments))

    def _edges(self) -> Search[dict[tuple[float, int, int, int], int]]:
        """Return the vertex on every edge that a level crosses, by level, axis and place of its first node."""
        mesh, delta = self.mesh, self.mesh.delta
        found: dict[tuple[float, int, int, int], int] = {}
        jobs: list[tuple[float, int, int, int]] = []
        for level in mesh.levels.tolist():
            for axis in (0, 1):
                values = np.moveaxis(delta, axis, 0)
                # A hole has no side: edges at it are not crossed, and lines end there.
                is_crossed = (values[:-1] < level) != (values[1:] < level)
                is_crossed &= np.isfinite(values[:-1]) & np.isfinite(values[1:])
                for a, b in np.argwhere(is_crossed).tolist():
                    edge = (level, axis, a, b) if axis == 0 else (level, axis, b, a)
                    vertex = self._already(level, axis, a, b)
                    if vertex is None:
                        jobs.append(edge)
                    else:
                        found[edge] = vertex
        if jobs:
            found |= yield from self._crossed(jobs)
        return found

    def _already(self, level: float, axis: int, a: int, b: int) -> int | None:
        """Find a vertex that an earlier, coarser mesh had on this edge."""
        low, high = self.mesh.lines[axis][a], self.mesh.lines[axis][a + 1]
        across = float(self.mesh.lines[1 - axis][b])
        return next((row for at, row in self._known.get((level, axis, across), []) if low <= at <= high), None)

    def _crossed(self, jobs: Sequence[tuple[float, int, int, int]]) -> Search[dict[tuple[float, int, int, int], int]]:
        mesh, fits, m = self.mesh, self.mesh.fits, self.mesh.shape[1]
        axis = np.array([edge[1] for edge in jobs])
        # Fits stand in C order: the neighbour along the first axis is m rows on.
        low = np.array([a * m + b for _, _, a, b in jobs])
        high = low + np.where(axis == 0, m, 1)
        target = self._library.base + np.array([edge[0] for edge in jobs])
        brackets = Brackets(np.array(self.pair)[axis], fits.take(low), fits.take(high), target)
        roots = (yield from crossings(self.pair, brackets, self._frame.width)).fits
        first = self._keep(roots)
        for row, (level, of_axis, a, b) in enumerate(jobs):
            across = float(mesh.lines[1 - of_axis][(b, a)[of_axis]])
            at = float(roots.z[row, self.pair[of_axis]])
            self._known.setdefault((level, of_axis, across), []).append((at, first + row))
        return {edge: first + row for row, edge in enumerate(jobs)}

    def _keep(self, fits: Fits) -> int:
        first = sum(map(len, self._vertices))
        self._vertices.append(fits)
        return first

    def _within_cells(self, edges: dict[tuple[float, int, int, int], int]) -> Search[list[_Segment]]:
        """Join the vertices of every cell; where there are four, its centre decides which belong together."""
        segments, saddles = [], []
        for level in self.mesh.levels.tolist():
            for a, b in np.ndindex(self.mesh.shape[0] - 1, self.mesh.shape[1] - 1):
                # The four edges of the cell, in turn around it.
                around = ((level, 0, a, b), (level, 1, a + 1, b), (level, 0, a, b + 1), (level, 1, a, b))
                v = [edges[edge] for edge in around if edge in edges]
                # Two crossings are one line through the cell; four are two lines, or a saddle.
                if len(v) == 2:
                    segments.append(_Segment(v[0], v[1], level, (a, b)))
                elif len(v) == 4:
                    saddles.append((level, (a, b), v))
        if saddles:
            centres = yield from self.mesh.centres([cell for _, cell, _ in saddles])
            delta = self.mesh.delta
            for (level, cell, v), chi2 in zip(saddles, centres.chi2, strict=True):
                # The centre belongs to one pair of opposite corners: lines cut off the two other corners.
                is_like_first = (chi2 - self._library.base < level) == (delta[cell] < level)
                pairs = ((v[0], v[1]), (v[2], v[3])) if is_like_first else ((v[3], v[0]), (v[1], v[2]))
                segments += [_Segment(p, q, level, cell) for p, q in pairs]
        return segments

    def _arcs(self, segments: Sequence[_Segment]) -> Arcs:
        """Make the arcs of segments."""
        v = self.vertices
        p, q = (v.take([getattr(s, end) for s in segments]) for end in ("p", "q"))
        at_p, at_q = (fits.z[:, self.pair] / self._width for fits in (p, q))
        slope_p, slope_q = (fits.gradient[:, self.pair] * self._width for fits in (p, q))
        return Arcs.between((at_p, at_q), (slope_p, slope_q), self._metric((at_p + at_q) / 2))

    def _metric(self, places: Array) -> Array:
        """Return the whitening of the nearest minimum, shape (n, 2, 2)."""
        apart = ((places[:, None] - self._minima) ** 2).sum(axis=2)
        return np.asarray(self._whitenings[apart.argmin(axis=1)])

    def _refined(self, segments: list[_Segment]) -> Search[list[_Segment]]:
        """Halve arcs until their middles are on the level."""
        done: list[_Segment] = []
        for _ in range(MOST_HALVINGS):
            if not segments:
                break
            arcs, v = self._arcs(segments), self.vertices
            p, q = (v.take([getattr(s, end) for s in segments]) for end in ("p", "q"))
            middle = yield self._asked(arcs.at(0.5), (p.z + q.z) / 2)
            # An arc is judged by a fit at its middle, where a cubic is furthest from what it was made of.
            rest = middle.chi2 - self._library.base - np.array([s.level for s in segments])
            for segment, off, turn in zip(segments, np.abs(rest), arcs.turn, strict=True):
                segment.error, segment.is_good = float(off), bool(off <= MIDDLE and turn < MOST_TURN)
            done += [s for s in segments if s.is_good]
            bad = [n for n, s in enumerate(segments) if not s.is_good]
            segments = yield from self._divided([segments[n] for n in bad], middle.take(bad), arcs, bad, done)
        return done + segments

    def _divided(
        self, segments: list[_Segment], middle: Fits, arcs: Arcs, rows: list[int], done: list[_Segment]
    ) -> Search[list[_Segment]]:
        """Bring the middles to the level and give both halves; segments that cannot be divided are done as they are."""
        if not segments:
            return []
        longest = np.abs(arcs.q - arcs.p).max(axis=1)[rows]
        levels = np.array([s.level for s in segments])
        fits = yield from self._brought_to_level(middle, levels, np.maximum(longest, 1e-6))
        first, halves = self._keep(fits), []
        rest = np.abs(fits.chi2 - self._library.base - levels)
        for n, segment in enumerate(segments):
            if rest[n] <= NEAR:
                ends = ((segment.p, first + n), (first + n, segment.q))
                halves += [_Segment(p, q, segment.level, segment.cell) for p, q in ends]
            else:
                done.append(segment)
        return halves

    def _brought_to_level(self, fits: Fits, levels: Array, longest: Array) -> Search[Fits]:
        """Step along C grad, which in units of the errors is the gradient, until χ² is at its level."""
        fits = fits.take(np.arange(len(fits)))
        for _ in range(MOST_STEPS):
            rest = fits.chi2 - self._library.base - levels
            slope = fits.gradient[:, self.pair] * self._width
            go = np.flatnonzero((np.abs(rest) > TOLERANCE) & np.isfinite(rest) & (slope**2).sum(axis=1).astype(bool))
            if not len(go):
                break
            places = fits.z[go][:, self.pair] / self._width
            # Newton along C g: in units of the errors that is the gradient, the shortest way to the level.
            back = np.linalg.inv(self._metric(places))
            direction = np.einsum("nij,nkj,nk->ni", back, back, slope[go])
            step = -(rest[go] / (direction * slope[go]).sum(axis=1))[:, None] * direction
            size = np.abs(step).max(axis=1)
            # A step is no longer than the arc, so that it cannot reach another line.
            step *= np.minimum(1.0, longest[go] / np.where(size > 0, size, 1.0))[:, None]
            fits.put(go, (yield self._asked(places + step, fits.z[go])))
        return fits

    def _asked(self, places: Array, starts: Array) -> Asked:
        """Ask for fits at places in units of the widths, inside the ends."""
        pair = list(self.pair)
        starts = starts.copy()
        starts[:, pair] = np.clip(places * self._width, self._frame.lower[pair], self._frame.upper[pair])
        return Asked(self.pair, starts[:, None])

    def joined(self, segments: Sequence[_Segment]) -> list[ContourLine]:
        """Join segments to lines, the open ones first."""
        lines = []
        for level in self.mesh.levels.tolist():
            own = [s for s in segments if s.level == level]
            lines += [self._line(level, chain) for chain in _chains(own)]
        return lines

    def _line(self, level: float, chain: list[tuple[_Segment, bool]]) -> ContourLine:
        """Draw one chain of segments; each may be walked backwards."""
        # All segments are brought into the direction of the walk.
        turned = [_Segment(s.q, s.p, level, s.cell) if is_back else s for s, is_back in chain]
        drawn = self._arcs(turned).drawn().reshape(-1, 2) * self._width
        is_closed = turned[0].p == turned[-1].q
        last = drawn[0] if is_closed else self.vertices.z[turned[-1].q][list(self.pair)]
        ends = ("", "") if is_closed else (self._why(turned[0].p), self._why(turned[-1].q))
        pair = list(self.pair)
        vertices = np.clip(np.vstack([drawn, last]), self._frame.lower[pair], self._frame.upper[pair])
        error, is_resolved = max(s.error for s, _ in chain), all(s.is_good for s, _ in chain)
        return ContourLine(level, vertices, is_closed, ends, error, is_resolved)

    def _why(self, vertex: int) -> str:
        """Describe why a line ends at a vertex."""
        z = self.vertices.z[vertex]
        for k in self.pair:
            about = self._frame.coordinates[k]
            for end, kind in ((about.lower, about.lower_end), (about.upper, about.upper_end)):
                if abs(z[k] - end) <= SAME_PLACE * about.width:
                    return kind
        return "hole"


def _chains(segments: Sequence[_Segment]) -> list[list[tuple[_Segment, bool]]]:
    """Put segments one after another: lists of (segment, whether it is walked from q to p)."""
    at: dict[int, list[int]] = {}
    for number, segment in enumerate(segments):
        for vertex in (segment.p, segment.q):
            at.setdefault(vertex, []).append(number)
    left, chains = set(range(len(segments))), []
    # Lines that end somewhere begin there.
    for vertex in sorted(at, key=lambda v: (len(at[v]) != 1, v)):
        while begin := [n for n in at[vertex] if n in left]:
            chain, here, number = [], vertex, begin[0]
            while True:
                left.discard(number)
                is_back = segments[number].p != here
                chain.append((segments[number], is_back))
                here = segments[number].p if is_back else segments[number].q
                following = [n for n in at[here] if n in left]
                if not following:
                    break
                number = following[0]
            chains.append(chain)
    return chains
