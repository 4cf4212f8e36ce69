#!/bin/sh
# bench_replay.sh BUILD TAPE...: the engine's own cost on each tape, best of five runs as for any floor.
#   floor   ns an operation on the null allocator, in time mode
#   ratio   wall time of a whole run (decoding, planning) over its timed time, on libc
set -eu
build=$1
shift
engine=$build/libexec/heaptape/heaptape-engine
[ $# -gt 0 ] || { echo "bench-replay: no bundled tapes; give some with tapes=FILE" >&2; exit 0; }

# FIELD of the engine's printed result.
field() { awk -v key="$1" '$1 == key { print $2 }'; }

printf '%-28s %12s %6s %16s %16s\n' tape operations lanes 'floor ns/op' 'wall/timed libc'
for tape in "$@"; do
    floor=
    ratio=
    for _ in 1 2 3 4 5; do
        result=$(LD_PRELOAD=$build/lib/heaptape/libheaptape-null.so "$engine" --tape "$tape" --print)
        operations=$(printf '%s\n' "$result" | field operations)
        lanes=$(printf '%s\n' "$result" | field lanes)
        timed=$(printf '%s\n' "$result" | field timed_ns)
        floor="$floor $(awk -v t="$timed" -v n="$operations" 'BEGIN { printf "%.2f", n ? t / n : 0 }')"
        result=$(env -u LD_PRELOAD "$engine" --tape "$tape" --print)
        timed=$(printf '%s\n' "$result" | field timed_ns)
        wall=$(printf '%s\n' "$result" | field wall_ns)
        ratio="$ratio $(awk -v t="$timed" -v w="$wall" 'BEGIN { printf "%.2f", t ? w / t : 0 }')"
    done
    least() { printf '%s\n' "$@" | sort -g | head -n 1; }
    # shellcheck disable=SC2086
    printf '%-28s %12s %6s %16s %16s\n' "$(basename "$tape" .tape)" "$operations" "$lanes" \
        "$(least $floor)" "$(least $ratio)"
done
