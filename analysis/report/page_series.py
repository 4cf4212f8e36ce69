"""The series of every tape as the page carries them for hovering: few points, every peak among them, as differences."""

from __future__ import annotations

import numpy

from .context import Context
from .hover import chosen
from .results import Row, Tape

POINTS = 200


def differences(values: numpy.ndarray) -> str:
    """'100  -4 7': the first value, then what is added each time, nothing for 0: most series stand still often."""
    whole = numpy.rint(values).astype(numpy.int64)
    return " ".join(str(v) if v else "" for v in numpy.diff(whole, prepend=0).tolist())


def of_row(row: Row, with_time: bool) -> dict[str, str]:
    """Columns that are known at every point."""
    series = row.series
    columns = {"R": series.requested, "U": series.usable, "P": series.resident}
    if row.held_known:
        columns["H"] = series.held
    if row.calls_over_time is not None and len(row.calls_over_time.count) == len(series.operation):
        columns["calls"] = row.calls_over_time.count
    if row.faults_over_time is not None and len(row.faults_over_time.count) == len(series.operation):
        columns["faults"] = row.faults_over_time.count
    columns = {name: values for name, values in columns.items() if not numpy.any(numpy.isnan(values))}
    peaks = [int(numpy.argmax(values)) for values in columns.values()]
    at = chosen(len(series.operation), peaks, POINTS)
    found = {"op": differences(series.operation[at])} | {n: differences(v[at]) for n, v in columns.items()}
    return found | ({"us": differences(1e6 * series.time_seconds[at])} if with_time else {})


def of_tape(context: Context, tape: Tape) -> dict[str, dict[str, str]]:
    """By the number of the allocator."""
    rows = [r for r in tape.rows if r.series is not None]
    return {str(context.owner(r.allocator)): of_row(r, bool(context.pace)) for r in rows}
