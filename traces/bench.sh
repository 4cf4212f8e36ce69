#!/bin/sh
# make bench-tape: bytes an event, decoding and resolving speed, on random churn and on the bundled tapes.
# usage: bench.sh TAPE_BENCH [TAPE|RAW]...
set -eu
program=$1
shift
folder=$(mktemp -d "${TMPDIR:-/tmp}/heaptape-bench.XXXXXX")
trap 'rm -rf "$folder"' EXIT INT TERM
"$program" "$folder" "${FORMAT:-table}" "$@"
