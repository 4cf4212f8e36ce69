#!/usr/bin/python3
"""The worked hexdump of FORMAT.md: annotate.py TAPE prints every byte of a small tape with its meaning."""

import struct
import sys

from tape_bytes import FILE_HEADER_BYTES, HEADER, blocks

KINDS = {1: "META", 2: "EVENTS", 3: "SAMPLES", 4: "INDEX", 5: "END", 6: "FOOTER"}
COLUMNS = ("SHAPE_KINDS SHAPE_ALIGNS SHAPE_SIZES SHAPE_REFERENCES TOKENS SIZES REFERENCES NEW_IDS "
           "FOREIGN_IDS LANES LANE_RUNS CLOCK_EVENTS CLOCK_STEPS SITE_RANKS STEPS SITE_MISSES").split()
HOW = {0: "raw", 1: "zstd", 2: "constant"}


class Dump:
    def __init__(self, data):
        self.data, self.at, self.lines = data, 0, []

    def take(self, count, meaning):
        """The next bytes, 16 a line; the meaning stands behind the first line."""
        piece = self.data[self.at:self.at + count]
        for i in range(0, count, 16):
            text = " ".join(f"{byte:02x}" for byte in piece[i:i + 16])
            self.lines.append(f"{self.at + i:08x}  {text:<47}  {meaning if i == 0 else ''}".rstrip())
        self.at += count
        return piece

    def number(self, code, meaning):
        size = struct.calcsize("<" + code)
        value = struct.unpack_from("<" + code, self.data, self.at)[0]
        shown = f"{value:#010x}" if "checksum" in meaning else value
        self.take(size, f"{meaning} = {shown}")
        return value

    def title(self, text):
        self.lines += ["", text]


def file_header(dump):
    dump.title("File header")
    dump.take(8, 'magic "\\x89HTAPE\\r\\n"')
    dump.number("I", "format version")
    dump.number("I", "file kind (1 tape, 2 raw tape)")
    dump.number("I", "flags")
    dump.take(40, "reserved")
    dump.number("I", "checksum of the 60 bytes before")


def block_header(dump, head):
    dump.title(f"Block {head['sequence']}: {KINDS[head['kind']]}")
    dump.take(8, 'magic "\\xf5HTBLOCK"')
    for code, meaning in (("H", "kind"), ("H", "encoding"), ("I", "lane"), ("Q", "sequence"),
                          ("Q", "first event"), ("I", "count"), ("I", "payload bytes"),
                          ("I", "unpacked bytes"), ("I", "checksum of the payload")):
        dump.number(code, meaning)
    dump.take(12, "reserved")
    dump.number("I", "checksum of the 60 bytes before")


def events(dump):
    dump.number("I", "next new id")
    dump.number("B", "references (0 by id, 1 by age)")
    columns = dump.number("B", "columns")
    dump.number("H", "shapes in the dictionary")
    dump.number("Q", "time of the first event, ns")
    dump.number("I", "clock unit, ns")
    dump.take(4, "reserved")
    heads = []
    for _ in range(columns):
        name, width, _, _, count = struct.unpack_from("<BBBBI", dump.data, dump.at)
        dump.take(8, f"column {COLUMNS[name]}: {width} bytes wide, {count} values")
        heads.append((name, width))
    planes = []
    for name, width in heads:
        for plane in range(width):
            word = struct.unpack_from("<I", dump.data, dump.at)[0]
            dump.take(4, f"plane {plane} of {COLUMNS[name]}: {HOW[word >> 24]}, {word & 0xffffff} bytes")
            planes.append((name, plane, word & 0xFFFFFF))
    for name, plane, size in planes:
        dump.take(size, f"{COLUMNS[name]}, plane {plane}")


def payload(dump, head):
    end = dump.at + head["payload_bytes"]
    if head["kind"] == 2:
        events(dump)
    elif head["kind"] == 4:
        dump.number("Q", "offset of the INDEX block before, 0 = none")
        for code, meaning in (("Q", "offset of an EVENTS block"), ("Q", "its first event"), ("Q", "its time, ns")):
            dump.number(code, meaning)
    elif head["kind"] == 5:
        for code, meaning in (("Q", "events"), ("Q", "highest object id"), ("I", "lanes"), ("I", "complete"),
                              ("Q", "duration, ns"), ("Q", "first clock pair, TSC"), ("Q", "and ns"),
                              ("Q", "last clock pair, TSC"), ("Q", "and ns")):
            dump.number(code, meaning)
    elif head["kind"] == 6:
        dump.number("Q", "offset of the END block")
        dump.number("Q", "offset of the last INDEX block")
    if dump.at < end:
        dump.take(end - dump.at, repr(dump.data[dump.at:end].decode()))


def annotate(data: bytes) -> str:
    dump = Dump(data)
    file_header(dump)
    assert dump.at == FILE_HEADER_BYTES
    for at, head, _ in blocks(data):
        assert dump.at == at
        block_header(dump, head)
        assert dump.at == at + HEADER.size
        payload(dump, head)
    return "\n".join(dump.lines[1:]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(annotate(open(sys.argv[1], "rb").read()))
