"""heaptape bench and replay: results as documented, broken allocators as rows, nothing lost on Ctrl-C."""

import csv
import io
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD, ROOT
from driver_help import BROKEN, make_tape, one_line, results_of

SERIES_HEADER = ["operation", "time_seconds", "requested_bytes", "usable_bytes", "held_bytes", "resident_bytes",
                 "huge_bytes", "minor_faults", "major_faults", "system_calls"]
SIZES_HEADER = ["size_low_bytes", "size_high_bytes", "allocations", "allocated_bytes"]
ONLY = ["-a", "htmalloc"]


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "one.tape")


@pytest.fixture(scope="module")
def threads_tape(tmp_path_factory):
    return make_tape(tmp_path_factory.mktemp("tapes") / "threads.tape", lanes=2, cross=5)


@pytest.fixture(scope="module")
def bench(heaptape, tape, threads_tape, tmp_path_factory):
    """One bench of two tapes that several tests look at."""
    folder = tmp_path_factory.mktemp("bench") / "results"
    result = heaptape("bench", tape, threads_tape, "-n", 5, "-o", folder)
    assert result.returncode == 0, result.stderr
    return folder, results_of(folder), result


# ---- results.json ------------------------------------------------------------------------------------------


def keys(text):
    return set(text.split())


def test_results_have_the_documented_keys(bench):
    _, results, _ = bench
    assert keys("schema_version tool created_utc command complete machine settings warnings allocators tapes runs "
                "summary") <= set(results)
    assert results["schema_version"] == 1 and results["complete"] is True
    assert results["command"][:2] == ["heaptape", "bench"]
    time.strptime(results["created_utc"], "%Y-%m-%dT%H:%M:%SZ")
    assert keys("cpu_model cores memory_bytes kernel os libc thp page_bytes") <= set(results["machine"])
    assert keys("rounds seed touch order pace timeout_seconds memory_limit_bytes confidence interval_method") <= set(
        results["settings"])
    assert results["settings"]["rounds"] == 5
    for tape in results["tapes"]:
        assert keys("name path program arguments events allocations frees reallocs failed lanes peak_live_bytes "
                    "peak_live_blocks live_at_end_bytes duration_seconds complete file_bytes sizes_csv "
                    "recorded_allocator recorded_peak_resident_bytes") <= set(tape)
    for run in results["runs"]:
        assert keys("tape allocator mode round order_in_round status signal exit_code detail operations_done operations "
                    "timed_seconds wall_seconds ns_per_operation minor_faults major_faults waits wait_spins "
                    "startup_resident_bytes peak_requested_bytes peak_usable_bytes peak_held_bytes "
                    "peak_resident_bytes held_known failed_calls") <= set(run)
    for row in results["summary"]:
        assert keys("tape allocator is_floor status detail rounds_ok rounds ns_per_operation floor_ns_per_operation "
                    "net_ns_per_operation relative_time peak_requested_bytes peak_usable_bytes peak_held_bytes "
                    "peak_resident_bytes startup_resident_bytes held_known relative_peak_resident fragmentation over_time "
                    "metadata_bytes reallocs_in_place reallocs_moved reallocs_moved_bytes series_csv") <= set(row)
        assert set(row["ns_per_operation"]) == keys("median ci_low ci_high min max")
        assert set(row["fragmentation"]) == keys(
            "mean_over_time at_peak_requested at_peak_held max_held_over_max_requested area_ratio at_end peak_utilization "
            "blow_up resident_blow_up")
        assert set(row["over_time"]) == keys(
            "mean_requested_bytes mean_held_bytes mean_resident_bytes resident_byte_seconds mean_resident_by_time_bytes")


