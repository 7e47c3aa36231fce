"""Draws bench.json: plot.py FILE FOLDER writes latency.png, overhead.png, throughput.png, hog.png and cold_start.png."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

# Of Okabe and Ito: they differ for the colour-blind, too. What is ours is always the same one.
BLACK, GREY, ORANGE, SKY, GREEN, BLUE, RED, PINK = (
    "#000000",
    "#8c8c8c",
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)
OURS = RED

Report = dict[str, Any]


def colour(name: str) -> str:
    """Return the colour of a contestant, by what it is."""
    for start, its in {
        "gophersnake": OURS,
        "C floor": BLACK,
        "Python loop": GREY,
        "python -c": GREY,
        "gRPC": BLUE,
        "HTTP": GREEN,
        "raw bytes": ORANGE,
        "unix socket": ORANGE,
        "pipe": ORANGE,
        "shared memory": PINK,
    }.items():
        if name.startswith(start):
            return its
    return BLACK


def duration(microseconds: float) -> str:
    """Write a time with the unit that suits it."""
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1.0), ("ns", 1e-3)):
        if microseconds >= size * 0.9995 or unit == "ns":
            return f"{microseconds / size:.3g} {unit}"
    raise AssertionError


def number(x: float) -> str:
    """Write a number with three digits that count, and not in the form 1e+03."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def plain(axes: Axes) -> None:
    """Remove what is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)


def label_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names beside the ends of lines (x, y, text, colour), where they do not touch each other."""
    axes.figure.canvas.draw()
    points = 72 / axes.figure.dpi
    last = float("-inf")
    for x, y, text, its in sorted(ends, key=lambda end: end[1]):
        up = axes.transData.transform((x, y))[1] * points
        last = max(up, last + 12.5)
        axes.annotate(
            text,
            (x, y),
            xytext=(16, last - up),
            textcoords="offset points",
            color=its,
            va="center",
            arrowprops={"arrowstyle": "-", "color": its, "lw": 0.6, "shrinkA": 1, "shrinkB": 3},
        )


