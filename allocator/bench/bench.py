#!/usr/bin/python3
"""Runs programs on each allocator in turn and prints CPU and peak resident memory relative to glibc.

Examples:
    bench.py --build build                        all programs, three rounds
    bench.py --build build --only mixed,sqlite    some of them
    bench.py --build build --rounds 5 --format csv

Rounds are interleaved: each runs every program on every allocator once, in a random order from --seed.
Figures are medians over rounds; the last rows are geometric means. Lower is better.
"""
from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_LIBRARIES = {
    "jemalloc": "libjemalloc.so.2",
    "mimalloc": "libmimalloc.so.2.0",
    "tcmalloc": "libtcmalloc_minimal.so.4",
    "tbbmalloc": "libtbbmalloc_proxy.so.2",
}
WORKLOADS = [
    "single", "mixed", "hot", "stack", "queue", "phases", "bursts", "growth", "large", "huge",
    "aligned", "trees", "table", "passing", "larson", "server", "spawn",
]


@dataclass
class Program:
    name: str
    argv: list[str]
    kind: str  # "churn", "real" or "tiny"
    env: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""


@dataclass
class Sample:
    cpu_us: int
    resident_kib: int
    faults: int


def allocators(build: Path) -> dict[str, str]:
    """Name to library, "-" for glibc's own; those that are installed."""
    found = {"glibc": "-", "htmalloc": str((build / "lib/heaptape/libhtmalloc.so").resolve())}
    for name, library in SYSTEM_LIBRARIES.items():
        path = Path("/usr/lib/x86_64-linux-gnu") / library
        if path.exists():
            found[name] = str(path)
    return found


def write_inputs(folder: Path) -> None:
    """Files that the real programs read; the same on every run."""
    chance = random.Random(7)
    words = ["".join(chance.choice("abcdefghijklmnop") for _ in range(chance.randint(2, 12)))
             for _ in range(5000)]
    lines = [" ".join(chance.choice(words) for _ in range(10)) for _ in range(100000)]
    (folder / "text").write_text("\n".join(lines) + "\n")
    rows = ",".join('{"id":%d,"name":"%s","tags":["%s","%s"],"v":%f}' % (
        i, chance.choice(words), chance.choice(words), chance.choice(words), chance.random())
        for i in range(40000))
    (folder / "data.json").write_text("[" + rows + "]")
    (folder / "code.cc").write_text(
        "#include <algorithm>\n#include <iostream>\n#include <map>\n#include <regex>\n"
        "#include <string>\n#include <vector>\nint main() { std::map<std::string, "
        "std::vector<std::regex>> m; m[\"a\"].emplace_back(\"b+\"); std::cout << m.size(); }\n")
    functions = "".join(
        f"int f{i}(int a, int b) {{ int s = {i}; for (int j = 0; j < a; j++) s += b * j ^ s >> 3; "
        f"if (s & 1) return s - b; return s + f{max(i - 1, 0)}(a - 1, s); }}\n" for i in range(600))
    (folder / "code.c").write_text(functions)
    (folder / "work.sql").write_text(
        "create table t(a integer primary key, b text, c real);\n"
        "with recursive n(i) as (select 1 union all select i+1 from n where i<120000) "
        "insert into t select i, hex(i*7919)||'x'||i, i*0.5 from n;\n"
        "create index tb on t(b);\nselect count(*), sum(length(b)) from t where b like '%3%';\n"
        "select b, count(*) from t group by substr(b,1,3) order by 2 desc limit 5;\n"
        "update t set b = b||'y' where a % 3 = 0;\nselect group_concat(b) is null from t;\n")


