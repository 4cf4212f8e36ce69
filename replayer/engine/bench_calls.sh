#!/bin/sh
# bench_calls.sh BUILD: what counting a system call costs memory mode. A preload makes 15 of them in each
# free(NULL); the time of a call is that of the memory run less that of the time run, which has no filter,
# over the calls. Medians of 7.
set -eu
build=$1
engine=$build/libexec/heaptape/heaptape-engine
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$build/tests/engine_tape" "$folder/t.tape" 10000 1 1 0 nulls >/dev/null

figure() {
    key=$1
    shift
    LD_PRELOAD=$build/tests/engine_calls.so "$engine" --tape "$folder/t.tape" --print "$@" |
        awk -v key="$key" '{ v[$1] = $2 } END { print v[key] - v["sampling_ns"] }'
}

for _ in 1 2 3 4 5 6 7; do
    plain=$(figure timed_ns)
    caught=$(figure timed_ns --mode=memory)
    echo "$plain $caught" | awk '{ printf "%.0f\n", ($2 - $1) / 150000 }'
done | sort -g | awk '{ v[NR] = $1 } END { printf "counting a system call: %d ns (%d to %d)\n", v[4], v[1], v[7] }'
