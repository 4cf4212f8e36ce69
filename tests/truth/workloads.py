"""The programs that make truth holds replay against, with what they are given.

Each is an ordinary program at its ordinary work, on input made here from fixed seeds, large enough (peaks of 15 to 150
MiB) that a per cent of its peak is more than the noise of a measurement; the small ones are small on purpose.
"""

import dataclasses
import json
import random
import shutil
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/programs")
import inputs  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Workload:
    """`arguments` run in a folder that holds `files` (name: a function that makes its text); {build} stands for the
    build. `input` is the name of a file for its standard input."""

    name: str
    needs: str  # the program that must be there
    arguments: tuple
    files: dict = dataclasses.field(default_factory=dict)
    input: str = ""
    environment: dict = dataclasses.field(default_factory=dict)
    small: bool = False


SQL = """
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, town TEXT);
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT, item TEXT, amount REAL, placed TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {customers})
  INSERT INTO customer SELECT i, 'customer ' || i, 'town ' || (i % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders})
  INSERT INTO orders SELECT i, 1 + (i * 7919) % {customers}, 'item ' || (i * 31 % 99991), i % 113 + 0.5,
    date('2024-01-01', (i % 365) || ' days') FROM n;
CREATE INDEX by_customer ON orders(customer);
CREATE INDEX by_item ON orders(item, placed);
SELECT town, count(*), round(sum(amount), 2) FROM orders JOIN customer ON customer.id = orders.customer GROUP BY town
  ORDER BY 3 DESC LIMIT 5;
SELECT length(group_concat(placed, ' ')) FROM (SELECT * FROM orders ORDER BY item);
UPDATE orders SET item = item || ' (returned)' WHERE id % 11 = 0;
DELETE FROM orders WHERE id % 5 = 0;
SELECT count(DISTINCT item), max(length(item)) FROM orders;
"""

PYTHON = """
import json, random, re
source = random.Random(1)
orders = [{"id": i, "name": "n%d" % source.randrange(9999), "tags": [source.random() for _ in range(source.randrange(6))]}
          for i in range(60000)]
text = json.dumps(orders)
again = json.loads(text)
names = {}
for order in again:
    names.setdefault(order["name"], []).append(order)
words = re.findall("n[0-9]+", text)
del orders
longest = sorted(names.items(), key=lambda pair: -len(pair[1]))[:9]
print(len(words), len(set(words)), [name for name, _ in longest])
"""

PERL = """
my (%town, @all);
srand(3);
for my $i (1 .. 250000) {
    my $order = {id => $i, item => "item " . int(rand(5000)), amount => rand(900)};
    push @{$town{"town " . $i % 997}}, $order;
    push @all, "$order->{item} costs $order->{amount}" if $i % 3 == 0;
}
delete $town{"town $_"} for grep { $_ % 3 } 1 .. 600;
my $text = join "\\n", sort @all;
my %seen; $seen{$_}++ for split /\\W+/, $text;
print scalar(keys %seen), " ", length $text, "\\n";
"""

LUA = """
math.randomseed(5)
local live, n = {}, 0
for i = 1, 900000 do
  local t = {id = i, name = "n" .. i % 50000, list = {i, i + 1, i + 2}}
  live[i % 150000 + 1] = t
  if i % 7 == 0 then live[math.random(150000)] = {text = ("x"):rep(i % 200)} end
end
for _, t in pairs(live) do n = n + (t.id or #t.text) end
print(n)
"""

RUBY = """
srand(7)
orders = (1..120_000).map { |i| { id: i, name: "order number #{i} of #{rand(5000)}", tags: ["a long enough tag #{i % 100}"] * 2 } }
towns = orders.group_by { |o| o[:name].split.last }
text = orders.map { |o| o[:name].upcase }.join("\\n")
puts towns.size, text.size, text.scan(/NUMBER \\d+/).uniq.size
"""

