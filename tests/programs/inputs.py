"""Inputs that the programs are given, made here from fixed seeds so that nothing large lies in the repository."""

import json
import math
import random
import struct

SYLLABLES = "ka lo mi ren tu sa vel dor ni pha ost em ar qui zo be lin gra thu el".split()


def _word(random_source) -> str:
    return "".join(random_source.choices(SYLLABLES, k=random_source.randint(1, 4)))


def text(lines=4000, seed=1) -> str:
    """Lines of five to twelve made-up words, among a few thousand different ones."""
    source = random.Random(seed)
    words = [_word(source) for _ in range(3000)]
    return "".join(" ".join(source.choices(words, k=source.randint(5, 12))) + "\n" for _ in range(lines))


def noise(size, seed=2) -> bytes:
    return random.Random(seed).randbytes(size)


def mixed(size, seed=3) -> bytes:
    """Bytes that compress by about half: text and noise by turns."""
    source = random.Random(seed)
    words = text(400, seed).encode()
    parts, total = [], 0
    while total < size:
        start = source.randrange(len(words) - 4000)
        parts += [words[start : start + 3000], source.randbytes(1500)]
        total += 4500
    return b"".join(parts)[:size]


def records(count=2000, seed=4) -> list:
    source = random.Random(seed)
    return [
        {
            "id": i,
            "name": _word(source).title(),
            "town": f"town {source.randrange(40)}",
            "amount": round(source.uniform(1, 900), 2),
            "tags": [_word(source) for _ in range(source.randrange(5))],
        }
        for i in range(count)
    ]


def json_text(count=2000, seed=4) -> str:
    return json.dumps(records(count, seed))


def csv_text(count=2000, seed=4) -> str:
    rows = (f"{r['id']},{r['name']},{r['town']},{r['amount']}" for r in records(count, seed))
    return "id,name,town,amount\n" + "\n".join(rows) + "\n"


def xml_text(count=800, seed=4) -> str:
    rows = (
        f'<order id="{r["id"]}"><name>{r["name"]}</name><town>{r["town"]}</town><amount>{r["amount"]}</amount>'
        + "".join(f"<tag>{tag}</tag>" for tag in r["tags"])
        + "</order>"
        for r in records(count, seed)
    )
    return '<?xml version="1.0"?>\n<orders>\n' + "\n".join(rows) + "\n</orders>\n"


def html_text(count=300, seed=4) -> str:
    rows = "".join(
        f"<tr><td>{r['id']}</td><td><b>{r['name']}</b></td><td>{r['town']}</td></tr>\n" for r in records(count, seed)
    )
    paragraphs = "".join(f"<p>{line}</p>\n" for line in text(60, seed).splitlines())
    return f"<html><head><title>Orders</title></head><body><h1>Orders</h1>\n{paragraphs}<table>{rows}</table></body></html>\n"


def markdown(sections=60, seed=5) -> str:
    lines = iter(text(sections * 6, seed).splitlines())
    parts = ["% A made-up text\n"]
    for number in range(sections):
        parts.append(f"\n# Section {number}\n\n{next(lines)} *{next(lines)}*\n\n- {next(lines)}\n- `{next(lines)}`\n")
        parts.append(f"\n> {next(lines)}\n\n| a | b |\n|---|---|\n| {number} | {next(lines)} |\n")
    return "".join(parts)


def ppm(width=320, height=240) -> bytes:
    """A picture: two gradients and a ring pattern."""
    rows = bytearray()
    for y in range(height):
        for x in range(width):
            ring = int(127 + 127 * math.sin(math.hypot(x - width / 2, y - height / 2) / 6))
            rows += bytes((x * 255 // width, y * 255 // height, ring))
    return b"P6\n%d %d\n255\n" % (width, height) + bytes(rows)


def wav(seconds=2, rate=22050) -> bytes:
    """A chord of two sweeping tones, 16 bits, one channel."""
    samples = b"".join(
        struct.pack("<h", int(9000 * (math.sin(i * (0.03 + i * 1e-7)) + math.sin(i * 0.071)))) for i in range(seconds * rate)
    )
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16, b"data", len(samples))  # fmt: skip
    return head + samples


def c_source(functions=120, seed=6) -> str:
    """A C program with many small functions over structs, which prints a checksum."""
    source = random.Random(seed)
    parts = ["#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nstruct node { struct node *next; unsigned key; char name[24]; };\n"]
    for i in range(functions):
        a, b, c = (source.randrange(1, 1000) for _ in range(3))
        parts.append(
            f"static unsigned step_{i}(struct node *n, unsigned x)\n{{\n    for (unsigned i = 0; i < {a % 7 + 2}; i++) {{\n"
            f"        x = x * {a * 2 + 1}u + {b}u;\n        if (x % {c + 1}u == 0)\n            n->key ^= x >> 3;\n        else\n"
            f'            snprintf(n->name, sizeof n->name, "s{i}-%u", x % {b + 1}u);\n    }}\n'
            f"    switch (x % 4u) {{\n    case 0: return x + n->key;\n    case 1: return x ^ (unsigned)strlen(n->name);\n"
            f"    case 2: return x - {c}u;\n    default: return x * 3u;\n    }}\n}}\n"
        )
    calls = "".join(f"        x = step_{i}(n, x);\n" for i in range(functions))
    parts.append(
        "int main(void)\n{\n    struct node *list = NULL;\n    unsigned x = 1;\n    for (int i = 0; i < 50; i++) {\n"
        "        struct node *n = calloc(1, sizeof *n);\n        n->next = list;\n        list = n;\n"
        + calls
        + '    }\n    printf("%u %s\\n", x, list->name);\n    return 0;\n}\n'
    )
    return "".join(parts)


def dot_graph(nodes=90, seed=7) -> str:
    source = random.Random(seed)
    edges = "".join(f"  n{source.randrange(i)} -> n{i};\n  n{source.randrange(nodes)} -> n{i};\n" for i in range(1, nodes))
    return f"digraph g {{\n{edges}}}\n"


def cnf(variables=120, clauses=500, seed=8) -> str:
    source = random.Random(seed)
    rows = (
        " ".join(str(source.choice((-1, 1)) * v) for v in source.sample(range(1, variables + 1), 3)) + " 0\n"
        for _ in range(clauses)
    )
    return f"p cnf {variables} {clauses}\n" + "".join(rows)
