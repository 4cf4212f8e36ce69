#!/bin/sh
# instructions.sh FIND_BEST: instructions of one operation of each way to find the best fit, by the number of free blocks:
# what callgrind counts for 400 operations less what it counts for 200. Nothing where there is no valgrind.
set -eu
command -v valgrind >/dev/null 2>&1 || exit 0
program=$1
counted() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>&1 | sed -n 's/.*Collected : //p'
}
echo 'instructions'
for way in list array simd tree bins; do
    printf '%-8s' "$way"
    for blocks in 10 100 1000 10000 60000; do
        printf '%10d' $((($(counted $way $blocks 400) - $(counted $way $blocks 200)) / 200))
    done
    echo
done
