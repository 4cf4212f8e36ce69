#!/bin/sh
# bench_replay.sh BUILD TAPE...: the engine's own cost on each tape, best of five runs as for any floor.
#   floor        ns an operation on the null allocator, in time mode
#   instructions the same in instructions executed, by callgrind: repeats exactly, so it tells a change of the
#                engine from a change of the machine's mood (one lane only: waits vary; - without valgrind)
#   wall/timed   a whole run (decoding, planning) over its timed part, on libc: alone, and as bench and
#                replay run it, with the plan kept from the first run
set -eu
build=$1
shift
engine=$build/libexec/heaptape/heaptape-engine
[ $# -gt 0 ] || { echo "bench-replay: no bundled tapes; give some with tapes=FILE" >&2; exit 0; }
plan=$(mktemp)
trap 'rm -f "$plan"' EXIT

# What the engine prints: a key and a value a line. `ratio` is not the engine's.
run() {
    env -u LD_PRELOAD ${preload:+LD_PRELOAD="$preload"} "$engine" --tape "$tape" --print "$@" 9<>"$plan" |
        awk '{ value[$1] = $2; print }
             END { n = value["operations"]; t = value["timed_ns"]
                   printf "ns %.2f\nratio %.2f\n", n ? t / n : 0, t ? value["wall_ns"] / t : 0 }'
}

# best KEY OPTIONS: the least of five runs.
best() {
    key=$1
    shift
    for _ in 1 2 3 4 5; do run "$@" | awk -v key="$key" '$1 == key { print $2 }'; done | sort -g | head -n 1
}

# Of the timed loop alone, an operation, on the null allocator.
instructions() {
    [ "$2" = 1 ] && command -v valgrind >/dev/null || { echo -; return; }
    LD_PRELOAD="$preload" valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --toggle-collect=replay_time_first "$engine" --tape "$tape" 2>&1 |
        awk -v operations="$1" '/Collected/ { printf "%.2f\n", $NF / operations }'
}

printf '%-28s %12s %6s %12s %13s %17s %15s\n' \
    tape operations lanes 'floor ns/op' 'instructions' 'wall/timed alone' 'with plan kept'
for tape in "$@"; do
    preload=
    : >"$plan"
    facts=$(run | awk '$1 == "operations" { n = $2 } $1 == "lanes" { print n, $2 }')
    alone=$(best ratio)
    run --plan-fd=9 >/dev/null
    kept=$(best ratio --plan-fd=9)
    preload=$build/lib/heaptape/libheaptape-null.so
    floor=$(best ns --plan-fd=9)
    # shellcheck disable=SC2086
    printf '%-28s %12s %6s %12s %13s %17s %15s\n' "$(basename "$tape" .tape)" $facts "$floor" \
        "$(instructions $facts)" "$alone" "$kept"
done
