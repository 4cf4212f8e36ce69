"""Writes small results folders for the tests of the report. SYNTHETIC: no program was measured.

    python3 tests/analysis/make_results.py FOLDER [one|many|failures|several|hostile|nolibc]

The figures come from plain formulas, so that a test can say by hand what the report must show.
"""

import csv
import json
import math
import pathlib
import random
import re
import sys

MIB = 1 << 20

# name: (time relative to libc, held over requested, resident over requested, start-up bytes, H known)
SHAPES = {
    "libc": (1.00, 1.10, 1.06, 132 << 10, True),
    "htmalloc": (0.66, 1.09, 1.04, 200 << 10, True),
    "jemalloc": (0.85, 1.28, 1.15, 2600 << 10, True),
    "mimalloc": (0.69, 1.24, 1.14, 300 << 10, True),
    "tcmalloc": (0.75, 1.46, 1.40, 5800 << 10, True),
    "tbbmalloc": (0.90, 1.95, 1.62, 1100 << 10, False),
    "first-fit": (1.002, 1.05, 1.02, 64 << 10, True),
}
FLOOR_NS = 4.0
LIBC_NS = 30.0


def clean(name):
    """A name as it stands in a file name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def interval(median, half):
    return {"median": median, "ci_low": median * (1 - half), "ci_high": median * (1 + half)}


def requested_at(fraction):
    """R over the run: a ramp, a plateau with waves, a fall; peak about 32 MiB."""
    wave = 0.12 * math.sin(fraction * 40) * math.exp(-2 * fraction)
    level = min(1.0, fraction * 2.5) if fraction < 0.8 else 1.0 - 3.5 * (fraction - 0.8)
    return max(0.0, level + wave) * 28 * MIB


def series_rows(shape, points, operations):
    _, held_over, resident_over, _, held_known = shape
    held = resident = 0.0
    for i in range(points):
        fraction = i / max(1, points - 1)
        requested = requested_at(fraction)
        held = max(held * 0.999, requested * held_over)
        resident = max(resident * 0.995, requested * resident_over)
        yield [
            round(fraction * operations),
            round(fraction * 0.9, 6),
            int(requested),
            int(requested * 1.04),
            int(held if held_known else resident),
            int(resident),
        ]


def fragmentation(rows):
    ratios = [r[4] / r[2] - 1 for r in rows if r[2] > 0]
    top_requested = max(rows, key=lambda r: r[2])
    top_held = max(rows, key=lambda r: r[4])
    return {
        "mean_over_time": sum(ratios) / len(ratios),
        "at_peak_requested": top_requested[4] / top_requested[2] - 1,
        "at_peak_held": top_held[4] / max(1, top_held[2]) - 1,
        "max_held_over_max_requested": top_held[4] / top_requested[2] - 1,
        "area_ratio": sum(r[4] for r in rows) / sum(r[2] for r in rows),
        "at_end": rows[-1][4] / rows[-1][2] - 1 if rows[-1][2] else None,
        "peak_utilization": top_requested[2] / top_held[4],
        "blow_up": None,
        "resident_blow_up": None,
    }


def over_time(rows, startup, held_known):
    """The recording is taken to have lasted a second, its operations evenly spread."""
    held, resident = (sum(r[i] for r in rows) / len(rows) for i in (4, 5))
    return {
        "mean_requested_bytes": sum(r[2] for r in rows) / len(rows),
        "mean_held_bytes": held if held_known else None,
        "mean_resident_bytes": resident + startup,
        "resident_byte_seconds": resident + startup,
        "mean_resident_by_time_bytes": resident + startup,
    }


def verdict(ratio, words):
    if ratio["ci_low"] <= 1 <= ratio["ci_high"]:
        return "no difference shown"
    return words[0] if ratio["median"] < 1 else words[1]


def summary_ok(tape, name, rounds, shape, rows, is_floor, held_known):
    factor, _, _, startup, _ = shape
    gross = FLOOR_NS if is_floor else LIBC_NS * factor
    ns = interval(gross, 0.02) | {"min": gross * 0.97, "max": gross * 1.05}
    peak = interval(max(r[5] for r in rows) + startup, 0.01)
    libc_peak = 29.7 * MIB
    time = interval(gross / LIBC_NS, 0.015)
    memory = interval(peak["median"] / libc_peak, 0.01)
    if name == "libc":
        time = {"median": 1.0, "ci_low": 1.0, "ci_high": 1.0, "verdict": "baseline"}
        memory = {"median": 1.0, "ci_low": 1.0, "ci_high": 1.0, "verdict": "baseline"}
    else:
        time["verdict"] = verdict(time, ("faster", "slower"))
        memory["verdict"] = verdict(memory, ("less", "more"))
    return {
        "tape": tape,
        "allocator": name,
        "is_floor": is_floor,
        "status": "ok",
        "detail": "",
        "rounds_ok": rounds,
        "rounds": rounds,
        "ns_per_operation": ns,
        "floor_ns_per_operation": FLOOR_NS,
        "net_ns_per_operation": interval(gross - FLOOR_NS, 0.02),
        "relative_time": time,
        "peak_requested_bytes": max(r[2] for r in rows),
        "peak_usable_bytes": max(r[3] for r in rows),
        "peak_held_bytes": max(r[4] for r in rows) if held_known else None,
        "peak_resident_bytes": peak,
        "startup_resident_bytes": startup,
        "held_known": held_known,
        "relative_peak_resident": memory,
        "fragmentation": fragmentation(rows) if held_known else dict.fromkeys(fragmentation(rows)),
        "over_time": over_time(rows, startup, held_known),
        "metadata_bytes": None,
        "reallocs_in_place": 2000,
        "reallocs_moved": round(1000 * factor),
        "reallocs_moved_bytes": round(64000 * factor),
        "series_csv": f"series/{tape}.{clean(name)}.csv",
    }


def summary_failed(tape, name, rounds, status, detail):
    nothing = {"median": None, "ci_low": None, "ci_high": None}
    return {
        "tape": tape,
        "allocator": name,
        "is_floor": False,
        "status": status,
        "detail": detail,
        "rounds_ok": 0,
        "rounds": rounds,
        "ns_per_operation": nothing | {"min": None, "max": None},
        "floor_ns_per_operation": FLOOR_NS,
        "net_ns_per_operation": dict(nothing),
        "relative_time": nothing | {"verdict": None},
        "peak_requested_bytes": None,
        "peak_usable_bytes": None,
        "peak_held_bytes": None,
        "peak_resident_bytes": dict(nothing),
        "startup_resident_bytes": None,
        "held_known": False,
        "relative_peak_resident": nothing | {"verdict": None},
        "fragmentation": dict.fromkeys(
            (
                "mean_over_time",
                "at_peak_requested",
                "at_peak_held",
                "max_held_over_max_requested",
                "area_ratio",
                "at_end",
                "peak_utilization",
                "blow_up",
                "resident_blow_up",
            )
        ),
        "over_time": {},
        "series_csv": None,
    }


def run_row(entry, mode, number, order, noise):
    ok = entry["status"] == "ok"
    ns = entry["ns_per_operation"]["median"]
    return {
        "tape": entry["tape"],
        "allocator": entry["allocator"],
        "mode": mode,
        "round": number,
        "order_in_round": order,
        "status": entry["status"],
        "signal": 11 if entry["status"] == "crashed" else 0,
        "exit_code": 0,
        "detail": entry["detail"],
        "operations_done": 1_000_000 if ok else 4242,
        "operations": 1_000_000,
        "timed_seconds": ns * noise / 1000 if ok else None,
        "wall_seconds": ns * noise / 800 if ok else None,
        "ns_per_operation": ns * noise if ok else None,
        "minor_faults": 7000 if ok else None,
        "major_faults": 0 if ok else None,
        "waits": 0,
        "wait_spins": 0,
        "startup_resident_bytes": entry["startup_resident_bytes"],
        "peak_requested_bytes": entry["peak_requested_bytes"],
        "peak_usable_bytes": entry["peak_usable_bytes"],
        "peak_held_bytes": entry["peak_held_bytes"],
        "peak_resident_bytes": entry["peak_resident_bytes"]["median"],
        "held_known": entry["held_known"],
        "failed_calls": 0,
    }


def write_csv(path, header, rows):
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_sizes(path, seed):
    random_source = random.Random(seed)
    rows, low = [], 0
    while low < 1 << 20:
        step = 16 if low < 1024 else 1 << (low.bit_length() - 4)
        middle = low + step / 2
        weight = 90_000 * math.exp(-((math.log2(middle + 1) - 5.5) ** 2) / 3) + 400 * (low in (4096, 65536))
        count = int(weight * (0.6 + 0.8 * random_source.random()))
        if count:
            rows.append([low, low + step - 1, count, int(count * middle)])
        low += step
    write_csv(path, ["size_low_bytes", "size_high_bytes", "allocations", "allocated_bytes"], rows)


CALL_COUNTS = {"malloc": 480_000, "calloc": 0, "realloc": 50_000, "aligned": 50, "free": 470_000}


def latency_at(factor, share):
    """ns that `share` of the calls stay below: 20 ns times the allocator's factor, ten times that for 99 of 100."""
    return 20 * factor * (1 - share) ** -0.5


