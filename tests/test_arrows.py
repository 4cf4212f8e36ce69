"""The arrows between rooms run one way: ARCHITECTURE.md's table, checked on every #include.

What each place may include from this tree (by prefix); its own folder is always allowed.
"""

import re
import subprocess

from conftest import ROOT

ALLOWED = {
    "traces": [],
    "recorder/preload": ["traces/raw_record.h", "recorder/ring.h"],
    "recorder": ["traces/", "recorder/ring.h", "recorder/collector/"],
    "recorder/collector": ["traces/", "recorder/ring.h"],
    "recorder/attach": ["traces/", "recorder/ring.h", "recorder/collector/", "recorder/preload/attach.h"],
    "allocator": [],
    "replayer/engine": ["traces/"],
    "replayer/counter": ["recorder/preload/syscalls.h", "recorder/preload/operators.h"],
    "replayer/driver": ["traces/", "replayer/engine/result.h", "replayer/engine/latency_result.h", "replayer/counter/counts.h"],
    "analysis": ["traces/"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def room_of(path: str) -> str:
    """The longest key of ALLOWED that is a folder above the file; '' for tests, which may use everything."""
    return max((k for k in ALLOWED if path.startswith(k + "/")), key=len, default="")


def resolve(path: str, included: str) -> str:
    """Includes are named from the top; one without a slash, or found beside the file, is of its own folder."""
    beside = (ROOT / path).parent / included
    if beside.exists() and not (ROOT / included).exists():
        return str(beside.resolve().relative_to(ROOT))
    return included


def violations(files):
    for path, text in files:
        room = room_of(path)
        if not room:
            continue
        for included in INCLUDE.findall(text):
            target = resolve(path, included)
            own = target.startswith(room + "/")
            if not own and not any(target == a or (a.endswith("/") and target.startswith(a)) for a in ALLOWED[room]):
                yield f"{path} includes {target}: no arrow from {room}"


def sources():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.c", "*.h", "*.S"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()
    return [(p, (ROOT / p).read_text()) for p in listed if (ROOT / p).exists()]


def test_arrows_run_one_way():
    files = sources()
    assert len(files) > 20
    assert list(violations(files)) == []


def test_a_wrong_arrow_is_seen():
    planted = [
        ("traces/reader.c", '#include "recorder/ring.h"\n'),
        ("allocator/htmalloc/run.c", '#include "traces/event.h"\n'),
        ("recorder/preload/lane.c", '#include "traces/reader.h"\n'),
        ("replayer/driver/spawn.c", '#include "replayer/engine/plan.h"\n'),
    ]
    assert len(list(violations(planted))) == len(planted)


def test_python_of_the_analysis_reads_files_only():
    for path in (ROOT / "analysis").rglob("*.py"):
        text = path.read_text()
        for forbidden in ("import ctypes", "import subprocess", "os.system"):
            assert forbidden not in text, f"{path}: {forbidden}"