def test_the_noise_of_the_machine_is_told(heaptape, tape, tmp_path):
    """A program beside the bench that takes a whole core is seen, and told where the probe felt it."""
    with open("/proc/stat") as stat:
        if not stat.readline().startswith("cpu "):
            pytest.skip("no /proc/stat")
    hog = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        result = heaptape("bench", tape, *ONLY, "-n", 20, "-o", tmp_path / "r")
    finally:
        hog.kill()
        hog.wait()
    assert result.returncode == 0, result.stderr
    results = results_of(tmp_path / "r")
    noise = results["noise"]
    assert keys("before_percent during_percent load_average_before load_average_after others_busy_cores steal_share "
                "throttled_count cpu_mhz_low cpu_mhz_high") == set(noise)
    assert noise["others_busy_cores"] > 0.4 and noise["during_percent"] >= 0
    assert {"noisy_machine", "busy_machine"} & {warning["code"] for warning in results["warnings"]}
    assert "other programs kept" in result.stderr


def test_every_allocator_ran_on_every_tape(bench):
    _, results, _ = bench
    names = [a["name"] for a in results["allocators"]]
    assert {"libc", "htmalloc", "null"} <= set(names)
    rows = {(row["tape"], row["allocator"]) for row in results["summary"]}
    assert rows == {(tape, name) for tape in ("one", "threads") for name in names}
    for row in results["summary"]:
        assert row["status"] == "ok", row
        assert row["rounds"] == row["rounds_ok"] == 5
        assert row["is_floor"] == (row["allocator"] == "null")
        runs = [r for r in results["runs"] if (r["tape"], r["allocator"]) == (row["tape"], row["allocator"])]
        assert [r["round"] for r in runs if r["mode"] == "time"] == list(range(5))
        assert [r["round"] for r in runs if r["mode"] == "memory"] == list(range(3))


def test_orders_are_shuffled_and_follow_the_seed(heaptape, tape, tmp_path, bench):
    def orders(results):
        return [[r["allocator"] for r in results["runs"] if r["round"] == n and r["mode"] == "time" and r["tape"] == "one"]
                for n in range(3)]

    def run(seed):
        folder = tmp_path / f"seed{seed}-{len(list(tmp_path.iterdir()))}"
        assert heaptape("bench", tape, "--quick", f"--seed={seed}", "-o", folder).returncode == 0
        return orders(results_of(folder))

    first = run(7)
    assert first == run(7)
    assert first != run(8)
    assert len({tuple(order) for order in first}) > 1


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def test_figures_are_those_of_the_runs(bench):
    _, results, _ = bench
    for row in results["summary"]:
        def runs(mode, allocator=row["allocator"]):
            return {r["round"]: r for r in results["runs"]
                    if (r["tape"], r["allocator"], r["mode"]) == (row["tape"], allocator, mode)}
        ns = {n: r["ns_per_operation"] for n, r in runs("time").items()}
        libc = {n: r["ns_per_operation"] for n, r in runs("time", "libc").items()}
        assert row["ns_per_operation"]["median"] == pytest.approx(median(ns.values()), abs=1e-3)
        assert row["ns_per_operation"]["min"] == pytest.approx(min(ns.values()), abs=1e-3)
        assert row["ns_per_operation"]["ci_low"] >= row["ns_per_operation"]["min"]
        assert row["ns_per_operation"]["ci_high"] <= row["ns_per_operation"]["max"]
        ratios = [ns[n] / libc[n] for n in ns]
        assert row["relative_time"]["median"] == pytest.approx(median(ratios), abs=1e-3)
        assert row["net_ns_per_operation"]["median"] == pytest.approx(
            row["ns_per_operation"]["median"] - row["floor_ns_per_operation"], abs=1e-3)
        peaks = [r["peak_resident_bytes"] for r in runs("memory").values()]
        assert row["peak_resident_bytes"]["median"] == pytest.approx(median(peaks), abs=1)
        for run in runs("time").values():
            assert run["ns_per_operation"] == pytest.approx(1e9 * run["timed_seconds"] / run["operations"], rel=1e-3)
            assert run["timed_seconds"] <= run["wall_seconds"]