def latency_row(folder, tape, name, factor):
    """The row of `latency` of one allocator and its curve's file."""
    row = {
        "tape": tape,
        "allocator": name,
        "rounds": 1,
        "clock_cost_ns": 23.1,
        "clock_resolution_ns": 1.0,
        "error_share": 1 / 64,
        "preemptions": 3,
    }
    curve = []
    for call, count in CALL_COUNTS.items():
        row[f"{call}_count"] = count
        row[f"{call}_ns_mean"] = 40 * factor if count else None
        for word in ("p50", "p90", "p99", "p99_9", "p99_99"):
            share = float(word[1:].replace("_", ".")) / 100
            known = (1 - share) * count >= 1
            row[f"{call}_ns_{word}"] = round(latency_at(factor, share), 1) if known else None
        row[f"{call}_ns_max"] = latency_at(factor, 1 - 1 / count) if count else None
        steps = int(20 * math.log10(count)) + 1 if count else 0
        shares = [1 - 10 ** (-i / 20) for i in range(steps)]
        curve += [[call, f"{s:.9g}", f"{latency_at(factor, s):.1f}"] for s in shares]
        curve += [[call, 1, f"{row[f'{call}_ns_max']:.1f}"]] if count else []
    row["shares_csv"] = f"series/{tape}.{clean(name)}.latency.csv"
    row["over_time_csv"] = f"series/{tape}.{clean(name)}.latency_time.csv"
    write_csv(folder / row["shares_csv"], ["call", "share", "ns"], curve)
    stretches = [[i * 1000, 1000, 20 * factor, 200 * factor, (5000 if i % 10 == 3 else 400) * factor] for i in range(50)]
    write_csv(folder / row["over_time_csv"], ["first_operation", "calls", "p50_ns", "p99_ns", "max_ns"], stretches)
    return row


