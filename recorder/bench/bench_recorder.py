"""What recording costs: CPU of the program with and without, as ratios, medians of interleaved runs.

usage: bench_recorder.py BUILD [ROUNDS]

Programs that are not installed are left out. The collector's and the resolver's CPU stand apart: they run
beside the program and after it. "ns/event" is the program's added CPU over the events on its tape,
"+sites=D ns" what call sites of D frames add to that.
heaptrack and libmemusage (Debian packages heaptrack and libc-devtools) are measured in the same rounds.
"""

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

SQL = """create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i+1 from n where i<300000)
  insert into t select i, hex(randomblob(10)), i*1.5 from n;
create index tb on t(b);
select count(*), sum(length(b)) from t where b like '%A1%';
select b, count(*) from t group by substr(b,1,3) order by 2 desc limit 5;
select max(length(x)) from (select group_concat(b) x from t group by a%1000);
"""
PYTHON = """import collections, json, re
rows = [{"id": i, "name": "n%d" % (i * 7919 % 10007), "tags": ["a%d" % (i % 7), "b"]} for i in range(20000)]
for _ in range(3):
    rows = json.loads(json.dumps(rows))
    names = collections.Counter(re.sub("[0-9]", "x", row["name"]) + row["tags"][0] for row in rows)
print(len(rows), names.most_common(2), sorted(rows, key=lambda row: row["name"])[0])
"""
PYTHON_CHURN = """d = {}
for i in range(600000):
    d[i % 5000] = [str(i), (i, i + 1)]
print(len(d))
"""
JQ = 'map({id, t: (.tags | join("-"))}) | group_by(.t) | map(length)'
DEPTHS = (1, 8)  # frames of call sites
MEMUSAGE = "/usr/lib/x86_64-linux-gnu/libmemusage.so"


def programs(build: pathlib.Path, folder: pathlib.Path) -> dict:
    (folder / "q.sql").write_text(SQL)
    (folder / "p.py").write_text(PYTHON)
    (folder / "churn.py").write_text(PYTHON_CHURN)
    (folder / "j.json").write_text(
        json.dumps([{"id": i, "tags": [f"a{i % 7}", f"b{i % 11}"], "v": i * 0.37} for i in range(60000)])
    )
    churn = build / "tests/record_churn"
    every = {
        "churn, 1 thread": [churn, "1", "4000000", "0"],
        "churn, 2 threads": [churn, "2", "4000000", "0"],
        "churn, 4 threads": [churn, "4", "4000000", "0"],
        "churn, 4 threads, 20 % crossing": [churn, "4", "4000000", "20"],
        "sqlite3": ["sqlite3", ":memory:", f".read {folder}/q.sql"],
        "jq": ["jq", "-c", JQ, folder / "j.json"],
        "python3, PYTHONMALLOC=malloc": ["/usr/bin/python3", folder / "p.py"],
        "python3, the same, pure churn": ["/usr/bin/python3", folder / "churn.py"],
    }
    return {name: [str(w) for w in command] for name, command in every.items() if shutil.which(command[0])}


def run(command, environment) -> tuple[float, str]:
    """CPU seconds of a command and all that it waited for; its stderr."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            errors.seek(0)
            sys.exit(f"bench_recorder: {command[0]} failed: {errors.read().decode(errors='replace')[-300:]}")
        errors.seek(0)
        return usage.ru_utime + usage.ru_stime, errors.read().decode(errors="replace")


class Recorder:
    def __init__(self, build, folder):
        self.record, self.tape = build / "libexec/heaptape/heaptape-record", folder / "x.tape"

    def measure(self, command, environment, *options) -> dict:
        _, said = run([str(self.record), "-v", *options, "-o", str(self.tape), "--", *command], environment)
        cpu = [float(x) for x in re.search(r"program ([\d.]+), collector ([\d.]+), resolver ([\d.]+)", said).groups()]
        events = int(re.search(r"(\d+) events", said)[1])
        return dict(cpu=cpu[0], collector=cpu[1], resolver=cpu[2], events=events, bytes=self.tape.stat().st_size)


def others(folder) -> dict:
    """Tools to compare with: name -> (command prefix, environment)."""
    found = {}
    if pathlib.Path(MEMUSAGE).exists():
        found["memusage"] = ([], {"LD_PRELOAD": MEMUSAGE, "MEMUSAGE_OUTPUT": str(folder / "memusage")})
    if shutil.which("heaptrack"):
        preload = next(pathlib.Path("/usr/lib").glob("**/libheaptrack_preload.so"), None)
        if preload:
            found["heaptrack"] = (
                [],
                {"LD_PRELOAD": str(preload), "DUMP_HEAPTRACK_OUTPUT": str(folder / "heaptrack.raw")},
            )
    return found


def main() -> None:
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = pathlib.Path(tempfile.mkdtemp(prefix="heaptape-bench-"))
    recorder, tools = Recorder(build, folder), others(folder)
    print(f"recording, {rounds} interleaved rounds, medians; CPU of the program relative to without, lower is better")
    columns = ["program", "CPU s", "recorded", "ns/event", "collector s", "resolver s", "B/event",
               *(f"+sites={d} ns" for d in DEPTHS), *tools]
    print(f"{columns[0]:33}" + "".join(f"{c:>12}" for c in columns[1:]))
    for name, command in programs(build, folder).items():
        environment = dict(os.environ, PYTHONMALLOC="malloc")
        plain, recorded, compared = [], [], {tool: [] for tool in tools}
        sites = {depth: [] for depth in DEPTHS}
        for _ in range(rounds):
            plain.append(run(command, environment)[0])
            recorded.append(recorder.measure(command, environment))
            for depth in DEPTHS:
                sites[depth].append(recorder.measure(command, environment, f"--sites={depth}")["cpu"])
            for tool, (prefix, extra) in tools.items():
                compared[tool].append(run([*prefix, *command], {**environment, **extra})[0])
        base = statistics.median(plain)
        middle = {key: statistics.median(r[key] for r in recorded) for key in recorded[0]}
        added = (middle["cpu"] - base) / middle["events"] * 1e9
        cells = [f"{base:.3f}", f"{middle['cpu'] / base:.3f}", f"{added:.1f}", f"{middle['collector']:.3f}",
                 f"{middle['resolver']:.3f}", f"{middle['bytes'] / middle['events']:.2f}"]
        cells += [f"{(statistics.median(sites[d]) - middle['cpu']) / middle['events'] * 1e9:.1f}" for d in DEPTHS]
        cells += [f"{statistics.median(values) / base:.2f}" for values in compared.values()]
        print(f"{name:33}" + "".join(f"{c:>12}" for c in cells), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
