"""htmalloc under real programs, unchanged: the same output as on the C library's malloc. And its own test
programs: the ht_ functions linked in, the usual names preloaded."""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest


@pytest.fixture(scope="session")
def library(build):
    path = build / "lib" / "heaptape" / "libhtmalloc.so"
    assert path.is_file(), "libhtmalloc.so is not built"
    return path


def environment(library=None):
    """Ours, with the library preloaded, or with nothing preloaded."""
    result = {name: value for name, value in os.environ.items() if not name.startswith("LD_PRELOAD")}
    result["LC_ALL"] = "C"
    if library is not None:
        result["LD_PRELOAD"] = str(library)
    return result


def run(command, library=None, **options):
    return subprocess.run(
        [str(word) for word in command], env=environment(library), capture_output=True, timeout=240, check=False, **options
    )


def need(program):
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def same(command, library, **options):
    """Runs it on both, expects success and the same output; returns that."""
    plain, ours = run(command, **options), run(command, library, **options)
    assert plain.returncode == 0, plain.stderr
    assert ours.returncode == 0, ours.stderr
    assert ours.stdout == plain.stdout
    assert b"htmalloc" not in ours.stderr
    assert b"cannot be preloaded" not in ours.stderr
    return ours.stdout


# ---- its own tests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--fork",), ("--churn",), ("--fork", "--churn")])
@pytest.mark.parametrize("variant", ["", "_tsan", "_ubsan"])
def test_stress(build, variant, options):
    if variant == "_tsan" and "--fork" in options:
        pytest.skip("ThreadSanitizer does not follow threads started after fork")
    command = [build / "tests" / f"htmalloc_stress{variant}", "--rounds=3", "--operations=8000", *options]
    result = run(command)
    assert result.returncode == 0, result.stderr
    assert b"valid" in result.stdout


@pytest.mark.parametrize("options", [(), ("--fork",), ("--churn",), ("--fork", "--churn")])
@pytest.mark.parametrize("variant", ["", "_tsan", "_ubsan"])
def test_stress_of_runs_carved_anew(build, variant, options):
    """Sizes that change, and nearly empty runs serving the new ones whenever they can."""
    if variant == "_tsan" and "--fork" in options:
        pytest.skip("ThreadSanitizer does not follow threads started after fork")
    command = [build / "tests" / f"htmalloc_stress{variant}", "--rounds=3", "--operations=20000", "--phases", *options]
    result = run(["env", "HTMALLOC_OPTIONS=mix=2", *command])
    assert result.returncode == 0, result.stderr
    assert b"valid" in result.stdout


@pytest.mark.parametrize("variant", ["", "-hard"])
@pytest.mark.parametrize("name", ["names", "rules", "counts", "threads", "fork"])
def test_usual_names(build, library, name, variant):
    library = library.with_name(f"libhtmalloc{variant}.so")
    result = run([build / "tests" / "htmalloc_names", f"--from={library.name}", name], library)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{name}: fine\n".encode()


def test_names_test_can_fail(build):
    """The same program on the C library's malloc must see that the names come from elsewhere."""
    result = run([build / "tests" / "htmalloc_names", "--from=libhtmalloc", "names"])
    assert result.returncode == 1
    assert b"comes from" in result.stderr


# ---- real programs ---------------------------------------------------------------------------------------------

PYTHON = """
import json, hashlib, re, threading, subprocess, sys
table = {i: [str(j) * (j % 50) for j in range(i % 40)] for i in range(8000)}
text = json.dumps(table, sort_keys=True)
assert json.loads(text)["77"] == table[77]
words = sorted(set(re.findall(r"[0-9]+", text)), key=lambda w: (len(w), w))
sums = [None] * 8
def work(n):
    parts = []
    for i in range(3000):
        parts.append(bytes([n]) * (i % 700))
        if i % 3 == 0: parts.pop(i % len(parts))
    sums[n] = hashlib.sha256(b"".join(parts)).hexdigest()
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
child = subprocess.run([sys.executable, "-c", "print(sum(len(str(i)) for i in range(100000)))"], capture_output=True)
print(hashlib.sha256(text.encode()).hexdigest(), len(words), sums, child.stdout)
"""

PERL = r"""
my %h; my $s = 1;
for my $i (1 .. 200000) { $s = ($s * 1103515245 + 12345) % 2147483648; $h{"k" . $s % 20000} .= chr(97 + $i % 26); }
my $n = 0; my $all = '';
for my $k (sort keys %h) { $n += length $h{$k}; $all .= substr($h{$k}, 0, 3) if $h{$k} =~ /a.*z/; }
my @sorted = sort { $a <=> $b } map { length } values %h;
print "$n ", length $all, " $sorted[0] $sorted[-1] ", unpack("%32C*", $all), "\n";
"""

NODE = """
const all = [];
for (let i = 0; i < 60000; i++) { all.push({id: i, name: 'n' + i * 7919 % 1000, data: Buffer.alloc(i % 300, i % 256)}); if (i % 3 == 0) all.splice(i % all.length, 1, null); }
const text = JSON.stringify(all.filter(x => x).map(x => [x.id, x.name, x.data.length]));
console.log(require('crypto').createHash('sha256').update(text).digest('hex'),
    require('zlib').inflateSync(require('zlib').deflateSync(text)).length);
"""

SQL = """
create table t(id integer primary key, name text, value real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
    insert into t select i, 'name ' || (i * 7919 % 10007), i * 1.5 from n;
create index by_name on t(name);
select name, count(*), sum(value) from t group by name order by 2 desc, 1 limit 20;
delete from t where id % 3 = 0;
update t set name = name || ' and more of it' where id % 5 = 0;
select count(*), max(length(name)), total(value) from t;
select group_concat(name) from (select name from t order by name limit 50);
"""

