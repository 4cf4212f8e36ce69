"""heaptape report OLD NEW: two results folders side by side, on a page of their own (compare.html)."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from . import changes, charts_changes, charts_growth_pair, data_charts, page, palette, units
from .changes import Change, Changes
from .context import Context
from .data_files import as_csv
from .data_tables import Table, ends, made, three
from .figure import Figure, anchor_of, lighter, of_chart
from .page import Cell, environment, pairs_of
from .results import Results

COLUMNS = ("Allocator", "Metric", "Change", "Interval", "Outcome", "Before", "Now", "Tape")
NAME = "compare.html"


@dataclass(frozen=True)
class ChangeRow:
    """A row of the table of changes, as figures_table draws it."""

    allocator: str
    ok: bool = True


@dataclass(frozen=True)
class Fact:
    """A machine's or a bench's property, before and now."""

    word: str
    old: str
    new: str

    @property
    def differs(self) -> bool:
        return self.old != self.new


def cells(change: Change) -> list[Cell]:
    median = change.change.median if change.change else None
    kind = {"worse": "worse", "better": "better"}.get(change.verdict, "")
    return [
        Cell(changes.METRICS.get(change.metric, (change.metric,))[0], change.metric),
        page.UNKNOWN if median is None else Cell(units.as_change(1 + median), median, kind=kind),
        page.UNKNOWN if median is None else Cell(changes.span(change), change.change.high - change.change.low),
        Cell(change.outcome, change.verdict, kind=kind),
        page.UNKNOWN if change.old is None else Cell(change.said(change.old), change.old),
        page.UNKNOWN if change.new is None else Cell(change.said(change.new), change.new),
        Cell(change.tape, change.tape),
    ]


def table(found: Changes) -> list[tuple[ChangeRow, list[Cell]]]:
    """Shown changes first, the largest of them first."""
    order = sorted(found.changes, key=lambda c: (not c.shown, -abs(c.change.median) if c.change else 0.0, c.tape, c.allocator))
    return [(ChangeRow(c.allocator), cells(c)) for c in order]


def tidy(found: Changes) -> Table:
    """Every comparison, for changes.csv."""
    columns = ("tape", "allocator", "metric", "unit", "verdict", "old", "new", *three("change"), "detail")
    rows = (
        (c.tape, c.allocator, c.metric, c.unit, c.verdict, c.old, c.new, *ends(c.change), c.detail or None) for c in found.changes
    )
    return made("changes", columns, rows)


def tidy_series(old: Results, new: Results) -> Table:
    """The curves of both, for changes_series.csv."""
    before = {t.name: t for t in old.tapes}
    rows = (
        (tape.name, row.allocator, word, *values)
        for tape in new.tapes if tape.name in before
        for pair in charts_growth_pair.pairs(before[tape.name], tape)
        for word, row in zip(("before", "now"), pair)
        for values in zip(*(v.tolist() for v in (row.series.operation, row.series.requested, row.series.resident)))
    )  # fmt: skip
    return made("changes_series", ("tape", "allocator", "bench", "operation", "requested_bytes", "resident_bytes"), rows)


def facts(old: Results, new: Results) -> list[Fact]:
    """Machine and settings of the two, those that differ first."""
    both = [dict(pairs_of({**r.machine, **r.settings, "heaptape": r.tool_version, "measured": r.created_utc})) for r in (old, new)]
    found = [Fact(word, both[0].get(word, "–"), both[1].get(word, "–")) for word in {**both[1], **both[0]}]
    return sorted(found, key=lambda f: not f.differs)


def draw(context: Context, old: Results, found: Changes, writer) -> list[Figure]:
    """The charts, written, and made ready for the page where there is one."""
    drawn = [charts_changes.draw(context, found, metric) for metric in changes.METRICS]
    names = ["compare"] * len(drawn)
    before = {t.name: t for t in old.tapes}
    for tape in context.results.tapes:
        if tape.name in before:
            drawn.append(charts_growth_pair.draw(context, before[tape.name], tape))
            names.append(f"compare.{tape.name}")
    figures = []
    for chart, name in zip(drawn, names):
        if chart is None:
            continue
        files = writer.chart(chart, name)
        if "html" in writer.formats:
            figures.append(of_chart(context, chart, anchor_of(name), "", files))
    return figures


def render(context: Context, old: Results, found: Changes, figures: list[Figure]) -> str:
    figures, _, _, rules = lighter(figures, [], [])
    data = {"names": list(context.colour), "series": {}, "charts": {d.anchor: d.model for f in figures for d in f.drawings if d.model}}
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            old=old,
            new=context.results,
            found=found,
            headline=changes.headline(found),
            by_chance=changes.by_chance(found),
            sentence=changes.sentence,
            rows=table(found),
            columns=COLUMNS,
            facts=facts(old, context.results),
            figures=figures,
            data=data,
            rules=Markup(rules),
            variable=palette.variable,
            dark=palette.dark,
            palette=[c for c in palette.every_colour() if c not in palette.CHROME],
            colours=context.colour,
            hue={n: palette.variable(c) for n, c in context.colour.items()},
            ink={n: palette.variable(palette.letters(c)) for n, c in context.colour.items()},
            numbers={n: context.owner(n) for n in context.colour},
        )
    )


def write(old: Results, new: Results, said: str, writer) -> None:
    """Everything about the two, and what heaptape diff said of them. ResultsError where they cannot be compared."""
    from .canvas import set_style

    found = changes.read(said)
    set_style()
    names = list(dict.fromkeys([*new.allocator_names, *old.allocator_names, *(c.allocator for c in found.changes)]))
    context = Context(new, palette.colours(names))
    figures = draw(context, old, found, writer)
    if "data" in writer.formats:
        tables = [table for table in (tidy(found), tidy_series(old, new)) if table.rows]
        figures = data_charts.linked(figures, {table.name for table in tables})
        for table in tables:
            writer.data(f"{table.name}.csv", as_csv(table))
    if "html" in writer.formats:
        writer.page(render(context, old, found, figures), NAME)
