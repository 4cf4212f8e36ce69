"""The figures of make truth: errors of predictions, pairs in the right order, series held against samples."""

import bisect
import itertools
import statistics

DIFFERS = 0.05  # a pair of allocators truly differs by more than this


def error(predicted, real):
    """As a share of what is real; positive where too much was predicted."""
    return predicted / real - 1


def pairs(real, predicted, ranges=None):
    """Pairs of names whose real values differ by more than DIFFERS of the smaller: (right, wrong), lists of pairs.

    `ranges` (name: (least, most) of the runs), where given, leaves out pairs whose runs overlap: nobody knows the true
    order of those. A prediction that calls a tie is wrong."""
    right, wrong = [], []
    for a, b in itertools.combinations(real, 2):
        low, high = sorted((a, b), key=real.get)
        if real[high] <= real[low] * (1 + DIFFERS):
            continue
        if ranges and ranges[low][1] >= ranges[high][0]:
            continue
        (right if predicted[low] < predicted[high] else wrong).append((low, high))
    return right, wrong


def summary(cells):
    """Of errors by (program, allocator): the median and the greatest of their sizes, and how many are above a tenth."""
    sizes = sorted(abs(value) for value in cells.values())
    if not sizes:
        return {"cells": 0, "median": None, "greatest": None, "above_tenth": []}
    return {
        "cells": len(sizes),
        "median": statistics.median(sizes),
        "greatest": sizes[-1],
        "above_tenth": [list(cell) for cell, value in cells.items() if abs(value) > 0.10],
    }


def value_at(operations, values, operation):
    """Of a series: the value of the first point at or after `operation`, else the last."""
    return values[min(bisect.bisect_left(operations, operation), len(values) - 1)]


def against_samples(samples, operations, values):
    """A replay's series against the program's own samples, both of one figure.

    `samples` are (operation, bytes) pairs, in order. What the process has beside its heap is taken from one sample
    alone, the first at which the replay has reached a tenth of its own peak, and must stay. Returns the error of the
    peak among the samples from there on, the mean absolute difference over them (both as a share of the peak), what
    was taken to be beside, and the number of samples; None where there are fewer than two."""
    tenth = max(values) / 10
    points = [(real, value_at(operations, values, operation)) for operation, real in samples]
    first = next((i for i, (_, replayed) in enumerate(points) if replayed >= tenth), len(points))
    points = points[first:]
    if len(points) < 2:
        return None
    beside = points[0][0] - points[0][1]
    peak = max(real for real, _ in points)
    return {
        "peak_error": error(beside + max(replayed for _, replayed in points), peak),
        "mean_difference": statistics.fmean(abs(beside + replayed - real) for real, replayed in points) / peak,
        "beside_bytes": beside,
        "peak_bytes": peak,
        "samples": len(points),
    }
