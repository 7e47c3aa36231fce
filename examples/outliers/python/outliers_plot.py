"""The picture of a series with its outliers marked, as a PNG.

Only matplotlib's object-oriented interface is used, with the Agg canvas: no window, no display, and
nothing of pyplot's global state, so any thread may draw.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter
from numpy.typing import ArrayLike, NDArray

_LINE, _MEAN, _OUTLIER = "#4c6a8a", "#30373d", "#c8321e"
_MAX_POINTS = 20_000  # more than ten a pixel; past that the line is drawn from its extremes
_MAX_NAMES = 16  # outliers that get their label written beside them


def plot(
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    indices: NDArray[np.int64],
    names: Sequence[str],
    *,
    mean: float,
    std: float,
    threshold: float,
    title: str,
    x_name: str,
    y_name: str,
    ticks: Sequence[str] = (),
) -> bytes:
    """Draw ``values`` over ``x`` (ascending) and return the PNG.

    ``indices`` are the outliers and ``names`` their labels, one each. ``ticks`` are the labels of all rows,
    for labels that are no numbers; ``x`` then counts the rows from 1.
    """
    figure = Figure(figsize=(10, 5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(_plain(title), loc="left", fontsize=11)
    axes.set_xlabel(_plain(x_name))
    axes.set_ylabel(_plain(y_name))

    # A band far wider than the values would make a flat line of them: it ends at the frame.
    lowest, highest = float(values.min()), float(values.max())
    room = (highest - lowest) / 2
    low, high = max(mean - threshold * std, lowest - room), min(mean + threshold * std, highest + room)
    axes.axhspan(low, high, color=_LINE, alpha=0.12, linewidth=0, label=f"mean ± {threshold:g} std", zorder=1)
    axes.axhline(mean, color=_MEAN, linewidth=1.0, linestyle="--", label=f"mean {mean:.4g}", zorder=3)
    line_x, line_y = _thinned(x, values)
    few = "." if values.size <= 60 else ""  # a line through one point is not seen
    axes.plot(line_x, line_y, color=_LINE, linewidth=1.0, marker=few, zorder=2)
    if indices.size:
        axes.plot(
            x[indices],
            values[indices],
            linestyle="none",
            marker="o",
            markersize=5 if indices.size <= 200 else 2.5,
            color=_OUTLIER,
            label=f"outliers: {indices.size:,} of {values.size:,}",
            zorder=4,
        )

    _set_ticks(axes, x, ticks)
    axes.margins(x=0.01, y=0.1)  # room for the names beside the outliers
    if room > 0:
        bottom, top = axes.get_ylim()
        axes.set_ylim(max(bottom, lowest - room), min(top, highest + room))
    axes.spines["top"].set_visible(False)
    if std > 0:
        _add_std_axis(axes, mean, std)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    figure.draw_without_rendering()  # fixes the layout, which decides where names collide
    line, marks = np.column_stack([line_x, line_y]), np.column_stack([x[indices], values[indices]])
    _name_outliers(axes, line, marks, names, mean)

    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _plain(text: str) -> str:
    """Return text in which matplotlib sees no formula."""
    return text.replace("$", r"\$")


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return at most _MAX_POINTS of the points: of a long series the lowest and highest of each stretch."""
    if y.size <= _MAX_POINTS:
        return x, y
    stretch = -(-y.size // (_MAX_POINTS // 2))
    whole = y.size // stretch * stretch
    rows = y[:whole].reshape(-1, stretch)
    first = np.arange(0, whole, stretch)
    kept = np.concatenate([first + rows.argmin(axis=1), first + rows.argmax(axis=1), np.arange(whole, y.size)])
    kept = np.unique(kept)
    return x[kept], y[kept]


def _set_ticks(axes: Axes, x: NDArray[np.float64], ticks: Sequence[str]) -> None:
    if ticks:

        def label(position: float, _: object) -> str:
            row = round(position) - 1
            return _plain(ticks[row]) if 0 <= row < len(ticks) else ""

        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(label))
        return
    plain = ScalarFormatter(useOffset=False)  # years and row numbers stay as they are
    plain.set_powerlimits((-4, 9))
    axes.xaxis.set_major_formatter(plain)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=bool((x == np.floor(x)).all())))


def _add_std_axis(axes: Axes, mean: float, std: float) -> None:
    def to_std(y: ArrayLike) -> NDArray[np.float64]:
        return (np.asarray(y) - mean) / std

    def from_std(distance: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(distance) * std + mean

    right = axes.secondary_yaxis("right", functions=(to_std, from_std))
    right.set_ylabel("distance from the mean (std)")
    right.spines["right"].set_visible(False)


def _name_outliers(
    axes: Axes,
    line: NDArray[np.float64],
    marks: NDArray[np.float64],
    names: Sequence[str],
    mean: float,
) -> None:
    """Write the labels of the farthest outliers beside their marks, where they cover nothing.

    ``line`` and ``marks`` are points (x, y), a row each.
    """
    line_x, line_y = axes.transData.transform(line).T
    marks_x, marks_y = pixels = axes.transData.transform(marks).T
    height, gap = 24.0, 12.0  # of 8 pt type at 150 dpi, in pixels
    taken: list[tuple[float, float, float, float]] = []
    for i in np.argsort(-np.abs(marks[:, 1] - mean), kind="stable"):
        if len(taken) == _MAX_NAMES:
            return
        name = names[i] if len(names[i]) <= 24 else names[i][:23] + "…"
        above = bool(marks[i, 1] >= mean)
        px, py = pixels[:, i]
        half = 5.5 * len(name) + 2
        left, right = px - half, px + half
        low = py + gap if above else py - gap - height
        high = low + height

        # The line is looked at once a pixel; between two looks it covers all heights from one to the other.
        seen = np.interp(np.arange(left, right), line_x, line_y)
        crossed = (np.minimum(seen[1:], seen[:-1]) < high) & (np.maximum(seen[1:], seen[:-1]) > low)
        marked = (marks_x > left) & (marks_x < right) & (marks_y > low) & (marks_y < high)
        other = any(left < box[1] and right > box[0] and low < box[3] and high > box[2] for box in taken)
        if crossed.any() or marked.any() or other:
            continue
        taken.append((left, right, low, high))
        axes.annotate(
            _plain(name),
            (marks[i, 0], marks[i, 1]),
            xytext=(0, 6 if above else -6),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=8,
            color=_OUTLIER,
            zorder=5,
        )
