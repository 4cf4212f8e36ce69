"""The heap maps of the report: what the page's script gets is exact, and the static chart is there without it."""

import base64
import sys
import types
import zlib

import numpy

from conftest import ROOT

sys.path.insert(0, str(ROOT / "analysis"))

from report import heap_story, heap_view  # noqa: E402


def story(live):
    """Three snapshots of four bands, the live bytes given."""
    live = numpy.array(live)
    drawn = heap_story.HeapMap(numpy.array([10.0, 20.0, 40.0]), numpy.array([0x1000, 0x2000, 0x7F0000003000, 0x7F0000004000, 0x7F0000005000]),
                               4096, 16384, numpy.where(live >= 0, 4096, 0), numpy.maximum(live, 0))
    return types.SimpleNamespace(heap_map=drawn, operation=drawn.operation, resident=drawn.resident.sum(axis=0),
                                 live=drawn.live.sum(axis=0), peak_index=1)


def test_cells_are_exact():
    live = [[0, 4096, 17], [-1, 1, 2], [3, -1, 4], [4095, 4094, -1]]
    context = types.SimpleNamespace(owner=lambda name: 3, colour={"a<b": "#0072b2"})
    found = heap_view.of_story(context, types.SimpleNamespace(allocator="a<b"), story(live))
    cells = numpy.frombuffer(zlib.decompress(base64.b64decode(found["cells"])), dtype="<u4").reshape(2, 3, 4)
    assert cells[0].T.tolist() == [[4096 if v >= 0 else 0 for v in row] for row in live]
    assert cells[1].T.tolist() == [[max(v, 0) for v in row] for row in live]
    assert numpy.cumsum(found["edges"]).tolist() == [0x1000, 0x2000, 0x7F0000003000, 0x7F0000004000, 0x7F0000005000]
    assert (found["a"], found["name"], found["ops"], found["band"], found["size"]) == (3, "a<b", [10, 20, 40], 4096, 16384)


def test_the_scale_goes_from_dark_to_bright():
    shades = [sum(colour) for colour in heap_view.scale()]
    assert len(shades) == heap_view.SHADES and shades == sorted(shades) and shades[-1] > 2 * shades[0]
