"""What the real programs work on, made anew for each round from its seed."""
from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
from pathlib import Path

LETTERS = "etaoinshrdlucmfw"


def _words(chance: random.Random, count: int) -> list[str]:
    return ["".join(chance.choices(LETTERS, k=chance.randint(2, 12))) for _ in range(count)]


def _text(chance: random.Random, lines: int) -> str:
    words = _words(chance, 5000)
    return "".join(" ".join(chance.choices(words, k=10)) + "\n" for _ in range(lines))


def _records(chance: random.Random, count: int) -> list[dict]:
    words = _words(chance, 800)
    return [{"id": i, "name": chance.choice(words), "tags": chance.choices(words, k=chance.randint(0, 4)),
             "amount": round(chance.uniform(1, 900), 2), "at": {"town": chance.choice(words)}}
            for i in range(count)]


def _xml(records: list[dict]) -> str:
    rows = "".join(
        f'<order id="{one["id"]}"><name>{one["name"]}</name><town>{one["at"]["town"]}</town>'
        + "".join(f"<tag>{tag}</tag>" for tag in one["tags"]) + f'<amount>{one["amount"]}</amount></order>\n'
        for one in records)
    return f'<?xml version="1.0"?>\n<orders>\n{rows}</orders>\n'


def _c_code(chance: random.Random) -> str:
    """Functions with loops, structures and calls among one another."""
    parts = ["struct item { int a, b; struct item *next; double weight; };\n"]
    for i in range(chance.randint(230, 270)):
        other = chance.randrange(max(i, 1))
        parts.append(
            f"static int table{i}[{chance.randint(3, 60)}] = {{{', '.join(str(chance.randrange(999)) for _ in range(3))}}};\n"
            f"int f{i}(int a, struct item *list) {{ int s = {chance.randrange(99)};\n"
            f"  for (struct item *one = list; one; one = one->next) s += one->a * table{i}[a & 1] ^ s >> {chance.randint(1, 9)};\n"
            f"  switch (a % {chance.randint(3, 9)}) {{ case 0: s += a; break; case 1: list->weight *= s; break; default: s--; }}\n"
            f"  return s & 1 ? s - a : s + f{other}(a - 1, list); }}\n")
    return "".join(parts)


def _cxx_code(chance: random.Random) -> str:
    kinds = "".join(
        f"struct S{i} {{ std::vector<std::map<std::string, int>> v; std::unique_ptr<S{max(i - 1, 0)}> p; "
        f"std::string name() const {{ return \"s{i}\" + std::to_string(v.size() * {chance.randint(1, 99)}); }} }};\n"
        for i in range(chance.randint(12, 18)))
    return ("#include <algorithm>\n#include <map>\n#include <memory>\n#include <regex>\n#include <string>\n"
            "#include <vector>\n" + kinds + "bool match(const std::string &s) { std::map<std::string, "
            "std::vector<std::regex>> m; m[s].emplace_back(\"b+|c\"); return std::regex_match(s, m[s][0]); }\n")


def _sql(chance: random.Random) -> str:
    step, rows = chance.randint(5000, 9999), chance.randint(70000, 80000)
    return f"""create table item(id integer primary key, name text, price real, maker integer);
create table maker(id integer primary key, name text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)
  insert into maker select i, 'maker ' || hex(i * {step}) from n;
with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
  insert into item select i, hex(i * {step}) || ' item ' || i, i * 0.5, i * {step} % 500 + 1 from n;
create index by_name on item(name);
create index by_maker on item(maker, price);
select m.name, count(*), avg(i.price) from item i join maker m on m.id = i.maker group by m.id order by 3 desc limit 5;
select count(*), sum(length(name)) from item where name like '%3%';
update item set name = name || ' new' where id % 3 = 0;
delete from item where id % 7 = 0;
select substr(name, 1, 3), group_concat(id) is null, count(*) from item group by 1 order by 3 desc limit 5;
select a.name from item a join item b on b.name > a.name and b.id = a.id + 14 order by a.price limit 3;
"""


def _cnf(chance: random.Random) -> str:
    """Three literals a clause, near the ratio at which it becomes hard."""
    variables = 230
    clauses = [" ".join(str(chance.choice((-1, 1)) * v) for v in chance.sample(range(1, variables + 1), 3))
               for _ in range(int(variables * 4.26))]
    return f"p cnf {variables} {len(clauses)}\n" + "".join(one + " 0\n" for one in clauses)