def test_verdicts_follow_the_intervals(bench):
    _, results, _ = bench
    for row in results["summary"]:
        for key, below, above in (("relative_time", "faster", "slower"), ("relative_peak_resident", "less", "more")):
            ratio = row[key]
            if row["allocator"] == "libc":
                assert ratio["verdict"] == "baseline" and ratio["median"] == 1
            elif ratio["ci_low"] <= 1 <= ratio["ci_high"] or ratio["p_adjusted"] > 0.05:
                assert ratio["verdict"] == "no difference shown"
            else:
                assert ratio["verdict"] == (below if ratio["median"] < 1 else above)
            if not row["is_floor"] and row["allocator"] != "libc":
                assert ratio["p_adjusted"] >= ratio["p_value"]
    # 5 rounds cannot show a difference in time: the test needs 6. Memory hardly varies.
    times = [row["relative_time"] for row in results["summary"] if row["allocator"] != "libc"]
    assert {ratio["verdict"] for ratio in times} == {"no difference shown"}
    assert min(ratio["p_value"] for ratio in times) == 2 ** -4


def test_requested_bytes_do_not_depend_on_the_allocator(bench):
    _, results, _ = bench
    peaks = {row["peak_requested_bytes"] for row in results["summary"] if row["tape"] == "one"}
    assert len(peaks) == 1
    assert peaks == {next(t["peak_live_bytes"] for t in results["tapes"] if t["name"] == "one")}


def test_series_and_sizes(bench):
    folder, results, _ = bench
    named = {row["series_csv"] for row in results["summary"]} | {tape["sizes_csv"] for tape in results["tapes"]}
    named |= {tape[key] for tape in results["tapes"] for key in ("lifetimes_csv", "classes_csv")}
    named |= {row[key] for row in results["latency"] for key in ("shares_csv", "over_time_csv")}
    assert named == {f"series/{path.name}" for path in (folder / "series").iterdir()}
    for row in results["summary"]:
        rows = list(csv.reader((folder / row["series_csv"]).open()))
        assert rows[0] == SERIES_HEADER
        operations = [int(line[0]) for line in rows[1:]]
        assert len(operations) > 10 and operations == sorted(operations)
        assert max(int(line[2]) for line in rows[1:]) <= row["peak_requested_bytes"]
        assert all(float(line[1]) >= 0 for line in rows[1:])
        assert int(rows[-1][9]) == row["system_call_count"] == sum(c["calls"] for c in row["system_calls"])
        assert int(rows[-1][7]) == row["memory_minor_faults"]
        assert row["sampling_seconds"] > 0 and row["accounting_seconds"] >= 0
        assert row["huge_share_at_peak"] is None or 0 <= row["huge_share_at_peak"] <= 1
    for tape in results["tapes"]:
        rows = list(csv.reader((folder / tape["sizes_csv"]).open()))
        assert rows[0] == SIZES_HEADER
        assert all(int(low) <= int(high) for low, high, _, _ in rows[1:])
        assert sum(int(line[2]) for line in rows[1:]) == tape["allocations"] + tape["reallocs"]


def test_fragmentation_is_that_of_the_series(bench):
    folder, results, _ = bench
    seen = 0
    for row in results["summary"]:
        figures = row["fragmentation"]
        if not row["held_known"]:
            assert {v for k, v in figures.items() if k != "resident_blow_up"} == {None}
            continue
        seen += 1
        lines = [[float(x) for x in line[:6]] for line in list(csv.reader((folder / row["series_csv"]).open()))[1:]]
        top = max(lines, key=lambda line: line[2])
        assert figures["at_peak_requested"] == pytest.approx(top[4] / top[2] - 1, abs=1e-4)
        assert figures["max_held_over_max_requested"] == pytest.approx(
            row["peak_held_bytes"] / row["peak_requested_bytes"] - 1, abs=1e-4)
        assert figures["peak_utilization"] == pytest.approx(row["peak_requested_bytes"] / row["peak_held_bytes"], abs=1e-4)
        at_end = lines[-1][4] / lines[-1][2] - 1 if lines[-1][2] else None
        assert figures["at_end"] == (at_end if at_end is None else pytest.approx(at_end, abs=1e-4))
        assert figures["area_ratio"] > 0 and figures["mean_over_time"] > -1
    assert seen


