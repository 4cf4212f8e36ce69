"""Is a program the same under a recorder or an allocator as without? One row per entry says so, or what differs."""

import dataclasses
import fnmatch
import json
import pathlib
import re
import socket
import stat
import subprocess
import time

from execute import Outcome, Place, execute
from program import Normalise, Program

SHOWN = 6  # differences that are told of an entry
SLOWER = 3  # times as long as plain it may take at most
RECORD_LINE = b"heaptape record: "


@dataclasses.dataclass
class Row:
    """What is printed of an entry. result: same, refused or breaks (as it should), differs, skipped."""

    name: str
    kind: str
    result: str = "same"
    plain_seconds: float = 0.0
    seconds: float = 0.0
    tapes: int = 0
    events: int = 0
    bytes: int = 0
    detail: str = ""


@dataclasses.dataclass
class Tools:
    """Where heaptape's programs are, and the scratch folder."""

    libexec: pathlib.Path
    scratch: pathlib.Path
    under: str  # none, record, or what `heaptape run -a` takes


# ---- comparing -------------------------------------------------------------------------------------------------


def normalised(outcome: Outcome, rules) -> dict:
    """Everything that is compared, by name, after the rules."""
    parts = {"stdout": outcome.stdout, "stderr": outcome.stderr}
    parts.update({f"file {name}": value for name, (_, _, value) in outcome.files.items()})
    for rule in rules:
        for name in parts:
            if fnmatch.fnmatch(name.removeprefix("file "), rule.where):
                parts[name] = re.sub(rule.pattern.encode(), rule.replacement.encode(), parts[name])
    return parts


