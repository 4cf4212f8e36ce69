#!/bin/sh
# heaptape animate: finds a python3 that has what the animation needs, and runs it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd)
program=$root/share/heaptape/report/animate.py
readonly EXIT_ENVIRONMENT=4

if [ ! -f "$program" ]; then
    echo "heaptape animate: its Python is missing: $program: run make (or make install) again" >&2
    exit $EXIT_ENVIRONMENT
fi
for python in "${HEAPTAPE_PYTHON:-}" python3 /usr/bin/python3 /usr/local/bin/python3; do
    [ -n "$python" ] && command -v "$python" >/dev/null 2>&1 || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
    "$python" -c 'import sys; sys.path[:] = filter(None, sys.path); import numpy, matplotlib, PIL' 2>/dev/null || continue
    exec "$python" -B "$program" "$@"
done
echo "heaptape animate: no python3 with numpy, matplotlib and Pillow: run:" \
    "apt-get install python3-numpy python3-matplotlib python3-pil" >&2
exit $EXIT_ENVIRONMENT