def latency(report: Report) -> Figure:
    """Draw the time of `detect` by the length of the array."""
    shown = {
        "C floor": "C floor",
        "gophersnake, Bind": "gophersnake",
        "shared memory and a pipe": "shared memory and a pipe",
        "shared memory, both sides spin": "shared memory, spinning",
        "raw bytes, unix socket": "raw bytes, unix socket",
        "raw bytes, pipe": "raw bytes, pipe",
        "HTTP, JSON, TCP": "HTTP, JSON",
        "gRPC, raw bytes, unix socket": "gRPC, raw bytes",
        "gRPC, packed doubles, unix socket": "gRPC, packed doubles",
        "gRPC, a message per value, TCP": "gRPC, a message per value",
    }
    styles = {
        "shared memory, spinning": ":",
        "gRPC, raw bytes": ":",
        "gRPC, packed doubles": "--",
        "raw bytes, pipe": "--",
        "C floor": "--",
    }
    figure, axes = plt.subplots(figsize=(10, 6), layout="constrained")
    ends = []
    for by, name in shown.items():
        rows = sorted(
            (row["n"], row["ns"] / 1000) for row in report["rows"] if row.get("job") == "detect" and row["by"] == by
        )
        n, us = zip(*rows, strict=True)
        ours = name == "gophersnake"
        axes.plot(
            n,
            us,
            styles.get(name, "-"),
            color=colour(by),
            lw=3 if ours else 1.6,
            marker="o",
            ms=6 if ours else 4,
            zorder=3 if name == "C floor" else 2,
        )
        ends.append((n[-1], us[-1], name, colour(by)))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("float64 values in the array")
    axes.set_title(
        "One call of detect (outliers of an array in NumPy), median time, by the length of the array", loc="left"
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: duration(y)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(color="#e5e5e5")
    plain(axes)
    label_ends(axes, ends)
    return figure


def bars(axes: Axes, names: list[str], values: list[float], texts: list[str], colours: list[str]) -> None:
    """Draw horizontal bars from the first name at the top, each with a text at its end."""
    places = range(len(names))
    axes.barh(places, values, color=colours, height=0.7)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    for place, value, text in zip(places, values, texts, strict=True):
        axes.annotate(text, (value, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
    plain(axes)
    axes.spines["bottom"].set_visible(False)


def overhead(report: Report) -> Figure:
    """Draw what a call costs that does nothing."""
    rows = sorted(
        (row for row in report["rows"] if row.get("job") == "noop" and row.get("by")), key=lambda row: row["ns"]
    )
    figure, axes = plt.subplots(figsize=(10, 0.42 * len(rows) + 1.4), layout="constrained")
    us = [row["ns"] / 1000 for row in rows]
    names = [row["by"] for row in rows]
    texts = [
        duration(time) + (f", {number(row['vs_bind'])} × gophersnake" if row["vs_bind"] > 2 else "")
        for time, row in zip(us, rows, strict=True)
    ]
    bars(axes, names, us, texts, [colour(name) for name in names])
    axes.set_xscale("log")
    axes.set_xlim(min(us) / 2, max(us) * 25)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: duration(x)))
    axes.grid(axis="x", color="#e5e5e5")
    axes.set_title("A call that does nothing, median time (logarithmic)", loc="left")
    return figure


def throughput(report: Report) -> Figure:
    """Draw calls per second and the times of calls by the number of goroutines."""
    loads: dict[str, list[Any]] = {}
    for load in report["loads"]:
        if not load.get("pause_ms"):
            loads.setdefault(load["name"], []).append(load)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    colours = dict(zip(loads, (GREY, ORANGE, OURS, GREEN, BLUE), strict=False))
    ends: tuple[list[tuple[float, float, str, str]], ...] = ([], [])
    for name, rows in loads.items():
        goroutines = [row["goroutines"] for row in rows]
        label = name.replace("`", "").replace(", 1,000", "").split(", packed")[0].replace(", over", " over")
        left.plot(goroutines, [row["vs_one"] for row in rows], color=colours[name], marker="o", ms=5, lw=2)
        ends[0].append((goroutines[-1], rows[-1]["vs_one"], label, colours[name]))
        right.plot(goroutines, [row["p99_us"] for row in rows], color=colours[name], marker="o", ms=5, lw=2)
        right.plot(goroutines, [row["p50_us"] for row in rows], ":", color=colours[name], lw=1.4)
        ends[1].append((goroutines[-1], rows[-1]["p99_us"], label, colours[name]))
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("goroutines that call at once")
        axes.set_xticks(goroutines, [f"{count:,}" for count in goroutines])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(color="#e5e5e5")
        plain(axes)
    left.set_ylim(bottom=0)
    left.set_title("Calls per second, as a multiple of one goroutine's", loc="left")
    right.set_yscale("log")
    right.yaxis.set_major_formatter(FuncFormatter(lambda y, _: duration(y)))
    right.yaxis.set_minor_locator(NullLocator())
    right.set_title("Time of a call, waiting included: p99 (dotted: median)", loc="left")
    label_ends(left, ends[0])
    label_ends(right, ends[1])
    return figure


def hog(report: Report) -> Figure:
    """Draw the times of calls beside a thread that runs Python all the time, by the switch interval."""
    loads = [load for load in report["loads"] if load.get("pause_ms")]
    names = list(dict.fromkeys(load["name"] for load in loads))
    intervals = sorted({load.get("hog_ms", 0) for load in loads} - {0}, reverse=True)
    figure, all_axes = plt.subplots(1, len(names), figsize=(12, 4.6), layout="constrained", sharey=True)
    for axes, name in zip(all_axes, names, strict=True):
        ends = []
        for interval, its in zip([0, *intervals], (GREY, RED, ORANGE, BLUE), strict=True):
            rows = [row for row in loads if row["name"] == name and row.get("hog_ms", 0) == interval]
            goroutines = [row["goroutines"] for row in rows]
            axes.plot(goroutines, [row["p99_us"] for row in rows], color=its, marker="o", ms=5, lw=2)
            axes.plot(goroutines, [row["p50_us"] for row in rows], ":", color=its, lw=1.4)
            label = f"hog, {interval:g} ms" if interval else "no hog"
            ends.append((goroutines[-1], rows[-1]["p99_us"], label, its))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("goroutines that call at once")
        axes.set_xticks(goroutines, [f"{count:,}" for count in goroutines])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: duration(y)))
        axes.grid(color="#e5e5e5")
        plain(axes)
        axes.set_title(f"{name}", loc="left", fontsize=10)
        label_ends(axes, ends)
    figure.suptitle(
        "Time of a call beside a thread that runs Python all the time, by the switch interval: p99 (dotted: median)",
        fontsize=12,
    )
    return figure


def cold_start(report: Report) -> Figure:
    """Draw the times until the first result, and the memory then."""
    rows = sorted(report["cold_starts"], key=lambda row: row["ms"])
    names = [row["name"] for row in rows]
    colours = [colour(name) for name in names]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 0.42 * len(rows) + 1.2), layout="constrained", sharey=True)
    bars(left, names, [row["ms"] for row in rows], [duration(1000 * row["ms"]) for row in rows], colours)
    bars(right, names, [row["mib"] for row in rows], [f"{row['mib']:.0f} MiB" for row in rows], colours)
    right.invert_yaxis()  # the axis is the same one: it was turned twice
    for axes, title, values in (
        (left, "From its start to its first result", "ms"),
        (right, "Resident memory then, of all processes", "mib"),
    ):
        axes.set_xlim(0, max(row[values] for row in rows) * 1.2)
        axes.set_xticks([])
        axes.set_title(title, loc="left")
    return figure


def main() -> None:
    file, folder = map(Path, sys.argv[1:])
    report = json.loads(file.read_text())
    plt.rcParams["font.size"] = 10
    for draw in (latency, overhead, throughput, hog, cold_start):
        figure = draw(report)
        if report["quick"]:
            figure.text(
                0.5, 0.5, "a quick run: its numbers mean nothing", ha="center", color="#00000040", fontsize=20, zorder=9
            )
        machine = report["machine"]
        source = f"make bench: {machine['cpu']}, Python {machine['python'].split()[0]}, NumPy {machine['numpy']}, {machine['go']}"
        figure.supxlabel(source, fontsize=8, color="#8c8c8c", x=0.99, ha="right")
        figure.savefig(folder / f"{draw.__name__}.png", dpi=100)


if __name__ == "__main__":
    main()
