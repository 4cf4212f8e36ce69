"""The study's charts: which policy wastes how much, where, when, and what the search costs."""

from __future__ import annotations

import csv
import pathlib
from dataclasses import dataclass

from data import Study
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter
from report.canvas import SMALL, TEXT, Canvas
from report.palette import GRID, INK, MUTED, PAPER

BLUE, SKY, ORANGE, GREEN, GREY, RED = "#0072b2", "#56b4e9", "#d55e00", "#009e73", "#9a9aa2", "#cc79a7"
WIDTH, ROW = 9.6, 0.25
SHOWN_OVER_TIME = {"best-fit-address": BLUE, "first-fit": SKY, "next-fit": GREEN, "worst-fit": RED, "buddy": ORANGE, "libc": INK}


@dataclass(frozen=True)
class Chart:
    name: str  # of its files
    title: str
    reading: str
    canvas: Canvas


def colour(name: str) -> str:
    families = {"first": BLUE, "best": BLUE, "next": SKY, "worst": RED, "segregated": GREEN, "buddy": ORANGE, "bump": GREY}
    return families.get(name.split("-")[0], INK)


def percent(share: float) -> str:
    return f"{100 * share:.{0 if abs(share) >= 0.0995 else 1}f} %"


def footer(study: Study) -> str:
    machine = study.machine
    return (f"{len(study.tapes)} tapes, each replayed once for memory; textbook policies with one heap from brk, grown by 4 KiB at least. "
            f"{machine.get('libc', '')}, {machine.get('cpu_model', '')}, {machine.get('kernel', '')}")


def bars(study: Study) -> Chart:
    """Max H over max R and over the blocks' own bytes, a row an allocator; points are tapes."""
    names = [name for name in study.allocators if name != "bump" and study.of(name)]
    names.sort(key=lambda name: study.mean(name, "net", "max_over_max"))
    canvas = Canvas(WIDTH, ROW * len(names) + 0.75, "Heap over what was asked for, peak against peak",
                    "Max H / max R - 1. Bars: mean over tapes; points: single tapes. Lower is better.", footer(study))
    left = 0.35 + max(canvas.text_width(name) for name in names)
    width = (WIDTH - left - 0.5) / 2
    for i, (base, title) in enumerate((("gross", "headers counted"), ("net", "headers and rounding to 16 taken out"))):
        axes = canvas.axes(left + i * (width + 0.3), 0.45, width, ROW * len(names))
        most = max(row.shares[base]["max_over_max"] for name in names for row in study.of(name))
        right = min(most * 1.25, 1.3)
        for y, name in enumerate(names):
            shares = [row.shares[base]["max_over_max"] for row in study.of(name)]
            mean = sum(shares) / len(shares)
            axes.barh(y, mean, 0.62, color=colour(name), alpha=0.45, zorder=2)
            axes.plot(shares, [y] * len(shares), ls="", marker="o", ms=2.6, color=colour(name), zorder=3)
            lost = len(study.tapes) - len(shares)
            words = percent(mean) + (f"  ✕{lost}" if lost else "")
            at = max(*shares, mean)
            if at < 0.8 * right:
                axes.text(at + 0.015 * right, y, words, va="center", size=SMALL, color=INK)
            else:
                axes.text(0.99 * right, y, words, va="center", ha="right", size=SMALL, color=INK, zorder=4,
                          bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85})
        axes.set_xlim(min(0, *(row.shares[base]["max_over_max"] for name in names for row in study.of(name))), right)
        axes.set_yticks(range(len(names)), names if i == 0 else [""] * len(names))
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
        axes.set_title(title, loc="left", size=TEXT, color=MUTED)
    return Chart("fragmentation", "Fragmentation by policy",
                 "Left, all that the heap has above what was asked for; right, what is left when each block is counted with its header "
                 "and rounded up to 16 bytes, as if the policy had placed it perfectly. ✕n: not done in time on n tapes. Points beyond the "
                 "right edge are not drawn; bump is left out, for it is off the scale.", canvas)


def heatmap(study: Study) -> Chart:
    """Tape by policy, the net measure in each cell."""
    names = [name for name in study.allocators if study.of(name)]
    tapes = [tape["name"] for tape in study.tapes]
    canvas = Canvas(WIDTH, ROW * len(names) + 0.55, "Net fragmentation of each policy on each tape",
                    "Max H over the live blocks' own bytes at most, - 1. Dark is bad.", footer(study))
    left = 0.35 + max(canvas.text_width(name) for name in names)
    axes = canvas.axes(left, 0.35, WIDTH - left - 0.2, ROW * len(names))
    axes.set_xlim(-0.5, len(tapes) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False)
    axes.set_facecolor(PAPER)
    for y, name in enumerate(names):
        for x, tape in enumerate(tapes):
            row = study.row(tape, name)
            if row is None or not row.ok:
                axes.text(x, y, "✕" if row else "", ha="center", va="center", size=SMALL, color=MUTED)
                continue
            share = row.shares["net"]["max_over_max"]
            depth = min(max(share, 0), 1)
            axes.add_patch(Rectangle(
                (x - 0.5, y - 0.5), 1, 1, color=ORANGE, alpha=0.75 * depth**0.6, lw=0))
            axes.text(x, y, percent(share), ha="center", va="center", size=SMALL, color=INK)
    axes.set_xticks(range(len(tapes)), tapes)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    return Chart("by_tape", "Policy by tape", "One row a policy, one column a program. ✕: not done in time.", canvas)


def read_curve(path: pathlib.Path, held: str) -> tuple[list[float], list[float], list[float]]:
    with open(path) as file:
        rows = list(csv.DictReader(file))
    mib = 1 << 20
    return ([int(row["operation"]) / 1e3 for row in rows], [int(row["requested_bytes"]) / mib for row in rows],
            [int(row[held]) / mib for row in rows])


