#!/bin/sh
# bench_lanes.sh BUILD: what real threads bring. Two lanes that share nothing, together on two cores, against
# the same work one lane after the other, on each allocator; and what waiting costs where lanes do share: the
# time of an operation where a fifth of the frees cross, in causal and in strict order. Medians of 7.
set -eu
build=$1
engine=$build/libexec/heaptape/heaptape-engine
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

synth() {
    name=$1
    shift
    "$build/libexec/heaptape/heaptape-trace" synth -o "$folder/$name.tape" "$@" 2>/dev/null
}

# value WHAT NAME OPTIONS: the median of seven runs of the time ("ns"), the time of an operation ("each"), "waits".
value() {
    what=$1
    name=$2
    shift 2
    for _ in 1 2 3 4 5 6 7; do
        env -u LD_PRELOAD ${preload:+LD_PRELOAD="$preload"} "$engine" --tape "$folder/$name.tape" --print "$@" |
            awk -v what="$what" '{ v[$1] = $2 }
                 END { print what == "waits" ? v["waits"] : v["timed_ns"] / (what == "ns" ? 1 : v["operations"]) }'
    done | sort -g | sed -n 4p
}

synth one --events=3M --live=10k --lanes=1
synth two --events=6M --live=20k --lanes=2
printf '%-14s %s\n' allocator 'two independent lanes: times as fast as one after the other'
"$build/libexec/heaptape/heaptape-allocators" --format=csv | while IFS=, read -r name path _; do
    case $name in libc | htmalloc | jemalloc | mimalloc | tcmalloc | tbbmalloc | null) ;; *) continue ;; esac
    preload=$(echo "$path" | tr -d '"')
    one=$(value ns one)
    two=$(value ns two)
    printf '%-14s %.2f\n' "$name" "$(echo "$one $two" | awk '{ print 2 * $1 / $2 }')"
done

preload=$build/lib/heaptape/libheaptape-null.so
printf '\n%-8s %-8s %10s %16s   (null allocator, 300,000 operations)\n' lanes order waits 'ns an operation'
for lanes in 2 4 8 16; do
    synth "lanes$lanes" --events=300k --live=20k --lanes="$lanes" --cross-frees=20%
    for order in causal strict; do
        printf '%-8s %-8s %10s %16.1f\n' "$lanes" "$order" "$(value waits "lanes$lanes" --order="$order")" \
            "$(value each "lanes$lanes" --order="$order")"
    done
done