def first_difference(one: bytes, two: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    start = max(0, at - 20)
    return f"at byte {at}: {one[start : at + 60]!r} became {two[start : at + 60]!r}"


def differences(program: Program, one: Outcome, two: Outcome, rules=None) -> list:
    """What differs from run `one` to run `two`, a few words each."""
    found = []
    if one.status != two.status:
        found.append(f"exit status {one.status} became {two.status}")
    ignored = lambda name: any(fnmatch.fnmatch(name, pattern) for pattern in program.ignore)  # noqa: E731
    names = [n for n in sorted({*one.files, *two.files}) if not ignored(n)]
    for name in names:
        if name not in one.files or name not in two.files:
            found.append(f"file {name} is {'missing' if name in one.files else 'new'}")
        elif one.files[name][:2] != two.files[name][:2]:
            found.append(f"file {name} has another kind or mode")
    rules = program.normalise if rules is None else rules
    before, after = normalised(one, rules), normalised(two, rules)
    for part in ("stderr", "stdout", *(f"file {n}" for n in names)):
        if part in before and part in after and before[part] != after[part]:
            found.append(f"{part} {first_difference(before[part], after[part])}")
    return found


def unneeded(program: Program, one: Outcome, two: Outcome) -> list:
    """Rules and exceptions without which two plain runs are the same as well: the need for them is not shown."""
    found = []
    for rule in program.normalise:
        if not differences(program, one, two, [r for r in program.normalise if r is not rule]):
            found.append(f"normalised without need: {rule.where} {rule.pattern}")
    for pattern in program.ignore:
        if not any(
            fnmatch.fnmatch(n, pattern) and one.files.get(n) != two.files.get(n) for n in {*one.files, *two.files}
        ):
            found.append(f"ignored without need: {pattern}")
    return found


# ---- the recorder's own ----------------------------------------------------------------------------------------


def split_said(outcome: Outcome) -> list:
    """Takes the recorder's own lines out of stderr and returns them."""
    lines = outcome.stderr.splitlines(keepends=True)
    said = [line.decode(errors="replace").strip() for line in lines if line.startswith(RECORD_LINE)]
    outcome.stderr = b"".join(line for line in lines if not line.startswith(RECORD_LINE))
    return said


def unexpected_words(program: Program, said) -> list:
    found = [f"the recorder said: {line}" for line in said if not (program.says and re.search(program.says, line))]
    if program.says and not any(re.search(program.says, line) for line in said):
        found.append(f"the recorder did not say: {program.says}")
    return found


def tape_troubles(tools: Tools, place: Place, row: Row) -> list:
    """Every tape is sound, complete, and there is one of each program that should have been seen."""
    tapes = sorted(place.tapes.glob("*.tape"))
    row.tapes = len(tapes)
    if not tapes:
        return ["no tape"]
    trace = tools.libexec / "heaptape-trace"
    check = subprocess.run([trace, "check", "--quiet", *tapes], capture_output=True, text=True, check=False)
    troubles, seen = [], set()
    if check.returncode:
        troubles.append(f"trace check: {(check.stdout + check.stderr).strip().splitlines()[0]}")
    for tape in tapes:
        done = subprocess.run([trace, "info", "--format=json", tape], capture_output=True, text=True, check=False)
        if done.returncode:
            troubles.append(f"trace info: {done.stderr.strip()}")
            continue
        info = json.loads(done.stdout)
        row.events += info["events"]
        row.bytes += info["file_bytes"]
        seen.add(info["program"].rsplit("/", 1)[-1])
        if not info["complete"]:
            troubles.append(f"{tape.name} ({info['program']}) is cut: {info['cut_reason']}")
    left = [p.name for p in place.tapes.iterdir() if not p.name.endswith(".tape")]
    troubles += [f"left beside the tapes: {name}" for name in left]
    troubles += [f"no tape of {word}; there are {' '.join(sorted(seen))}" for word in place.program.seen if word not in seen]
    return troubles


# ---- the verdict -----------------------------------------------------------------------------------------------


def free_ports(count=2) -> list:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def before_command(tools: Tools, place: Place) -> list:
    if tools.under == "record":
        return [tools.libexec / "heaptape-record", "-q", "-o", place.tapes / f"{place.program.name}.tape", "--"]
    return [tools.libexec / "heaptape-run", "-a", tools.under, "--"] if tools.under != "none" else []


def refusal_troubles(program: Program, outcome: Outcome) -> list:
    lines = outcome.stderr.decode(errors="replace").splitlines()
    if outcome.status != 4:
        return [f"not refused: exit status {outcome.status} and not 4"]
    if len(lines) != 1 or not re.search(program.refused, lines[0]):
        return [f"refused in other words: {lines[:3]}"]
    return [f"wrote files: {name}" for name in outcome.files if name not in program.files and not program.prepare]


def plain_troubles(program: Program, plain: Outcome) -> list:
    """Does the entry itself work here?"""
    found = [f"plain: {trouble}" for trouble in plain.trouble]
    if plain.status != program.status:
        last = plain.stderr.decode(errors="replace").strip()[-300:]
        found.append(f"plain: exit status {plain.status} and not {program.status}: {last}")
    elif program.shows.encode() not in plain.stdout:
        found.append(f"plain: stdout does not show {program.shows!r}: {plain.stdout[-300:]!r}")
    elif not plain.stdout and not [n for n in plain.files if n not in program.files]:
        found.append("plain: neither output nor a file")
    return found


def reachable(tools: Tools, place: Place) -> str:
    """Why an entry that is run as another user cannot be: what is preloaded must be readable by that user."""
    if not place.user or tools.under == "none":
        return ""
    for folder in (tools.libexec, *tools.libexec.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return f"{folder} cannot be entered by {place.user.pw_name}, as whom it is run"
    return ""


def judge(tools: Tools, program: Program) -> Row:
    row = Row(program.name, program.kind)
    place, ports = Place(tools.scratch, program), free_ports()
    if why := reachable(tools, place):
        row.result, row.detail = "skipped", why
        return row
    plain = execute(place, ports)
    row.plain_seconds = plain.seconds
    troubles = plain_troubles(program, plain) if not program.refused else [t for t in plain.trouble]
    again = None
    if not troubles and (program.normalise or program.ignore or tools.under == "none"):
        time.sleep(max(0.0, 1.1 - plain.seconds))  # times are kept to the second in many places
        again = execute(place, ports)
        troubles += unneeded(program, plain, again) if tools.under != "none" else []
    if not troubles:
        troubles = _verdict(tools, place, ports, row, plain, again)
    if troubles:
        more = [f"and {len(troubles) - SHOWN} more"] if len(troubles) > SHOWN else []
        row.result, row.detail = "differs", "; ".join(troubles[:SHOWN] + more).replace("\n", " ")
    return row


def _verdict(tools, place, ports, row, plain, again) -> list:
    program = place.program
    if tools.under == "none":
        row.seconds = again.seconds
        return again.trouble + differences(program, plain, again)
    under = execute(place, ports, before_command(tools, place), program.seconds * SLOWER)
    row.seconds = under.seconds
    if program.refused:
        row.result, row.detail = "refused", under.stderr.decode(errors="replace").strip()
        return under.trouble + refusal_troubles(program, under)
    if tools.under in program.breaks_on:
        row.result, row.detail = "breaks", f"as expected: {program.breaks_on[tools.under]}"
        return [] if under.status > 128 else [f"ends with status {under.status}, though the list says that it crashes"]
    troubles = list(under.trouble)
    if tools.under == "record":
        troubles += unexpected_words(program, split_said(under))
        troubles += tape_troubles(tools, place, row)
    return differences(program, plain, under) + troubles


__all__ = ["Normalise", "Row", "Tools", "differences", "judge", "unneeded"]
