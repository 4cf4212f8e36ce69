#!/bin/sh
# bench_scale.sh BUILD TAPE...: long tapes (make scale-tapes: 100 million events, a synthetic tape and one recorded
# from a real program run long) on the null allocator: what an operation costs over the whole tape and over its first
# million, what decoding and planning cost, and the memory of the engine beside what its tables for live blocks take.
set -eu
build=$1
shift
engine=$build/libexec/heaptape/heaptape-engine
trace=$build/libexec/heaptape/heaptape-trace
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# "ns an operation of processor time, of wall time, rest of the wall time, MiB of the process at its peak": of five runs
# the one in the middle by the first, which other programs on the machine disturb least.
run() {
    for _ in 1 2 3 4 5; do
        LD_PRELOAD=$build/lib/heaptape/libheaptape-null.so "$engine" --tape "$1" --print |
            awk '{ v[$1] = $2 } END { n = v["operations"]
                 printf "%.3f %.3f %.2f %.0f\n", v["timed_cpu_ns"] / n, v["timed_ns"] / n, (v["wall_ns"] - v["timed_ns"]) / n,
                     v["process_peak_resident_bytes"] / 1048576 }'
    done | sort -g | sed -n 3p
}

tell() {
    "$trace" slice -o "$folder/first.tape" --events=0:1M "$2" 2>/dev/null
    first=$(run "$folder/first.tape")
    whole=$(run "$2")
    live=$("$trace" info --format=json "$2" | tr ',' '\n' | sed -n 's/.*"peak_live_blocks": *//p')
    echo "$1 $first $whole $live" | awk '{ printf "%-12s %12.2f %12.2f %8.3f %10.2f %16.1f %18.1f %14d\n",
        $1, $2, $6, $6 / $2, $7, 1000 / $8, $9, $10 }'
}

printf '%-12s %12s %12s %8s %10s %16s %18s %14s\n' tape 'first 1M ns' 'whole ns' ratio 'by wall' 'plan Mevents/s' \
    'engine MiB at most' 'live blocks'
for tape; do
    tell "$(basename "$tape" .tape)" "$tape"
done