PYTHON = """
import json, collections, re
data = json.load(open('data.json'))
words = collections.Counter(w for l in open('text') for w in l.split())
tree = {i: {'k': str(i), 'l': [i, i + 1]} for i in range(60000)}
text = json.dumps([tree[i] for i in range(0, 60000, 7)])
print(len(text), len(words), sum(len(r['name']) for r in data), len(re.findall('a.b', text)))
"""
PERL = """
open F, 'text'; while (<F>) { for (split) { $c{$_}++; push @{$p{substr $_,0,2}}, $.; } }
my @k = sort { $c{$b} <=> $c{$a} } keys %c; my $n = 0; $n += @{$p{$_}} for keys %p; print scalar @k, " $n\\n";
"""
LUA = """
local t = {} for i = 1, 300000 do t[i] = {name = 'n' .. i, at = {i, i * 2}} end
local s = {} for i = 1, 300000, 3 do s[#s + 1] = t[i].name .. t[i].at[2] end print(#table.concat(s))
"""
NODE = """
const d = JSON.parse(require('fs').readFileSync('data.json')); const m = new Map();
for (let r = 0; r < 5; r++) for (const x of d) { const b = Buffer.alloc(200 + x.id % 3000); b[0] = 1; m.set(x.name + r, b); }
console.log(m.size);
"""
AWK = "{for(i=1;i<=NF;i++){c[$i]++; p[substr($i,1,3) NR%1000]=$i}} END{n=0; for(k in p)n++; print n, length(c)}"


