#!/bin/sh
# heaptape report: finds a python3 that has what the report needs, and runs the report with it.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd)
report=$root/share/heaptape/report
readonly EXIT_ENVIRONMENT=4

if [ ! -f "$report/__main__.py" ]; then
    echo "heaptape report: its Python is missing: $report: run make (or make install) again" >&2
    exit $EXIT_ENVIRONMENT
fi
# Two folders among the arguments: what changed between them is heaptape diff's to say.
old='' new='' value=''
for argument; do
    case $value$argument in
    -o | --output | --format) value=of ;;
    --) value=names ;;
    -*) ;;
    of*) value='' ;;
    *) if [ -z "$old" ]; then old=$argument; else new=$argument; fi ;;
    esac
done
# Packages of Debian are seen by its own python3 only, which need not be the first on PATH.
for python in "${HEAPTAPE_PYTHON:-}" python3 /usr/bin/python3 /usr/local/bin/python3; do
    [ -n "$python" ] && command -v "$python" >/dev/null 2>&1 || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
    "$python" -c '
import sys
from importlib.util import find_spec  # to import them takes as long as to draw several charts
sys.path[:] = filter(None, sys.path)
sys.exit(not all(map(find_spec, ("numpy", "matplotlib", "jinja2"))))' 2>/dev/null || continue
    if [ -n "$new" ]; then # the report reads what heaptape diff says, be it that it cannot
        "$root/libexec/heaptape/heaptape-diff" --format=json -- "$old" "$new" 2>&1 | "$python" -B "$report" "$@"
        exit
    fi
    exec "$python" -B "$report" "$@"
done
echo "heaptape report: no python3 with numpy, matplotlib and jinja2: run:" \
    "apt-get install python3-numpy python3-matplotlib python3-jinja2" >&2
exit $EXIT_ENVIRONMENT
