#!/usr/bin/python3
"""Made tests/golden/bad out of tests/golden/good, and expected.json beside it: make_bad.py

The files are kept for ever; run this to add new ones. For each file expected.json says the exit status of
`trace info` and `trace check`, and a piece of what must be said.
"""

import json
import pathlib
import struct

from tape_bytes import EVENTS, FILE_HEADER_BYTES, FOOTER, blocks, block, file_header, resealed

HERE = pathlib.Path(__file__).resolve().parent
GOOD = HERE / "good"
BAD = HERE / "bad"
expected = {}


def write(name, data, info, check, says):
    (BAD / name).write_bytes(data)
    expected[name] = {"info": info, "check": check, "says": says}


def replaced(data, which, make):
    """The file with block number `which` made anew by make(head, payload)."""
    out = data[:FILE_HEADER_BYTES]
    for number, (_, head, payload) in enumerate(blocks(data)):
        out += make(head, payload) if number == which else resealed(head, payload)
    return out


def flipped(data, at, bit=0):
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]


def events_block(data):
    return next(i for i, (_, head, _) in enumerate(blocks(data)) if head["kind"] == EVENTS)


def poked(data, offset, value):
    """The first block of events with some bytes of its payload changed and sealed again."""
    def make(head, payload):
        return resealed(head, payload[:offset] + value + payload[offset + len(value):])
    return replaced(data, events_block(data), make)


def main():
    tiny = (GOOD / "tiny.tape").read_bytes()
    many = (GOOD / "blocks.tape").read_bytes()
    raw = (GOOD / "tiny.raw").read_bytes()
    places = [(at, head) for at, head, _ in blocks(many)]
    second = [at for at, head in places if head["kind"] == EVENTS][1]
    third = [at for at, head in places if head["kind"] == EVENTS][2]

    write("empty_file.tape", b"", 3, 3, "the file is empty")
    write("text.tape", b"malloc(24) = 0x1000\n" * 50, 3, 3, "not a tape")
    write("zeros.tape", bytes(200), 3, 3, "not a tape")
    write("header_only.tape", tiny[:64], 0, 1, "without its end block")
    write("half_a_header.tape", tiny[:40], 3, 3, "not a tape")
    write("version_2.tape", file_header(version=2) + tiny[64:], 3, 3, "version 2")
    write("unknown_file_kind.tape", file_header(kind=7) + tiny[64:], 3, 3, "kind 7")
    write("raw_named_tape.tape", raw, 3, 3, "raw tape")
    write("text_mode.tape", tiny.replace(b"\r\n", b"\n", 1), 0, 1, "file header")
    write("file_header_flipped.tape", flipped(tiny, 20), 0, 1, "byte 0")
    write("block_header_flipped.tape", flipped(many, second + 20), 0, 1, f"byte {second}")
    write("payload_flipped.tape", flipped(many, second + 200), 0, 1, f"byte {second}")
    write("payload_torn.tape", many[:third + 500], 0, 1, f"byte {third}")
    write("header_torn.tape", many[:third + 30], 0, 1, f"byte {third}")
    write("block_missing.tape", many[:second] + many[third:], 0, 1, "missing")
    write("block_twice.tape", many[:third] + many[second:], 0, 1, "again")
    write("bytes_between.tape", many[:second] + b"noise" * 30 + many[second:], 0, 1, f"byte {second}")
    write("noise_behind.tape", tiny + b"noise" * 30, 0, 1, f"byte {len(tiny)}")
    end_at = next(at for at, head in reversed(places) if head["kind"] != FOOTER)
    write("no_end.tape", many[:end_at], 0, 1, "without its end block")

    # Sealed: every checksum is right and the content is not.
    write("too_long_a_payload.tape",
          tiny[:64] + block(EVENTS, b"", count=5, payload_bytes=0xFFFFFFF0) + tiny[64:], 0, 1, "byte 64")
    write("no_payload.tape", replaced(tiny, 1, lambda h, p: resealed(h, b"")), 0, 1, "makes no sense")
    write("count_lies.tape", replaced(tiny, 1, lambda h, p: resealed(h, p, count=6)), 0, 1, "fit together")
    write("count_huge.tape", replaced(tiny, 1, lambda h, p: resealed(h, p, count=2**32 - 1)), 0, 1,
          "makes no sense")
    write("unknown_encoding.tape", replaced(tiny, 1, lambda h, p: resealed(h, p, encoding=9)), 0, 1,
          "encoding 9")
    write("no_shapes.tape", poked(tiny, 6, struct.pack("<H", 0)), 0, 1, "head")
    write("reference_unknown.tape", poked(tiny, 4, b"\x02"), 0, 1, "head")
    write("time_unit_0.tape", poked(tiny, 16, struct.pack("<I", 0)), 0, 1, "fit together")
    write("column_unknown.tape", poked(tiny, 24, b"\x63"), 0, 1, "column")
    write("column_too_wide.tape", poked(tiny, 25, b"\x09"), 0, 1, "column")
    write("column_too_long.tape", poked(tiny, 28, struct.pack("<I", 2**31)), 0, 1, "column")
    sites = (GOOD / "sites.tape").read_bytes()
    write("encoding_1_with_sites.tape", replaced(sites, 1, lambda h, p: resealed(h, p, encoding=1)), 0, 1, "makes no sense")
    write("reference_unknown_2.tape", poked(sites, 4, b"\x03"), 0, 1, "head")
    write("site_ranks_missing.tape", replaced(sites, 1, without_column(13)), 0, 1, "fit together")
    write("steps_missing.tape", replaced(sites, 1, without_column(14)), 0, 1, "fit together")
    write("claims_too_much.tape", claims(tiny, 0, 6), 0, 1, "claims 6 events")
    write("claims_many_objects.tape", claims(tiny, 8, 2**60), 0, 1, "claims objects up to")
    (BAD / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def without_column(column):
    """Of a payload of events all that belongs to one column."""
    def make(head, payload):
        heads = [payload[24 + 8 * i:32 + 8 * i] for i in range(payload[5])]
        at = 24 + 8 * len(heads)
        words = [payload[at + 4 * i:at + 4 * i + 4] for i in range(sum(h[1] for h in heads))]
        at += 4 * len(words)
        front, kept_words, data = b"", b"", b""
        for one in heads:
            for word in [words.pop(0) for _ in range(one[1])]:
                size = int.from_bytes(word[:3], "little")
                if one[0] != column:
                    kept_words += word
                    data += payload[at:at + size]
                at += size
            front += one if one[0] != column else b""
        assert len(front) == 8 * (len(heads) - 1)
        return resealed(head, payload[:5] + bytes([len(heads) - 1]) + payload[6:24] + front + kept_words + data)
    return make


def claims(data, offset, value):
    which = next(i for i, (_, head, _) in enumerate(blocks(data)) if head["kind"] == 5)

    def make(head, payload):
        return resealed(head, payload[:offset] + struct.pack("<Q", value) + payload[offset + 8:])
    return replaced(data, which, make)


if __name__ == "__main__":
    main()