def over_time(study: Study) -> Chart:
    """H of some policies over the replay of each tape, and R."""
    columns = 3
    lines = -(-len(study.tapes) // columns)
    height, gap = 1.45, 0.55
    canvas = Canvas(WIDTH, lines * (height + gap) + 0.55, "The heap over the replay",
                    "MiB held (lines) and asked for (grey area) over thousands of operations.", footer(study))
    width = (WIDTH - 0.6 - 0.45 * (columns - 1)) / columns
    for i, tape in enumerate(study.tapes):
        line, column = divmod(i, columns)
        bottom = (lines - 1 - line) * (height + gap) + 0.75
        axes = canvas.axes(0.45 + column * (width + 0.45), bottom, width, height)
        filled = False
        for name, ink in SHOWN_OVER_TIME.items():
            row = study.row(tape["name"], name)
            path = study.folder / tape["name"] / "series" / f"{tape['name']}.{name}.csv"
            if not row or not row.ok or not path.exists():
                continue
            operations, requested, held = read_curve(path, "held_bytes" if row.held_known else "resident_bytes")
            if not filled:
                axes.fill_between(operations, requested, color=GRID, lw=0, zorder=1)
                filled = True
            axes.plot(operations, held, color=ink, lw=1.0, zorder=3)
        axes.set_title(tape["name"], loc="left", size=TEXT, color=INK, pad=3)
        axes.set_ylim(bottom=0)
        axes.margins(x=0)
    x = 0.45
    for name, ink in SHOWN_OVER_TIME.items():
        canvas.text(x, 0.12 + canvas.bottom, f"— {name}", color=ink, size=TEXT, va="bottom")
        x += canvas.text_width(f"— {name}") + 0.25
    return Chart("over_time", "Heaps over time",
                 "The nearer a line lies to the grey area the better. A heap from brk never shrinks, so a line that stays up after the area "
                 "has gone down is memory kept, not lost.", canvas)


def search_cost(study: Study) -> Chart | None:
    """Processor time against net fragmentation; means over the tapes that all got through."""
    tapes = study.common()
    names = [name for name in study.allocators if tapes and all((tape, name) in study.looks for tape in tapes)]
    if not names:
        return None
    canvas = Canvas(WIDTH, 3.9, "What a better fit costs",
                    f"Means over {len(tapes)} tapes that all but worst fit got through. Lower left is better.", footer(study))
    axes = canvas.axes(0.75, 0.55, WIDTH - 1.0, 3.2)
    for i, name in enumerate(names):
        time = 1.0
        for tape in tapes:
            time *= study.looks[tape, name].cpu_ns_per_event ** (1 / len(tapes))
        share = study.mean(name, "net", "max_over_max", tapes)
        axes.plot([time], [share], marker="o", ms=6, color=colour(name), ls="")
        axes.annotate(name, (time, share), xytext=(0, (7, -13, 17, -23)[i % 4]), textcoords="offset points", size=SMALL, color=INK,
                      ha="center")
    axes.set_xscale("log")
    axes.set_yscale("log")
    shares = [study.mean(name, "net", "max_over_max", tapes) for name in names]
    axes.set_ylim(max(min(shares), 0.005) / 1.5, max(shares) * 1.5)
    axes.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1.0])
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    axes.set_xlabel("ns of processor time per event, reading the tape included, geometric mean (log scale)")
    axes.set_ylabel("net fragmentation, max over max (log scale)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.0f} %"))
    return Chart("search_cost", "Time against memory", "The textbook policies search lists, so their time grows with the number of "
                 "free blocks; buddy and segregated lists hardly search.", canvas)


def fifty_percent(study: Study) -> Chart | None:
    """Free blocks for each used one against half the share of requests that split."""
    if not study.looks:
        return None
    canvas = Canvas(WIDTH, 3.9, "Knuth's fifty-percent rule",
                    "Free blocks for each used one over the second half of each tape. The rule says that points lie on the line.", footer(study))
    axes = canvas.axes(0.75, 0.55, WIDTH - 1.0, 3.2)
    most = max([0.5, *(found.free_per_used for (_, name), found in study.looks.items() if name != "best-fit-deferred")])
    axes.plot([0, 0.5], [0, 0.5], color=MUTED, lw=1.0, ls=(0, (3, 2)))
    for name in sorted({name for _, name in study.looks} - {"best-fit-deferred", "buddy"}):
        found = [look for (_, of), look in study.looks.items() if of == name]
        marker = "s" if name.startswith("best") else "^" if name.startswith("next") else "D" if name == "buddy" else "o"
        axes.plot([look.predicted for look in found], [look.free_per_used for look in found], ls="", marker=marker, ms=4.5,
                  color=colour(name), alpha=0.75, label=name)
    axes.set_xlabel("p / 2: half the share of allocations that split a block")
    axes.set_ylabel("free blocks for each used block")
    axes.set_ylim(0, most * 1.08)
    axes.legend(frameon=False, fontsize=SMALL, loc="upper left")
    return Chart("fifty_percent", "The fifty-percent rule", "In balance, with merging at once, there are p/2 free blocks for each used "
                 "one, p the share of requests that find no block that fits exactly. Points far below the line: nothing is in balance, for the program "
                 "grows or has freed much at once; a synthetic tape in balance lies on the line within 2 %.", canvas)


def all_charts(study: Study) -> list[Chart]:
    made = [bars(study), heatmap(study), over_time(study), search_cost(study), fifty_percent(study)]
    return [chart for chart in made if chart]