def _history(chance: random.Random, commits: int) -> bytes:
    """A stream for git fast-import: files of lines, a few of which change with each commit."""
    words = _words(chance, 900)
    files = {f"src/{chance.choice(words)}{i}.txt": [" ".join(chance.choices(words, k=8)) for _ in range(150)]
             for i in range(40)}
    parts, at = [], 1_700_000_000
    for number in range(commits):
        at += chance.randint(100, 9000)
        message = " ".join(chance.choices(words, k=6))
        parts.append(f"commit refs/heads/main\ncommitter A U Thor <a@example.org> {at} +0000\n"
                     f"data {len(message)}\n{message}\n")
        # The first commit has them all; the largest file changes often, for blame.
        changed = list(files) if number == 0 else {next(iter(files)), *chance.choices(list(files), k=3)}
        for name in changed:
            for _ in range(6):
                files[name][chance.randrange(150)] = " ".join(chance.choices(words, k=8))
            body = "\n".join(files[name]) + "\n"
            parts.append(f"M 100644 inline {name}\ndata {len(body)}\n{body}\n")
    return "".join(parts).encode()


def _repository(folder: Path, chance: random.Random) -> None:
    shutil.rmtree(folder / "repository", ignore_errors=True)
    subprocess.run(["git", "init", "-q", "-b", "main", "repository"], cwd=folder, check=True)
    subprocess.run(["git", "fast-import", "--quiet"], input=_history(chance, 600),
                   cwd=folder / "repository", check=True)
    subprocess.run(["git", "checkout", "-q", "-f", "main"], cwd=folder / "repository", check=True)
    first = sorted((folder / "repository/src").iterdir(), key=lambda path: path.stat().st_size)[-1]
    (folder / "repository/.git/largest").write_text(str(first.relative_to(folder / "repository")))


def _free_port() -> int:
    """Below the range from which clients get theirs, so that none of those takes it meanwhile."""
    for _ in range(100):
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise OSError("no free port between 20000 and 32000")


def _web(folder: Path, chance: random.Random) -> None:
    """A site for lighttpd on a port that is free now, and files that its clients are told by."""
    (folder / "site").mkdir(exist_ok=True)
    for i in range(20):
        (folder / f"site/page{i}.html").write_text(_text(chance, chance.randint(3, 300)))
    port = _free_port()
    (folder / "port").write_text(str(port))
    (folder / "lighttpd.conf").write_text(
        f'server.document-root = "{folder}/site"\nserver.port = {port}\nserver.bind = "127.0.0.1"\n'
        'mimetype.assign = (".html" => "text/html")\nserver.max-keep-alive-requests = 100000\n')


XSL = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:key name="town" match="order" use="town"/>
<xsl:template match="/"><out><xsl:for-each select="orders/order[generate-id() = generate-id(key('town', town)[1])]">
<xsl:sort select="town"/><town name="{town}" total="{sum(key('town', town)/amount)}">
<xsl:for-each select="key('town', town)"><i><xsl:value-of select="concat(name, ' ', @id)"/></i></xsl:for-each></town>
</xsl:for-each></out></xsl:template></xsl:stylesheet>
"""


def write(folder: Path, seed: int) -> None:
    """All of it, over what an earlier round left."""
    chance = random.Random(seed)
    text = _text(chance, 40000)
    (folder / "text").write_text(text)
    (folder / "longtext").write_text(text * 5)
    records = _records(chance, 20000)
    (folder / "data.json").write_text(json.dumps(records))
    (folder / "data.xml").write_text(_xml(records * 3))
    (folder / "orders.xsl").write_text(XSL)
    (folder / "code.c").write_text(_c_code(chance))
    (folder / "code.cc").write_text(_cxx_code(chance))
    (folder / "work.sql").write_text(_sql(chance))
    (folder / "in.cnf").write_text(_cnf(chance))
    if shutil.which("g++"):
        subprocess.run(["g++", "-E", "code.cc", "-o", "code.ii"], cwd=folder, check=True)
    if shutil.which("git"):
        _repository(folder, chance)
    _web(folder, chance)
