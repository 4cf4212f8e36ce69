"""The container of a tape, as far as tests need to take files apart and seal them again."""

import struct

MAGIC = b"\xf5HTBLOCK"
HEADER = struct.Struct("<8sHHIQQIIII12xI")  # up to and with the header's own checksum
FILE_HEADER_BYTES = 64
META, EVENTS, SAMPLES, INDEX, END, FOOTER = 1, 2, 3, 4, 5, 6
MARKS = 13

_TABLE = []
for _i in range(256):
    for _ in range(8):
        _i = _i >> 1 ^ (0x82F63B78 if _i & 1 else 0)
    _TABLE.append(_i)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def file_header(version=1, kind=1, magic=b"\x89HTAPE\r\n") -> bytes:
    head = magic + struct.pack("<III", version, kind, 0) + bytes(40)
    return head + struct.pack("<I", crc32c(head))


def block(kind, payload=b"", *, encoding=1, lane=0, sequence=0, first=0, count=0, unpacked=0,
          payload_bytes=None, payload_crc=None) -> bytes:
    """A block whose checksums are right, unless a wrong one is asked for."""
    size = len(payload) if payload_bytes is None else payload_bytes
    crc = crc32c(payload) if payload_crc is None else payload_crc
    head = HEADER.pack(MAGIC, kind, encoding, lane, sequence, first, count, size, unpacked, crc, 0)
    return head[:-4] + struct.pack("<I", crc32c(head[:-4])) + payload


def blocks(data: bytes):
    """(offset, header fields as a dict, payload) of each block of a sound file."""
    names = "magic kind encoding lane sequence first count payload_bytes unpacked payload_crc crc".split()
    at = FILE_HEADER_BYTES
    while at < len(data):
        head = dict(zip(names, HEADER.unpack_from(data, at)))
        assert head["magic"] == MAGIC
        body = at + HEADER.size
        yield at, head, data[body:body + head["payload_bytes"]]
        at = body + head["payload_bytes"]


def resealed(head: dict, payload: bytes, **changes) -> bytes:
    keep = {k: head[k] for k in ("encoding", "lane", "sequence", "first", "count", "unpacked")}
    kind = changes.pop("kind", head["kind"])
    return block(kind, payload, **{**keep, **changes})