def real_programs(folder: Path) -> list[Program]:
    """The real applications that are installed here, on inputs from write_inputs()."""
    def compiler(name: str, which: str) -> str:
        if shutil.which(name) is None:
            return ""
        return subprocess.run([name, f"-print-prog-name={which}"], capture_output=True,
                              text=True, check=True).stdout.strip()
    cc1, cc1plus = compiler("gcc", "cc1"), compiler("g++", "cc1plus")
    if cc1plus:
        subprocess.run(["g++", "-E", "code.cc", "-o", "code.ii"], cwd=folder, check=True)
    wanted = [
        Program("cc1", [cc1, "-quiet", "-O2", "code.c", "-o", "/dev/null"], "real"),
        Program("cc1plus", [cc1plus, "-quiet", "-O1", "code.ii", "-o", "/dev/null"], "real"),
        Program("python3", ["/usr/bin/python3", "-c", PYTHON], "real", {"PYTHONMALLOC": "malloc"}),
        Program("perl", ["perl", "-e", PERL], "real"),
        Program("sqlite3", ["sqlite3", ":memory:", ".read work.sql"], "real"),
        Program("jq", ["jq", "map(.name) | group_by(.) | length", "data.json"], "real"),
        Program("lua", ["lua5.4", "-e", LUA], "real"),
        Program("node", ["node", "-e", NODE], "real"),
        Program("awk", ["awk", AWK, "text"], "real"),
        Program("sort", ["sort", "-S", "8M", "text"], "real"),
        Program("git", ["git", "-c", "core.pager=cat", "log", "--stat"], "real"),
        Program("xz", ["xz", "-3", "-k", "-c", "text"], "real"),
        Program("redis", ["sh", "-c", REDIS], "real"),
        Program("true", ["/bin/true"], "tiny"),
        Program("ls", ["ls", "-l", "/usr/bin"], "tiny"),
        Program("sh", ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do x=$x$i; done"], "tiny"),
        Program("bash", ["bash", "-c", "for i in {1..3000}; do x[$i]=$i$i; done; echo ${#x[@]}"], "tiny"),
        Program("date", ["date", "+%A %d %B"], "tiny"),
    ]
    return [one for one in wanted if one.argv[0] and shutil.which(one.argv[0])]


REDIS = """
redis-server --port 0 --unixsocket ./redis.sock --save '' --daemonize no > /dev/null & server=$!
while ! [ -S ./redis.sock ]; do sleep 0.05; done
unset LD_PRELOAD
redis-benchmark -s ./redis.sock -q -n 60000 -r 50000 -d 200 -t set,lpush,hset > /dev/null
redis-benchmark -s ./redis.sock -q -n 30000 -r 50000 -d 700 -t set,get > /dev/null
redis-cli -s ./redis.sock shutdown nosave 2>/dev/null; wait $server
"""


def measure(launcher: Path, program: Program, library: str, folder: Path) -> Sample | str:
    """One run; a string says why there is no figure."""
    out = folder / "usage"
    env = dict(os.environ, **program.env)
    env.pop("LD_PRELOAD", None)
    cwd = folder if program.name != "git" else Path(__file__).resolve().parent
    try:
        subprocess.run([str(launcher), str(out), library, *program.argv], cwd=cwd, env=env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        return str(error)
    status, user, system, resident, faults = map(int, out.read_text().split())
    if status != 0:
        return f"status {status}"
    return Sample(user + system, resident, faults)


def geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else float("nan")


def table(results: dict, programs: list[Program], names: list[str], what: str) -> list[list[str]]:
    """Rows of ratios to glibc; what is a field of Sample."""
    rows, ratios = [], {}
    for program in programs:
        base = statistics.median(getattr(s, what) for s in results[program.name, "glibc"])
        row = [program.name, f"{base:.0f}"]
        for name in names[1:]:
            samples = [s for s in results[program.name, name] if isinstance(s, Sample)]
            if not samples:
                row.append(str(results[program.name, name][0])[:12])
                continue
            ratio = statistics.median(getattr(s, what) for s in samples) / max(base, 1)
            row.append(f"{ratio:.3f}")
            if what != "cpu_us" or program.kind != "tiny":
                ratios.setdefault((program.kind, name), []).append(ratio)
        rows.append(row)
    kinds = [kind for kind in ("churn", "real", "tiny") if any(k == kind for k, _ in ratios)]
    for kind in kinds:
        rows.append([f"mean {kind}", ""] + [
            f"{geometric_mean(ratios.get((kind, name), [])):.3f}" for name in names[1:]])
    rows.append(["mean all", ""] + [
        f"{geometric_mean([r for kind in kinds for r in ratios.get((kind, name), [])]):.3f}"
        for name in names[1:]])
    return rows


def show(title: str, header: list[str], rows: list[list[str]], form: str) -> None:
    if form == "csv":
        for row in rows:
            print(",".join([title, *row]))
        return
    print(f"\n{title} (ratio to glibc, lower is better)")
    for row in [header, *rows]:
        print(f"{row[0]:<14}{row[1]:>10}" + "".join(f"{cell:>11}" for cell in row[2:]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--allocators", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=["table", "csv"], default="table")
    options = parser.parse_args()
    bench = options.build / "libexec/heaptape-bench"
    found = allocators(options.build)
    if options.allocators:
        found = {k: v for k, v in found.items() if k in ("glibc", *options.allocators.split(","))}
    with tempfile.TemporaryDirectory(prefix="heaptape-bench-") as name:
        folder = Path(name)
        write_inputs(folder)
        programs = [Program(w, [str((bench / "workloads").resolve()), w, str(options.seed)], "churn")
                    for w in WORKLOADS] + real_programs(folder)
        if options.only:
            programs = [p for p in programs if p.name in options.only.split(",")]
        results: dict = {}
        chance = random.Random(options.seed)
        for number in range(options.rounds):
            pairs = [(p, a) for p in programs for a in found]
            chance.shuffle(pairs)
            for at, (program, allocator) in enumerate(pairs):
                if sys.stderr.isatty():
                    print(f"\rround {number + 1}, {at + 1} of {len(pairs)}: {program.name:<12}",
                          end="", file=sys.stderr)
                sample = measure((bench / "measure").resolve(), program, found[allocator], folder)
                results.setdefault((program.name, allocator), []).append(sample)
    names = list(found)
    header = ["program", "glibc", *names[1:]]
    bad = [p.name for p in programs
           if not all(isinstance(s, Sample) for s in results[p.name, "glibc"])]
    programs = [p for p in programs if p.name not in bad]
    for program in bad:
        print(f"left out, fails on glibc: {program}", file=sys.stderr)
    for title, what in (("CPU", "cpu_us"), ("peak resident", "resident_kib"), ("faults", "faults")):
        show(title, header, table(results, programs, names, what), options.format)
    return 0


if __name__ == "__main__":
    sys.exit(main())
