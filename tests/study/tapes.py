"""The programs whose heaps the study replays: ordinary ones at ordinary work, of one thread each, on inputs made here.

Each makes 0.1 to 2 million events, few enough for the slow policies to get through.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "truth"))
import workloads as truth  # noqa: E402
from workloads import Workload, inputs, program_of_gcc  # noqa: E402

SCALED = {  # of the programs of make truth: smaller, for theirs take minutes on a list of a million free blocks
    "PYTHON": truth.PYTHON.replace("60000", "1600"),
    "PERL": truth.PERL.replace("250000", "18000").replace("997", "211"),
    "LUA": truth.LUA.replace("900000", "24000").replace("150000", "4000"),
}
GAWK = "{n[$2]++; s[$1 % 5000] = s[$1 % 5000] $2; if (NR % 40000 == 0) delete s} END {for (w in n) t += n[w]; print t, length(s)}"
ROWS = 20000


def c_source() -> str:
    """A file of this repository, preprocessed."""
    root = HERE.parent.parent
    return truth.subprocess.run(["gcc", "-E", "-D_GNU_SOURCE", f"-I{root}", root / "replayer/engine/plan.c"],
                                capture_output=True, text=True, check=True).stdout


def changed(text: str) -> str:
    """The same text with every 7th line different, some gone and some new, for a diff."""
    lines = text.splitlines()
    return "\n".join(line[::-1] if i % 7 == 0 else line for i, line in enumerate(lines) if i % 31) + "\n"


def grammar() -> str:
    """Expressions with as many levels of precedence as bison takes in a moment."""
    levels = 90
    rules = "".join(f"e{i}: e{i + 1} | e{i} T{i} e{i + 1} | U{i} e{i + 1} ;\n" for i in range(levels))
    tokens = " ".join(f"T{i} U{i}" for i in range(levels))
    return f"%token {tokens} N\n%start e0\n%%\n{rules}e{levels}: N | '(' e0 ')' ;\n%%\n"


def assembly() -> str:
    return truth.subprocess.run(["g++", "-S", "-O1", "-g", "-o", "-", "-x", "c++", "-"], input=truth.CXX, capture_output=True,
                                text=True, check=True).stdout


def workloads() -> list[Workload]:
    words = lambda: "\n".join(truth.many_words().splitlines()[:120_000]) + "\n"  # noqa: E731
    sql = truth.SQL.format(customers=ROWS // 15, orders=ROWS)
    old = lambda: inputs.text(30000)  # noqa: E731
    return [
        Workload("cc1", "gcc", (program_of_gcc("cc1"), "-quiet", "-O2", "-fpreprocessed", "in.i", "-o", "out.s"), {"in.i": c_source}),
        Workload("cc1plus", "g++", (program_of_gcc("cc1plus"), "-quiet", "-fsyntax-only", "-fpreprocessed", "in.ii", "-o", "out.s"),
                 {"in.ii": truth.preprocessed}),
        Workload("python3", "/usr/bin/python3", ("/usr/bin/python3", "-S", "run.py"), {"run.py": lambda: SCALED["PYTHON"]},
                 environment={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
        Workload("perl", "perl", ("perl", "run.pl"), {"run.pl": lambda: SCALED["PERL"]},
                 environment={"PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}),
        Workload("lua", "lua5.4", ("lua5.4", "run.lua"), {"run.lua": lambda: SCALED["LUA"]}),
        Workload("sqlite3", "sqlite3", ("sqlite3", ":memory:"), {"in.sql": lambda: sql}, "in.sql"),
        Workload("jq", "jq", ("jq", "[group_by(.town)[] | {town: .[0].town, n: length, sum: (map(.amount) | add)}]", "in.json"),
                 {"in.json": truth.records(9000)}),
        Workload("git", "git", ("git", "diff", "--no-index", "--patience", "--word-diff", "old", "new"),
                 {"old": old, "new": lambda: changed(old())}),
        Workload("gawk", "gawk", ("gawk", GAWK, "in.txt"), {"in.txt": words}),
        Workload("xmllint", "xmllint", ("xmllint", "--format", "--xpath", "//order[amount > 898]/name", "in.xml"),
                 {"in.xml": truth.xml(9000)}),
        Workload("bison", "bison", ("bison", "in.y", "-o", "out.c"), {"in.y": grammar}),
        Workload("as", "as", ("as", "-o", "out.o", "in.s"), {"in.s": assembly}),
    ]