CXX = """
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <unordered_map>
#include <vector>
template <int N> struct shape { std::map<std::string, std::vector<std::unique_ptr<std::string>>> rows;
  std::function<int(int)> f = [](int x) { return x * N; };
  int run(const std::string &s) { rows[s].push_back(std::make_unique<std::string>(s + std::to_string(N)));
    std::sort(rows[s].begin(), rows[s].end(), [](auto &a, auto &b) { return *a < *b; });
    return std::regex_match(s, std::regex("a.*b")) ? f(N) : (int)rows.size(); } };
template <int... N> int all(const std::string &s, std::integer_sequence<int, N...>) { int n = 0; ((n += shape<N>().run(s)), ...); return n; }
int main(int, char **v) { std::cout << all(v[0], std::make_integer_sequence<int, 8>()); }
"""


def program_of_gcc(name):
    """The compiler proper, which g++ starts."""
    if not shutil.which("g++"):
        return name
    return subprocess.run(["g++", f"-print-prog-name={name}"], capture_output=True, text=True, check=True).stdout.strip()


def preprocessed():
    return subprocess.run(["g++", "-E", "-x", "c++", "-"], input=CXX, capture_output=True, text=True, check=True).stdout


def many_words():
    source = random.Random(11)
    return "".join(f"{source.randrange(10**7)} {source.choice(inputs.SYLLABLES)}{source.randrange(90000)} x\n"
                   for _ in range(350000))


def records(count):
    return lambda: json.dumps(inputs.records(count))


def xml(count):
    return lambda: inputs.xml_text(count)


def pages():
    """A folder of texts for the indexer, as one file a page."""
    return {f"pages/{i:03}.txt": (lambda i=i: inputs.text(1500, i)) for i in range(60)}


def workloads():
    sql = lambda orders: (lambda: SQL.format(customers=orders // 15, orders=orders))  # noqa: E731
    return [
        Workload("sqlite3", "sqlite3", ("sqlite3", ":memory:"), {"in.sql": sql(250000)}, "in.sql"),
        Workload("jq", "jq", ("jq", "[group_by(.town)[] | {town: .[0].town, n: length, sum: (map(.amount) | add)}]", "in.json"),
                 {"in.json": records(60000)}),
        Workload("python3", "/usr/bin/python3", ("/usr/bin/python3", "-S", "run.py"), {"run.py": lambda: PYTHON},
                 environment={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
        Workload("python3 pools", "/usr/bin/python3", ("/usr/bin/python3", "-S", "run.py"), {"run.py": lambda: PYTHON},
                 environment={"PYTHONHASHSEED": "0"}),
        Workload("perl", "perl", ("perl", "run.pl"), {"run.pl": lambda: PERL},
                 environment={"PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}),
        Workload("lua", "lua5.4", ("lua5.4", "run.lua"), {"run.lua": lambda: LUA}),
        Workload("gawk", "gawk", ("gawk", "{n[$2]++; s[$1] = s[$1] $2} END {for (w in n) t += n[w]; print t, length(s)}", "in.txt"),
                 {"in.txt": many_words}),
        Workload("cc1plus", "g++", (program_of_gcc("cc1plus"), "-quiet", "-O1", "-fpreprocessed", "in.ii", "-o", "out.s"),
                 {"in.ii": preprocessed}),
        Workload("xmllint", "xmllint", ("xmllint", "--format", "--xpath", "//order[amount > 898]/name", "in.xml"),
                 {"in.xml": xml(40000)}),
        Workload("ruby", "ruby", ("ruby", "--disable-gems", "run.rb"), {"run.rb": lambda: RUBY}),
        Workload("indexer", "{build}/tests/indexer", ("{build}/tests/indexer", "4", "pages", "2"), pages()),
        Workload("sqlite3 small", "sqlite3", ("sqlite3", ":memory:"), {"in.sql": sql(6000)}, "in.sql", small=True),
        Workload("gawk small", "gawk", ("gawk", "{n[$2]++} END {for (w in n) t += n[w]; print t}", "in.txt"),
                 {"in.txt": lambda: many_words()[:600000]}, small=True),
    ]