CPP = """
#include <algorithm>
#include <iostream>
#include <map>
#include <regex>
#include <string>
#include <vector>
int main() {
    std::map<std::string, std::vector<int>> m;
    for (int i = 0; i < 1000; i++) m[std::to_string(i % 77)].push_back(i);
    std::regex r("1.*");
    for (auto &[k, v] : m) if (std::regex_match(k, r)) std::cout << k << ' ' << v.size() << '\\n';
}
"""


def test_python(library):
    same([sys.executable, "-c", PYTHON], library)


def test_python_without_its_own_allocator(library):
    """PYTHONMALLOC=malloc sends each object to malloc."""
    environment_word = ["env", "PYTHONMALLOC=malloc", sys.executable, "-c", PYTHON]
    same(environment_word, library)


def test_perl(library):
    perl = need("perl")
    plain = run([perl, "-e", PERL])
    assert plain.returncode == 0, plain.stderr
    assert run([perl, "-e", PERL], library).stdout == plain.stdout


def test_node(library):
    assert len(same([need("node"), "-e", NODE], library)) > 64


def test_sqlite(library, tmp_path):
    sqlite = need("sqlite3")
    output = same([sqlite, ":memory:"], library, input=SQL.encode())
    assert output.count(b"\n") == 22


def test_gcc(library, root, tmp_path):
    gcc = need("gcc")
    outputs = []
    for preload in (None, library):
        target = tmp_path / "out.s"
        source = root / "allocator" / "htmalloc" / "heap.c"
        flags = ["-std=gnu11", "-O2", "-D_GNU_SOURCE", f"-I{root}", "-S", "-o", target]
        result = run([gcc, *flags, source], preload)
        assert result.returncode == 0, result.stderr
        outputs.append(target.read_bytes())
    assert outputs[0] == outputs[1]


def test_gxx(library, tmp_path):
    """Compiled, linked and run on it."""
    gxx = need("g++")
    source = tmp_path / "a.cc"
    source.write_text(CPP)
    for preload, target in ((None, tmp_path / "plain"), (library, tmp_path / "ours")):
        result = run([gxx, "-std=c++17", "-O1", "-o", target, source], preload)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "ours").read_bytes()
    assert same([tmp_path / "ours"], library).count(b"\n") > 5


def test_git(library, tmp_path):
    """The same content must give the same object names; packing uses threads."""
    git = need("git")
    heads = []
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    dates = ["env", "GIT_AUTHOR_DATE=2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z"]
    for name, preload in (("plain", None), ("ours", library)):
        work = tmp_path / name
        work.mkdir()
        for i in range(300):
            (work / f"f{i}").write_text("".join(f"line {j * i % 97}\n" for j in range(i)))
        log = []
        for words in (
            ["init", "-q"],
            ["add", "-A"],
            ["commit", "-q", "-m", "all"],
            ["repack", "-a", "-d", "-q", "--threads=4", "--window=50"],
            ["fsck", "--full", "--strict"],
            ["log", "--stat", "--format=%H %T"],
            ["grep", "-c", "line 7"],
        ):
            result = run([*dates, git, *identity, "-C", work, *words], preload)
            assert result.returncode == 0, (words, result.stderr)
            log.append(result.stdout)
        heads.append(log)
    assert heads[0] == heads[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def redis_session(server, client, library, folder):
    """What a server on the library answers to a fixed series of commands, a background save among them."""
    port = free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env=environment(library), stdout=log, stderr=log)
    try:
        talk = [client, "-p", str(port)]
        deadline = time.monotonic() + 20
        while run([*talk, "ping"]).stdout.strip() != b"PONG":
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        if library is not None:
            maps = open(f"/proc/{process.pid}/maps").read()
            assert "libhtmalloc" in maps
        fill = (
            "for i = 1, 40000 do redis.call('set', 'k' .. i, string.rep('x', i % 300)) "
            "redis.call('rpush', 'l' .. i % 50, i) redis.call('zadd', 'z', i % 977, 'm' .. i) end return 1"
        )
        drop = "for i = 1, 40000, 3 do redis.call('del', 'k' .. i) end return redis.call('dbsize')"
        answers = [run([*talk, "eval", script, "0"]).stdout for script in (fill, drop)]
        answers.append(run([*talk, "bgsave"]).stdout)  # fork from a process with threads
        while b"rdb_bgsave_in_progress:1" in run([*talk, "info", "persistence"]).stdout:
            assert time.monotonic() < deadline + 60
            time.sleep(0.05)
        assert b"rdb_last_bgsave_status:ok" in run([*talk, "info", "persistence"]).stdout
        benchmark = shutil.which("redis-benchmark")
        if benchmark is not None:
            load = [benchmark, "-p", str(port), "-n", "5000", "-q", "-t", "set,get,lpush,lpop,sadd", "-r", "1000"]
            assert run(load).returncode == 0
            run([*talk, "del", "mylist", "myset"])
        for words in (["get", "k4712"], ["lrange", "l7", "0", "20"], ["zrange", "z", "0", "30"], ["strlen", "k299"]):
            answers.append(run([*talk, *words]).stdout)
        run([*talk, "shutdown", "nosave"])
        assert process.wait(20) == 0
        return answers
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_redis(library, tmp_path):
    server, client = need("redis-server"), need("redis-cli")
    answers = []
    for name, preload in (("plain", None), ("ours", library)):
        (tmp_path / name).mkdir()
        answers.append(redis_session(server, client, preload, tmp_path / name))
    assert answers[0] == answers[1]
    assert all(answers[0])
