"""What the recorded program's memory was, from a tape's SAMPLES blocks (traces/FORMAT.md), and a replay's series."""

import dataclasses
import struct

FILE_HEADER, BLOCK_HEADER = 64, struct.Struct("<8sHHIQQIIII12sI")
SAMPLES, SAMPLE = 3, struct.Struct("<5Q")


@dataclasses.dataclass(frozen=True)
class Sample:
    time_ns: int
    event: int
    resident: int
    held: int
    requested: int


def read_samples(path):
    """All samples of the tape, in order."""
    found = []
    with open(path, "rb") as file:
        file.seek(FILE_HEADER)
        while len(header := file.read(BLOCK_HEADER.size)) == BLOCK_HEADER.size:
            magic, kind, encoding, _, _, _, count, payload, *_ = BLOCK_HEADER.unpack(header)
            if magic != b"\xf5HTBLOCK":
                raise ValueError(f"{path}: no block where one must be")
            if kind == SAMPLES and encoding == 2:
                data = file.read(payload)
                found += [Sample(*SAMPLE.unpack_from(data, i * SAMPLE.size)) for i in range(count)]
            else:
                file.seek(payload, 1)
    return found
