"""The real programs: what they run on, and the list of those that are installed."""
from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

from runs import Program

def write_inputs(folder: Path, seed: int) -> None:
    """Files that the real programs read."""
    chance = random.Random(seed)
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
    if shutil.which("g++"):
        subprocess.run(["g++", "-E", "code.cc", "-o", "code.ii"], cwd=folder, check=True)
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


def _compiler(name: str, which: str) -> str:
    """The compiler proper behind a driver such as gcc, or a path that is not there."""
    if shutil.which(name) is None:
        return f"/{which}"
    return subprocess.run([name, f"-print-prog-name={which}"], capture_output=True, text=True,
                          check=True).stdout.strip()


def _wanted(build: Path) -> list[Program]:
    cc1, cc1plus = _compiler("gcc", "cc1"), _compiler("g++", "cc1plus")
    app, tiny = "application", "tiny"
    return [
        Program("cc1", app, "C, -O2, generated", (cc1, "-quiet", "-O2", "code.c", "-o", "/dev/null")),
        Program("cc1plus", app, "C++ with <regex>, -O1",
                (cc1plus, "-quiet", "-O1", "code.ii", "-o", "/dev/null")),
        Program("python-malloc", app, "json, dict, re", ("/usr/bin/python3", "-c", PYTHON),
                {"PYTHONMALLOC": "malloc"}),
        Program("perl", app, "counting words", ("perl", "-e", PERL)),
        Program("sqlite", app, "in memory", ("sqlite3", ":memory:", ".read work.sql")),
        Program("jq", app, "group_by", ("jq", "map(.name) | group_by(.) | length", "data.json")),
        Program("lua", app, "tables and strings", ("lua5.4", "-e", LUA)),
        Program("awk", app, "counting words", ("awk", AWK, "text")),
        Program("sort", app, "100,000 lines", ("sort", "-S", "8M", "text")),
        Program("xz", app, "level 3", ("xz", "-3", "-k", "-c", "text")),
        Program("true", tiny, "/bin/true", ("/bin/true",), runs=9),
        Program("tiny", tiny, "two blocks", (str(build / "libexec/heaptape-bench/tiny"),), runs=9),
        Program("ls", tiny, "/usr/bin", ("ls", "-l", "/usr/bin"), runs=5),
        Program("sh", tiny, "a loop", ("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do x=$x$i; done"),
                runs=9),
    ]


def installed(build: Path) -> tuple[list[Program], list[Program]]:
    """Those that can run here, and those whose program is not installed."""
    wanted = _wanted(build)
    found = [one for one in wanted if shutil.which(one.argv[0])]
    return found, [one for one in wanted if one not in found]
