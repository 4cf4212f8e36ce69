#!/bin/sh
# bench_scale.sh BUILD [EVENTS]: a tape of 100 million events, a synthetic one and one recorded from a real program
# run long, on the null allocator: what an operation costs over the whole tape and over its first million, what
# decoding and planning cost, and the memory of the engine beside what its tables for live blocks take.
set -eu
build=$1
events=${2:-100M}
engine=$build/libexec/heaptape/heaptape-engine
trace=$build/libexec/heaptape/heaptape-trace
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=$(command -v /usr/bin/python3 || command -v python3) # a wrapper on PATH would record the wrapper

cat >"$folder/long.py" <<'END'
import json
for r in range(21):
    rows = [{"id": i, "name": "n%d" % i, "values": [i, i * 2, str(i)]} for i in range(60000)]
    back, groups = json.loads(json.dumps(rows)), {}
    for row in back:
        groups.setdefault(row["name"][:3], []).append(row["values"])
    del rows, back
END

# "ns an operation, rest of the wall time an operation, MiB of the process at its peak": of five runs the one in the
# middle by the first.
run() {
    for _ in 1 2 3 4 5; do
        LD_PRELOAD=$build/lib/heaptape/libheaptape-null.so "$engine" --tape "$1" --print |
            awk '{ v[$1] = $2 } END { n = v["operations"]
                 printf "%.3f %.2f %.0f\n", v["timed_ns"] / n, (v["wall_ns"] - v["timed_ns"]) / n, v["process_peak_resident_bytes"] / 1048576 }'
    done | sort -g | sed -n 3p
}

tell() {
    "$trace" slice -o "$folder/first.tape" --events=0:1M "$2" 2>/dev/null
    first=$(run "$folder/first.tape")
    whole=$(run "$2")
    live=$("$trace" info --format=json "$2" | tr ',' '\n' | sed -n 's/.*"peak_live_blocks": *//p')
    echo "$1 $first $whole $live" | awk '{ printf "%-12s %12.2f %12.2f %8.3f %16.1f %18.1f %14d\n",
        $1, $2, $5, $5 / $2, 1000 / $6, $7, $8 }'
}

printf '%-12s %12s %12s %8s %16s %18s %14s\n' tape 'first 1M ns' 'whole ns' ratio 'plan Mevents/s' 'engine MiB at most' 'live blocks'
"$trace" synth -o "$folder/synth.tape" --events="$events" --live=100k --sizes=log --size=16..4096 2>/dev/null
tell synthetic "$folder/synth.tape"
rm "$folder/synth.tape"
PYTHONMALLOC=malloc "$build/libexec/heaptape/heaptape-record" -o "$folder/python.tape" -- "$python" "$folder/long.py" 2>/dev/null
tell python3 "$folder/python.tape"
