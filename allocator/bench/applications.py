"""The real programs: those that the set-up or CI installs, and tiny processes."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import scripts
from runs import Program

PYTHON3 = "/usr/bin/python3"


def _compiler(name: str, which: str) -> str:
    """The compiler proper behind a driver such as gcc, or a path that is not there."""
    if shutil.which(name) is None:
        return f"/{which}"
    return subprocess.run([name, f"-print-prog-name={which}"], capture_output=True, text=True,
                          check=True).stdout.strip()


def _program(name: str, what: str, *argv: str, **more) -> Program:
    return Program(name, "application", what, argv, **more)


def _compilers() -> list[Program]:
    return [
        _program("cc1", "gcc's C compiler, -O2, generated code",
                 _compiler("gcc", "cc1"), "-quiet", "-O2", "code.c", "-o", "/dev/null"),
        _program("cc1plus", "gcc's C++ compiler on <regex>, <map>",
                 _compiler("g++", "cc1plus"), "-quiet", "-O0", "code.ii", "-o", "/dev/null"),
        _program("clang", "the same C++, parsed and checked",
                 "clang", "-std=c++17", "-fsyntax-only", "code.cc"),
    ]


def _interpreters() -> list[Program]:
    python = (PYTHON3, "-c", scripts.PYTHON, "{seed}")
    return [
        _program("python", "json, dict, ast, re on its own pools", *python),
        _program("python-malloc", "the same with PYTHONMALLOC=malloc", *python,
                 env={"PYTHONMALLOC": "malloc"}),
        _program("perl", "counting words, hashes of lists", "perl", "-e", scripts.PERL),
        _program("lua", "tables and strings", "lua5.4", "-e", scripts.LUA),
        _program("gawk", "counting words, arrays of lines", "gawk", scripts.AWK, "text"),
        _program("tcl", "dicts, lists, sorting", "tclsh", "script.tcl"),
        _program("jq", "group, map, sort", "jq",
                 "group_by(.at.town) | map({town: .[0].at.town, n: length, tags: [.[].tags[]] | unique})",
                 "data.json"),
    ]


def _data() -> list[Program]:
    return [
        _program("sqlite", "in memory: indexes, joins, updates", "sqlite3", ":memory:", ".read work.sql"),
        _program("xmllint", "a document tree, formatted", "xmllint", "--format", "--c14n", "data.xml"),
        _program("xsltproc", "keys and sums", "xsltproc", "orders.xsl", "data.xml"),
        _program("minisat", "a random problem near the threshold", "minisat", "-verb=0", "in.cnf",
                 statuses=(10, 20)),
        _program("troff", "40 pages of manual", "sh", "-c", scripts.GROFF, needs=("troff",)),
        _program("sort", "200,000 lines, by their third word", "sort", "-k3", "-S", "8M", "longtext"),
        _program("xz", "level 1", "xz", "-1", "-k", "-c", "text"),
        _program("zstd", "level 12, two threads", "zstd", "-q", "-12", "-T2", "-c", "text"),
    ]


def _git() -> list[Program]:
    git = ("git", "-c", "core.pager=cat", "-c", "gc.auto=0")
    blame = 'exec git blame -w -C -C -C "$(cat .git/largest)"'
    return [
        _program("git-log", "log -p over 600 commits", *git, "log", "-p", "--stat", in_repository=True),
        _program("git-blame", "the file with the longest history", "sh", "-c", blame,
                 in_repository=True, needs=("git",)),
        _program("git-repack", "all deltas anew, two threads", *git, "-c", "pack.threads=2", "repack",
                 "-a", "-d", "-f", "-q", in_repository=True),
    ]


def _servers() -> list[Program]:
    # Ended by SIGTERM lighttpd now and then exits with 1; its client with more when it is not answered.
    return [
        _program("memcached", "8 connections, 150,000 requests",
                 "memcached", "-s", "memcached.sock", "-t", "4", "-m", "32", "-u", "root",
                 client=f"{PYTHON3} client.py memcached.sock {{seed}}"),
        _program("lighttpd", "13,500 requests, most on connections that are kept", "lighttpd", "-D", "-f", "lighttpd.conf",
                 client=f"{PYTHON3} web.py {{seed}}",
                 statuses=(1,)),
    ]


def _tiny(build: Path) -> list[Program]:
    small = [
        ("true", "/bin/true", ("/bin/true",)),
        ("tiny", "two blocks and a line", (str(build / "libexec/heaptape-bench/tiny"),)),
        ("sh", "a loop in a shell", ("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do x=$x$i; done")),
        ("ls", "a listing of /etc", ("ls", "-l", "/etc")),
        ("git-version", "git --version", ("git", "--version")),
        ("lua-hello", "an interpreter for a line", ("lua5.4", "-e", "print('hello')")),
    ]
    return [Program(name, "tiny", what, argv, runs=15) for name, what, argv in small]


def installed(build: Path) -> tuple[list[Program], list[tuple[Program, str]]]:
    """Those that can run here, and the others with the command that is missing."""
    found, absent = [], []
    for one in [*_compilers(), *_interpreters(), *_data(), *_git(), *_servers(), *_tiny(build)]:
        missing = [name for name in (one.argv[0], *one.needs) if shutil.which(name) is None]
        if missing:
            absent.append((one, missing[0]))
        else:
            found.append(one)
    return found, absent


def write_scripts(folder: Path) -> None:
    """What the programs above read that is the same in every round."""
    (folder / "script.tcl").write_text(scripts.TCL)
    (folder / "client.py").write_text(scripts.MEMCACHED_CLIENT)
    (folder / "web.py").write_text(scripts.WEB_CLIENT)