def tape_row(name, program):
    return {
        "name": name,
        "path": f"tapes/{name}.tape",
        "program": program,
        "arguments": "--batch < script",
        "events": 1_000_000,
        "allocations": 480_000,
        "frees": 470_000,
        "reallocs": 50_000,
        "failed": 0,
        "lanes": 1,
        "peak_live_bytes": 29 * MIB,
        "peak_live_blocks": 300_000,
        "live_at_end_bytes": 8 * MIB,
        "duration_seconds": 1.5,
        "complete": True,
        "file_bytes": 400_000,
        "sizes_csv": f"series/{name}.sizes.csv",
        "recorded_allocator": "libc",
        "recorded_peak_resident_bytes": 34 * MIB,
    }


def make(
    folder,
    tapes=(("tape-a", "synthetic-program"),),
    allocators=("libc", "null"),
    failures=None,
    rounds=5,
    points=400,
    live=False,
    seed=1,
    latency=False,
    counts=False,
):
    """`failures`: {(tape or None, allocator): (status, detail)}. Returns the results as a dict."""
    folder = pathlib.Path(folder)
    (folder / "series").mkdir(parents=True, exist_ok=True)
    random_source = random.Random(seed)
    failures = failures or {}
    results = {
        "schema_version": 1,
        "tool": {"name": "heaptape", "version": "0.0-synthetic-fixture"},
        "created_utc": "2026-01-02T03:04:05Z",
        "command": ["heaptape", "bench", *(f"{t}.tape" for t, _ in tapes)],
        "complete": True,
        "machine": {
            "cpu_model": "Synthetic CPU (fixture, nothing was measured)",
            "cores": 2,
            "memory_bytes": 8 << 30,
            "kernel": "Linux 6.1.0",
            "os": "Fixture OS 12",
            "libc": "glibc 2.36",
            "thp": "madvise",
            "page_bytes": 4096,
        },
        "settings": {
            "rounds": rounds,
            "seed": seed,
            "touch": "first",
            "order": "lanes",
            "pace": "asap",
            "timeout_seconds": 60,
            "memory_limit_bytes": 4 << 30,
            "confidence": 0.95,
            "interval_method": "percentile bootstrap of the median",
        },
        "warnings": [
            {
                "code": "synthetic",
                "message": "These figures are made up by the test suite.",
                "hint": "Run heaptape bench for real ones.",
            }
        ],
        "allocators": [
            {
                "name": a,
                "path": "" if a == "libc" else f"/usr/lib/lib{a}.so",
                "version": "1.2.3",
                "is_floor": a == "null",
            }
            for a in allocators
        ],
        "tapes": [],
        "runs": [],
        "summary": [],
    }
    for tape, program in tapes:
        results["tapes"].append(tape_row(tape, program))
        write_sizes(folder / "series" / f"{tape}.sizes.csv", seed)
        drift = 1 + 0.12 * (len(results["tapes"]) - 1)
        for order, name in enumerate(allocators):
            failure = failures.get((tape, name)) or failures.get((None, name))
            if failure:
                entry = summary_failed(tape, name, rounds, *failure)
            else:
                shape = SHAPES.get(name, (1.2, 1.4, 1.3, 1 << 20, True))
                if name not in ("libc", "null"):
                    shape = (shape[0] * drift, shape[1] * drift, shape[2] * drift, *shape[3:])
                rows = list(series_rows(shape, points, 1_000_000))
                write_csv(
                    folder / "series" / f"{tape}.{clean(name)}.csv",
                    [
                        "operation",
                        "time_seconds",
                        "requested_bytes",
                        "usable_bytes",
                        "held_bytes",
                        "resident_bytes",
                        *(("minor_faults", "major_faults", "system_calls") if counts else ()),
                    ],
                    [[*row, 3 * i, 0, i // 10] for i, row in enumerate(rows)] if counts else rows,
                )
                entry = summary_ok(tape, name, rounds, shape, rows, name == "null", shape[4])
            results["summary"].append(entry)
            if latency and not failure:
                factor = 0.1 if name == "null" else SHAPES.get(name, (1.2,))[0]
                results.setdefault("latency", []).append(latency_row(folder, tape, name, factor))
            for number in range(rounds):
                noise = 1 + 0.03 * (random_source.random() - 0.5)
                results["runs"].append(run_row(entry, "time", number, order, noise))
            results["runs"].append(run_row(entry, "memory", 0, order, 1.0))
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    if live:
        write_live(folder, results, tapes[0][0])
    return results


def write_live(folder, results, tape):
    entries = []
    for row in results["summary"]:
        if row["tape"] != tape or row["is_floor"]:
            continue
        if row["status"] != "ok":
            entries.append(
                {
                    "allocator": row["allocator"],
                    "status": row["status"],
                    "time_seconds": None,
                    "peak_resident_bytes": None,
                    "peak_resident_bytes_runs": [],
                    "predicted_peak_resident_bytes": None,
                    "relative_time": None,
                    "relative_peak_resident": None,
                }
            )
            continue
        predicted = row["peak_resident_bytes"]["median"] + 5 * MIB
        real = int(predicted * (1.02 if row["allocator"] != "jemalloc" else 0.9))
        seconds = 1.0 + 0.2 * row["relative_time"]["median"]
        entries.append(
            {
                "allocator": row["allocator"],
                "status": "ok",
                "time_seconds": {
                    "mean": seconds,
                    "stddev": 0.01,
                    "median": seconds,
                    "min": seconds - 0.02,
                    "max": seconds + 0.03,
                },
                "peak_resident_bytes": real,
                "peak_resident_bytes_runs": [int(real * f) for f in (0.995, 1.0, 1.006)],
                "predicted_peak_resident_bytes": predicted,
                "cpu_seconds": 0.9 * seconds,
                "cpu_seconds_runs": [0.9 * seconds * f for f in (0.99, 1.0, 1.02)],
                "predicted_cpu_seconds": 0.81 * seconds,
                "relative_time": seconds / 1.2,
                "relative_peak_resident": row["relative_peak_resident"]["median"],
            }
        )
    live = {"schema_version": 1, "program": ["synthetic-program", "--batch"], "entries": entries}
    (pathlib.Path(folder) / "live.json").write_text(json.dumps(live, indent=1) + "\n")


EVERY = ("libc", "htmalloc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc", "first-fit", "null")
KINDS = {
    "one": dict(),
    "many": dict(allocators=EVERY, live=True, latency=True),
    "failures": dict(
        allocators=EVERY,
        failures={
            (None, "tcmalloc"): ("crashed", "SIGSEGV at operation 4242"),
            (None, "first-fit"): ("timeout", "no end after 60 s"),
            (None, "jemalloc"): ("out_of_memory", "limit of 4 GiB reached"),
        },
    ),
    "several": dict(
        tapes=(("tape-a", "compiler"), ("tape-b", "database"), ("tape-c", "interpreter")),
        allocators=EVERY,
        failures={("tape-b", "tcmalloc"): ("crashed", "SIGABRT")},
    ),
    "hostile": dict(
        tapes=(("script", "<script>alert(1)</script>"),),
        allocators=("libc", "<img src=x onerror=alert(2)>", "a$b_{c}^d", "null"),
    ),
    "nolibc": dict(allocators=("mimalloc", "htmalloc", "null"), failures={}),
}


if __name__ == "__main__":
    make(sys.argv[1], **KINDS[sys.argv[2] if len(sys.argv) > 2 else "many"])