def test_threads_are_held_against_one(bench):
    """A tape of several threads is replayed by one thread once on each allocator; its peaks make the blow-up."""
    _, results, _ = bench
    serial = {(r["tape"], r["allocator"]): r for r in results["runs"] if r["mode"] == "serial"}
    assert set(serial) == {("threads", a["name"]) for a in results["allocators"] if not a["is_floor"]}
    for row in results["summary"]:
        run, figures = serial.get((row["tape"], row["allocator"])), row["fragmentation"]
        if not run:
            assert figures["blow_up"] is None and figures["resident_blow_up"] is None
            continue
        assert run["waits"] == 0 and run["status"] == "ok"
        assert run["peak_requested_bytes"] == next(
            t["peak_live_bytes"] for t in results["tapes"] if t["name"] == row["tape"])
        peaks = [r["peak_resident_bytes"] for r in results["runs"] if r["mode"] == "memory" and
                 (r["tape"], r["allocator"]) == (row["tape"], row["allocator"])]
        assert figures["resident_blow_up"] * run["peak_resident_bytes"] == pytest.approx(sorted(peaks)[1], rel=1e-4)


def test_means_over_operations_and_over_recorded_time(bench):
    folder, results, _ = bench
    for row in results["summary"]:
        tape = next(t for t in results["tapes"] if t["name"] == row["tape"])
        lines = [[float(x) for x in line[:6]] for line in list(csv.reader((folder / row["series_csv"]).open()))[1:]]
        run = next(r for r in results["runs"] if r["mode"] == "memory" and r["tape"] == row["tape"])
        ends = [line[0] for line in lines[1:]] + [run["operations"]]
        weights = [end - line[0] for line, end in zip(lines, ends)]

        def mean(column):
            return sum(w * line[column] for w, line in zip(weights, lines)) / sum(weights)

        figures = row["over_time"]
        assert figures["mean_requested_bytes"] == pytest.approx(mean(2), abs=1)
        assert figures["mean_resident_bytes"] == pytest.approx(mean(5) + row["startup_resident_bytes"], abs=1)
        assert figures["mean_held_bytes"] == (pytest.approx(mean(4), abs=1) if row["held_known"] else None)
        if tape["duration_seconds"]:
            assert figures["resident_byte_seconds"] == pytest.approx(
                figures["mean_resident_by_time_bytes"] * tape["duration_seconds"], rel=0.01)


def test_reallocs_moved_and_in_place_are_all(bench):
    _, results, _ = bench
    for row in results["summary"]:
        tape = next(t for t in results["tapes"] if t["name"] == row["tape"])
        if not row["is_floor"]:
            assert row["reallocs_in_place"] + row["reallocs_moved"] == tape["reallocs"]
            assert (row["reallocs_moved_bytes"] > 0) <= (row["reallocs_moved"] > 0)


def test_the_table_names_everything(bench):
    _, results, ran = bench
    blocks = ran.stdout.split("\n\n")
    assert len(blocks) == 2
    for block, tape in zip(blocks, ("one", "threads")):
        assert block.startswith(tape) and "floor" in block.splitlines()[0]
        shown = {line.split()[0] for line in block.splitlines()[2:]}
        assert shown == {a["name"] for a in results["allocators"] if not a["is_floor"]}
    assert "\x1b" not in ran.stdout and "baseline" in ran.stdout
    assert "\r" not in ran.stderr  # no terminal, no progress


