#!/usr/bin/python3
"""The inputs that fuzzing begins with, one of each sort: make_corpus.py"""

import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "golden"))

from tape_bytes import blocks  # noqa: E402

GOOD = HERE.parent / "golden" / "good"
CORPUS = HERE / "corpus"

for name in ("tiny.tape", "kinds.tape", "tiny.raw", "empty.tape", "sites.tape"):
    data = (GOOD / name).read_bytes()
    (CORPUS / f"file-{name}").write_bytes(b"\x01" + data)
    (CORPUS / f"sealed-{name}").write_bytes(b"\x02" + data)
    for _, head, payload in blocks(data):
        if head["kind"] == 2 and head["sequence"] < 2:
            (CORPUS / f"payload-{name}").write_bytes(b"\x00" + struct.pack("<I", head["count"] | head["encoding"] - 1 << 24) + payload)
records = bytes(range(1, 250)) + bytes([5, 1, 0, 0, 9, 30, 0, 1, 6, 2, 0, 0, 9, 30, 0, 1]) * 4
(CORPUS / "records").write_bytes(b"\x03" + records)
(CORPUS / "rep").write_bytes(b"\x04" + b"20\n2\n3\n1\na 0 10\nr 0 30\nf 0\nf -1\n")
(CORPUS / "android").write_bytes(b"\x04" + b"1: malloc 0x10 20 5 6\n2: calloc 0x20 3 4\n1: realloc 0x30 0x10 9\n"
                                 b"1: memalign 0x40 16 8\n2: free 0x30\n1: thread_done 0x0\n")
(CORPUS / "mtrace").write_bytes(b"\x04" + b"= Start\n@ a:[0x1] + 0x10 0xa\n@ a:[0x1] < 0x10\n@ a:[0x1] > 0x20 0x14\n"
                                b"@ a:[0x1] ! 0x20 0xff\n@ a:[0x1] - 0x20\n= End\n")


def word(tag: int, size: int = 0, address: int = 0) -> bytes:
    """As raw_record.h has it."""
    return struct.pack("<Q", tag << 60 | size << 44 | address >> 3)


def chunk(what: int, data: bytes, lane: int = 0, first: int = 0, count: int = 0) -> bytes:
    """What tape_fuzz.c's resolve_words() takes: 8 bytes of head, then words."""
    return bytes([len(data) // 8, what, lane, first, count, 0, 0, 0]) + data


words = b"\x00\x00\x00\x00"  # no window
words += chunk(3, word(10, 0, 8) + word(1, 24, 0x1000) + word(4, 0, 0x1000) + word(2, 30, 0x2000))
words += chunk(3, struct.pack("<QQ", 15 << 60 | 3 << 48 | 6 << 53 | 0x4000, 1 << 20) + word(8, 0, 80), lane=1)
words += chunk(3, struct.pack("<Q", 9 << 60 | 5) + b"hello\0\0\0" + word(5, 9, 0x2000) + word(6, 40, 0x3000))
words += chunk(0, struct.pack("<4Q", 2, 0x500010, 0x500020, 0), first=1, count=2)
words += chunk(1, b"500000 600000 500000 /bin/true\n ")
words += chunk(2, b"", first=90)
(CORPUS / "words").write_bytes(b"\x05" + words)
(CORPUS / "words-window").write_bytes(b"\x05" + b"\x01\x02\x02\x40" + words[4:])
