"""heaptape stats: what htmalloc tells of itself, for people and for programs."""

import json
import os
import re

PARTS = ("live", "internal", "free_in_runs", "uncarved", "cached", "dirty", "huge_kept", "metadata", "clean")


def told(heaptape, *words, **more):
    result = heaptape("stats", "--format=json", *words, **more)
    return json.loads(result.stderr).get("allocator_statistics")


def test_the_section_for_people(heaptape):
    result = heaptape("stats", "-a", "htmalloc", "--", "/bin/ls", "/")
    assert result.returncode == 0
    section = result.stderr.split("\n\nhtmalloc ")[1]
    assert re.match(r"\S+'s own statistics, as ls \(process \d+\) ended\n", section)
    values = [int(value) for value in re.findall(r"\((\d+) bytes\)$|(?<= )(\d+) B$", section, re.M) for value in value if value]
    assert len(values) == 10 and sum(values[:-1]) == values[-1]
    assert re.search(r"^ +block bytes +runs +in use +free +carved +room for\n( +\d+){6}$", section, re.M)


def test_the_figures_for_programs(heaptape):
    (one,) = told(heaptape, "-a", "htmalloc", "--", "/bin/ls", "/")
    assert one["program"] == "ls" and one["library"].startswith("htmalloc")
    assert sum(one[part + "_bytes"] for part in PARTS) == one["mapped_bytes"] > 0
    assert one["classes"] and all(row["runs"] > 0 for row in one["classes"])
    assert one["threads"][0]["number"] == 1


def test_each_process_tells(heaptape):
    processes = told(heaptape, "-a", "htmalloc", "--", "/bin/sh", "-c", "(ls /; exit 3) >/dev/null; true; /bin/true")
    programs = [one["program"] for one in processes]
    assert programs[-1] == "sh" and programs.count("sh") == 2 and {"ls", "true"} <= set(programs)
    result = heaptape("stats", "-a", "htmalloc", "--", "/bin/sh", "-c", "(exit 3); true")
    assert re.search(r"process +program +in use +free in runs +dirty +mapped", result.stderr)


def test_without_counting_too(heaptape):
    (one,) = told(heaptape, "--no-count", "-a", "htmalloc", "--", "/bin/true")
    assert one["program"] == "true"


def test_options_of_the_users_stay(heaptape):
    script = "echo $HTMALLOC_OPTIONS"
    result = heaptape("stats", "-a", "htmalloc,HTMALLOC_OPTIONS=dirty_min=1M", "--", "/bin/sh", "-c", script)
    assert re.fullmatch(r"dirty_min=1M,stats_file=/proc/\d+/fd/\d+\n", result.stdout)
    assert "'s own statistics" in result.stderr


def test_a_file_of_the_users_is_left_to_them(heaptape, tmp_path):
    path = tmp_path / "own"
    environment = dict(os.environ, HTMALLOC_OPTIONS=f"stats_file={path}")
    assert told(heaptape, "-a", "htmalloc", "--", "/bin/true", env=environment) == []
    assert json.loads(path.read_text().splitlines()[-1])["program"] == "true"


def test_a_program_that_a_signal_ends(heaptape):
    result = heaptape("stats", "-a", "htmalloc", "--", "/bin/sh", "-c", "kill -KILL $$")
    assert result.returncode == 128 + 9
    assert "no statistics of the allocator's own: a signal ended the program" in result.stderr


def test_others_have_none(heaptape):
    assert told(heaptape, "-a", "libc", "--", "/bin/true") is None
    result = heaptape("stats", "--", "/bin/sh", "-c", "echo options: $HTMALLOC_OPTIONS")
    assert result.stdout == "options:\n" and "own statistics" not in result.stderr


def test_the_hardened_build_tells_too(heaptape):
    (one,) = told(heaptape, "-a", "htmalloc-hard", "--", "/bin/ls", "/")
    assert sum(one[part + "_bytes"] for part in PARTS) == one["mapped_bytes"]