def test_summary_as_json_and_csv(heaptape, tape, tmp_path):
    result = heaptape("bench", tape, *ONLY, "--quick", "-o", tmp_path / "r", "--format=json")
    assert json.loads(result.stdout)["summary"] == results_of(tmp_path / "r")["summary"]
    result = heaptape("bench", tape, *ONLY, "--quick", "-o", tmp_path / "r", "--format=csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["allocator"] for row in rows] == ["libc", "htmalloc", "null"]
    assert all(float(row["ns_per_operation_median"]) > 0 for row in rows)


def test_few_rounds_say_so(heaptape, tape, tmp_path):
    result = heaptape("bench", tape, *ONLY, "-n", 1, "-o", tmp_path / "r")
    assert result.returncode == 0 and "-n 6" in result.stderr
    row = next(r for r in results_of(tmp_path / "r")["summary"] if r["allocator"] == "htmalloc")
    assert row["ns_per_operation"]["median"] > 0 and row["ns_per_operation"]["ci_low"] is None
    assert row["relative_time"]["verdict"] == "no difference shown"


def stops(heaptape, tape, folder, *options):
    assert heaptape("bench", tape, *ONLY, *options, "-o", folder).returncode == 0
    results = results_of(folder)
    return results["settings"], {row["allocator"]: row for row in results["summary"]}


def width(row):
    ratio = row["relative_time"]
    return (ratio["ci_high"] - ratio["ci_low"]) / ratio["median"]


def test_rounds_go_on_until_the_intervals_are_narrow(heaptape, tape, tmp_path):
    settings, rows = stops(heaptape, tape, tmp_path / "r", "--precision=900%")
    assert settings["rounds_auto"] is True and settings["precision"] == 9
    for row in rows.values():  # 6: with fewer no difference could be shown
        assert (row["rounds"], row["stopped"]) == (6, "baseline" if row["allocator"] == "libc" else "precise")
        assert row["relative_time"]["verdict"] == "baseline" or width(row) <= 9
    assert rows["null"]["relative_time"]["p_value"] == 2 ** -5

    settings, rows = stops(heaptape, tape, tmp_path / "r", "-n", "auto", "--precision=0.0001%", "--max-time=1h")
    assert settings["rounds"] == 30
    assert {row["stopped"] for row in rows.values()} == {"max_rounds", "baseline"}
    assert {row["rounds"] for row in rows.values()} == {30}

    _, rows = stops(heaptape, tape, tmp_path / "r", "--precision=0.0001%", "--max-time=1ms")
    assert {(row["rounds"], row["stopped"]) for row in rows.values()} == {(6, "max_time"), (6, "baseline")}


def test_each_allocator_stops_by_itself(heaptape, tape, tmp_path):
    """By default; libc has every round that anyone has, so that all can be paired."""
    settings, rows = stops(heaptape, tape, tmp_path / "r")
    assert settings["rounds_auto"] is True and settings["precision"] == 0.02
    for name in ("htmalloc", "null"):
        row = rows[name]
        assert 6 <= row["rounds"] <= 30
        assert row["stopped"] == ("precise" if width(row) <= 0.02 else row["stopped"])
        assert row["stopped"] in ("precise", "max_rounds", "max_time")
        assert (row["stopped"] == "precise") == (width(row) <= 0.02)
    assert rows["libc"]["rounds"] == max(rows[name]["rounds"] for name in ("htmalloc", "null"))


def test_a_number_of_rounds_is_kept(heaptape, tape, tmp_path):
    settings, rows = stops(heaptape, tape, tmp_path / "r", "-n", "7")
    assert settings["rounds_auto"] is False and settings["precision"] is None
    assert {(row["rounds"], row["stopped"]) for row in rows.values()} == {(7, "fixed")}
    assert rows["null"]["relative_time"]["verdict"] == "faster"


def test_the_same_allocator_under_other_names_shows_no_difference(heaptape, tape, tmp_path):
    """Of 12 comparisons of libc with itself, one may be told to differ: a bench in ten has any."""
    names = [word for i in range(6) for word in ("-a", f"again{i}=libc")]
    told = []
    for seed in (1, 2):  # a second chance: by chance two are told in one bench of a hundred
        folder = tmp_path / f"r{seed}"
        assert heaptape("bench", tape, *names, "-n", 12, f"--seed={seed}", "-o", folder).returncode == 0
        told = [(row["allocator"], key, row[key]) for row in results_of(folder)["summary"] if not row["is_floor"]
                for key in ("relative_time", "relative_peak_resident")
                if row[key]["verdict"] not in ("no difference shown", "baseline")]
        if len(told) <= 1:
            return
    raise AssertionError(told)


def test_tapes_of_one_name_are_told_apart(heaptape, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make_tape(tmp_path / folder / "x y.tape", events=5000)
    result = heaptape("bench", tmp_path / "a/x y.tape", tmp_path / "b/x y.tape", *ONLY, "--quick", "-o", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    assert [tape["name"] for tape in results_of(tmp_path / "r")["tapes"]] == ["x_y", "x_y-2"]


# ---- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["bench", "replay"])
@pytest.mark.parametrize("content", [b"", b"no tape at all", b"\0" * 5000])
def test_what_is_no_tape(heaptape, tmp_path, command, content):
    path = tmp_path / "bad.tape"
    path.write_bytes(content)
    result = heaptape(command, path, cwd=tmp_path)
    assert result.returncode == 3 and str(path) in one_line(result.stderr, command)
    assert not (tmp_path / "heaptape-results").exists()


@pytest.mark.parametrize("command", ["bench", "replay"])
def test_no_such_tape(heaptape, tmp_path, command):
    result = heaptape(command, tmp_path / "gone.tape", cwd=tmp_path)
    assert result.returncode in (3, 4) and "gone.tape" in one_line(result.stderr, command)


@pytest.mark.parametrize("command", ["bench", "replay"])
def test_bad_allocators(heaptape, tape, tmp_path, command):
    result = heaptape(command, tape, "-a", "nomalloc", cwd=tmp_path)
    assert result.returncode == 2 and "jemalloc" in one_line(result.stderr, command)
    result = heaptape(command, tape, "-a", "x=/no/such.so", cwd=tmp_path)
    assert result.returncode == 4 and "/no/such.so" in one_line(result.stderr, command)
    assert not (tmp_path / "heaptape-results").exists()


@pytest.mark.parametrize("arguments", [[], ["-n", "0"], ["-n", "x"], ["-n", "99999"], ["--touch=all"], ["--order=any"],
                                       ["--timeout=soon"], ["--memory-limit=much"], ["--seed=x"], ["--format=xml"],
                                       ["-n", "automatic"],
                                       ["--precision=0"], ["--precision=2x"], ["--precision=2000%"], ["--max-time=soon"]])
def test_usage_errors(heaptape, tape, tmp_path, arguments):
    tapes = [tape] if arguments else []
    result = heaptape("bench", *tapes, *arguments, cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    one_line(result.stderr, "bench")


@pytest.mark.parametrize("name", ["libc", "null"])
def test_the_baseline_and_the_floor_keep_their_names(heaptape, tape, tmp_path, name):
    result = heaptape("bench", tape, "-a", f"{name}={BROKEN['null']}", cwd=tmp_path)
    assert result.returncode == 2 and name in one_line(result.stderr, "bench")


def test_folders_of_others_are_left_alone(heaptape, tape, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    result = heaptape("bench", tape, *ONLY, "--quick", "-o", tmp_path)
    assert result.returncode == 4 and "not a results folder" in one_line(result.stderr, "bench")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    for folder in (tmp_path / "thesis.tex", tmp_path / "no/such/folder", pathlib.Path("/proc/nowhere")):
        result = heaptape("bench", tape, *ONLY, "--quick", "-o", folder)
        assert result.returncode == 4 and str(folder) in one_line(result.stderr, "bench")


def test_an_earlier_bench_is_replaced_whole(heaptape, tape, threads_tape, tmp_path):
    folder = tmp_path / "r"
    assert heaptape("bench", tape, *ONLY, "--quick", "-o", folder).returncode == 0
    assert heaptape("bench", threads_tape, *ONLY, "--quick", "-o", folder).returncode == 0
    assert {path.name.split(".")[0] for path in (folder / "series").iterdir()} == {"threads"}
    assert {path.name for path in folder.iterdir()} == {"series", "results.json", "latency.csv"}
    assert "threads" in (folder / "latency.csv").read_text() and ",one," not in (folder / "latency.csv").read_text()


def test_a_disk_that_refuses(tape, tmp_path):
    """Files may not grow over 100 bytes: the sizes cannot be written, and nothing has run."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    folder = tmp_path / "r"
    result = subprocess.run([BUILD / "libexec/heaptape/heaptape-bench", tape, "--quick", "-o", folder],
                            preexec_fn=limit, capture_output=True, text=True, timeout=60)
    assert result.returncode == 4
    message = one_line(result.stderr, "bench")
    assert str(folder) in message and "File too large" in message
    assert not list(folder.rglob("*.tmp"))


def test_a_full_disk(heaptape, tape, tmp_path):
    """It fills up in the middle: what was written before stays readable."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", disk],
                                      capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        result = heaptape("bench", tape, *ONLY, "-n", 30, "-o", disk / "r")
        assert result.returncode == 4
        message = one_line(result.stderr, "bench")
        assert str(disk / "r") in message and "No space left" in message
        assert results_of(disk / "r")["complete"] is False
        assert not list(disk.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_full_standard_output(tape, tmp_path):
    with open("/dev/full", "w") as full:
        result = subprocess.run([BUILD / "libexec/heaptape/heaptape-replay", tape], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 4 and "No space left" in one_line(result.stderr, "replay")


def test_bundled_tapes_can_be_benched(heaptape, tmp_path):
    corpus = sorted((ROOT / "traces/corpus").glob("*.tape"))
    if not corpus:
        pytest.skip("no bundled tapes yet")
    result = heaptape("bench", *corpus, *ONLY, "--quick", "--strict", "-o", tmp_path / "r")
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(results_of(tmp_path / "r")["tapes"]) == len(corpus)


def test_a_damaged_tape_is_benched_with_a_warning(heaptape, tmp_path):
    path = make_tape(tmp_path / "t.tape", events=400_000, live=3000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    result = heaptape("bench", path, *ONLY, "--quick", "-o", tmp_path / "r")
    assert result.returncode == 0, result.stderr
    results = results_of(tmp_path / "r")
    assert results["tapes"][0]["complete"] is False
    assert "damaged_tape" in {warning["code"] for warning in results["warnings"]}


def test_it_works_from_anywhere(heaptape, tape, tmp_path):
    """Relative tape, default folder, tools found beside the executable."""
    shutil.copy(tape, tmp_path / "here.tape")
    result = heaptape("bench", "here.tape", *ONLY, "--quick", cwd=tmp_path, env={"PATH": os.environ["PATH"]})
    assert result.returncode == 0, result.stderr
    assert results_of(tmp_path / "heaptape-results")["complete"] is True


def test_tapes_on_standard_input(heaptape, tape, tmp_path):
    """A file there is read as what it is; a pipe cannot be read more than once and is told so."""
    with open(tape, "rb") as file:
        result = heaptape("replay", "/dev/stdin", "--format=json", stdin=file)
    assert result.returncode == 0 and json.loads(result.stdout)["status"] == "ok"
    result = heaptape("bench", "/dev/stdin", "-o", tmp_path / "r", stdin=subprocess.PIPE)
    assert result.returncode == 3 and "a pipe" in one_line(result.stderr, "bench")
