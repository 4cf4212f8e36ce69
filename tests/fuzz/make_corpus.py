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

for name in ("tiny.tape", "kinds.tape", "tiny.raw", "empty.tape"):
    data = (GOOD / name).read_bytes()
    (CORPUS / f"file-{name}").write_bytes(b"\x01" + data)
    (CORPUS / f"sealed-{name}").write_bytes(b"\x02" + data)
    for _, head, payload in blocks(data):
        if head["kind"] == 2:
            (CORPUS / f"payload-{name}").write_bytes(b"\x00" + struct.pack("<I", head["count"] | head["encoding"] - 1 << 24) + payload)
records = bytes(range(1, 250)) + bytes([5, 1, 0, 0, 9, 30, 0, 1, 6, 2, 0, 0, 9, 30, 0, 1]) * 4
(CORPUS / "records").write_bytes(b"\x03" + records)
(CORPUS / "rep").write_bytes(b"\x04" + b"20\n2\n3\n1\na 0 10\nr 0 30\nf 0\nf -1\n")
(CORPUS / "android").write_bytes(b"\x04" + b"1: malloc 0x10 20 5 6\n2: calloc 0x20 3 4\n1: realloc 0x30 0x10 9\n"
                                 b"1: memalign 0x40 16 8\n2: free 0x30\n1: thread_done 0x0\n")
(CORPUS / "mtrace").write_bytes(b"\x04" + b"= Start\n@ a:[0x1] + 0x10 0xa\n@ a:[0x1] < 0x10\n@ a:[0x1] > 0x20 0x14\n"
                                b"@ a:[0x1] ! 0x20 0xff\n@ a:[0x1] - 0x20\n= End\n")
