#!/bin/sh
# heaptape plot: prepares a chart's data (job.py) and has gnuplot draw it in the terminal or to a file.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/../.." && pwd)
scripts=$root/share/heaptape/gnuplot
readonly EXIT_USAGE=2 EXIT_ENVIRONMENT=4

die() {
    status=$1
    shift
    echo "heaptape plot: $*" >&2
    exit "$status"
}

# What is on stdin to stdout. A closed pipe (| head) has had what it wanted.
show() {
    written=0
    cat 2>/dev/null || written=$?
    case $written in 0 | 141) ;; *) die $EXIT_ENVIRONMENT 'cannot write to stdout; make room, or send it elsewhere' ;; esac
}

usage() {
    show <<'END'
Examples:
  heaptape plot results                               heap growth of the first tape, in the terminal
  heaptape plot results --chart=time                  time per operation with intervals
  heaptape plot results --chart=fragmentation -o f.png

Usage: heaptape plot RESULTS [OPTIONS]

Draws a quick chart with gnuplot from the folder that heaptape bench left. stdout gets the chart and nothing else.

  --chart=CHART       growth (R, U, H and P over time, the default), fragmentation (H/R - 1 over time),
                      relative (time to libc's), memory (peak resident to libc's), time (per operation),
                      pareto (time against memory), waste (where the memory goes), latency (of single
                      calls), latency_time (over the run), faults, calls (page faults and system calls
                      over time), sizes (asked for), scaling (with threads), live, live_time (the real
                      program's memory and time beside their prediction);
                      of a bench with --snapshots: heapmap (to a GIF or PNG it moves, by heaptape
                      animate), parts (what resident memory is made of), pages (how full they are),
                      free (of what use free memory is). The report's names of charts will do as well
  --tape=TAPE         which tape (default: the first)
  -o, --output=FILE   write FILE.png or FILE.svg instead
  --terminal[=KIND]   in the terminal: kitty or sixel where it offers one, else dumb (letters)
  --version           the version
  --help              this text

The scripts are plain gnuplot, to be taken and changed: share/heaptape/gnuplot/*.gp say how.
Exit status: 0 ok, 2 usage, 3 the folder cannot be used, 4 environment.
END
}

version() {
    for file in "$root/share/heaptape/VERSION" "$(readlink -f -- "$scripts")/../../VERSION"; do
        [ ! -f "$file" ] || { cat "$file"; return; }
    done
    echo unknown
}

results='' chart=growth tape='' output='' terminal=''
while [ $# -gt 0 ]; do
    case $1 in
    --chart | --tape | -o | --output)
        [ $# -ge 2 ] || die $EXIT_USAGE "$1 needs a value; see heaptape plot --help"
        case $1 in
        --chart) chart=$2 ;;
        --tape) tape=$2 ;;
        *) output=$2 ;;
        esac
        shift
        ;;
    --chart=*) chart=${1#*=} ;;
    --tape=*) tape=${1#*=} ;;
    --output=*) output=${1#*=} ;;
    --terminal) terminal=auto ;;
    --terminal=*) terminal=${1#*=} ;;
    --help | -h) usage; exit ;;
    --version) printf 'heaptape %s\n' "$(version)" | show; exit ;;
    --)
        shift
        [ $# -le 1 ] && [ -z "$results" ] || die $EXIT_USAGE "one results folder at a time; see heaptape plot --help"
        results=${1:-}
        break
        ;;
    -?*) die $EXIT_USAGE "unknown option $1; see heaptape plot --help" ;;
    *)
        [ -z "$results" ] || die $EXIT_USAGE "one results folder at a time; see heaptape plot --help"
        results=$1
        ;;
    esac
    shift
done
[ -n "$results" ] || die $EXIT_USAGE 'no results folder given; see heaptape plot --help'
case $chart in # as the report calls them
relative_time) chart=relative ;;
peak_resident) chart=memory ;;
time_memory) chart=pareto ;;
system_calls) chart=calls ;;
heap_map) chart=heapmap ;;
resident_parts) chart=parts ;;
page_occupancy) chart=pages ;;
free_runs) chart=free ;;
esac
case $chart$output in # moves: another program's work
heapmap*.gif | heapmap*.png) exec "$root/libexec/heaptape/heaptape-animate" --tape="$tape" --output="$output" -- "$results" ;;
esac
case $chart in
growth | fragmentation | time | latency | pareto | waste) script=$chart ;;
latency_time | sizes | scaling | live | heapmap | parts | pages | free) script=$chart ;;
relative | memory) script=relative ;;
faults | calls) script=counts ;;
live_time) script=live ;;
*) die $EXIT_USAGE "--chart=$chart: no such chart; see heaptape plot --help" ;;
esac
case $terminal in '' | auto | dumb | sixel | kitty) ;; *) die $EXIT_USAGE "--terminal=$terminal: dumb, sixel or kitty; see heaptape plot --help" ;; esac
[ -z "$output" ] || [ -z "$terminal" ] || die $EXIT_USAGE 'either -o or --terminal; see heaptape plot --help'
case $output in '' | *.png | *.svg) ;; *) die $EXIT_USAGE "-o $output: the name must end in .png or .svg" ;; esac
command -v gnuplot >/dev/null 2>&1 || die $EXIT_ENVIRONMENT 'no gnuplot: run: apt-get install gnuplot-nox'
[ -f "$scripts/$script.gp" ] || die $EXIT_ENVIRONMENT "its scripts are missing: $scripts: run make (or make install) again"

case $script in latency_time | sizes | scaling | live | heapmap | parts | pages | free) needed='import numpy' ;; *) needed=pass ;; esac
python=
for candidate in "${HEAPTAPE_PYTHON:-}" python3 /usr/bin/python3; do
    [ -n "$candidate" ] && "$candidate" -c "import sys; $needed; sys.exit(sys.version_info < (3, 9))" 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || die $EXIT_ENVIRONMENT "no python3 (3.9 or later) with what --chart=$chart needs: run: apt-get install python3 python3-numpy"

# The window's size; 100 x 30 where there is none.
window() {
    size=$(stty size 2>/dev/null </dev/tty) || size=
    case $size in [1-9]*' '[1-9]*) ;; *) size="${LINES:-30} ${COLUMNS:-100}" ;; esac
    lines=${size% *} columns=${size#* }
    case $lines$columns in *[!0-9]*) lines=30 columns=100 ;; esac
    [ "$columns" -ge 40 ] || columns=40
    [ "$lines" -ge 12 ] || lines=12
}

# What the terminal answers to a control sequence; nothing within 0.2 s is no answer.
ask() {
    { before=$(stty -g </dev/tty) && stty raw -echo min 0 time 2 </dev/tty; } 2>/dev/null || return 0
    printf '%b' "$1" >/dev/tty
    dd bs=64 count=1 2>/dev/null </dev/tty | tr -d '\033' || true
    stty "$before" </dev/tty
}

# What pictures the terminal draws: kitty, sixel or none (dumb). Those that draw sixels say 4 among their attributes.
offered() {
    case ${TERM:-}${KITTY_WINDOW_ID:+kitty}${GHOSTTY_RESOURCES_DIR:+kitty} in
    dumb | '') echo dumb && return ;;
    *kitty*) echo kitty && return ;;
    foot* | mlterm* | yaft* | *sixel*) echo sixel && return ;;
    esac
    case $(ask '\033[c') in '[?'*';4;'* | '[?'*';4c'*) echo sixel ;; *) echo dumb ;; esac
}

# The window's size in pixels, where the terminal tells: sets width and limits height.
fit_pixels() {
    [ -t 1 ] || return 0
    answer=$(ask '\033[14t')
    case $answer in '[4;'[1-9]*';'[1-9]*t) ;; *) return 0 ;; esac
    answer=${answer#'[4;'} answer=${answer%%t*}
    tall=${answer%;*} wide=${answer#*;}
    case $tall$wide in *[!0-9]*) return 0 ;; esac
    [ "$wide" -lt 400 ] || [ "$wide" -ge "$width" ] || { height=$((height * wide / width)) width=$wide; }
    [ "$tall" -lt 200 ] || [ "$tall" -ge "$height" ] || height=$tall
}

# A PNG as the terminals of kitty's kin read it: base64 in pieces of 4096.
as_kitty() {
    first='f=100,a=T,'
    base64 "$1" | tr -d '\n' | fold -w 4096 >"$work/pieces"
    echo >>"$work/pieces"
    pieces=$(wc -l <"$work/pieces") at=0
    while IFS= read -r piece; do
        at=$((at + 1))
        printf '\033_G%sm=%d;%s\033\\' "$first" "$((at < pieces))" "$piece"
        first=''
    done <"$work/pieces"
    echo
}

work=$(mktemp -d "${TMPDIR:-/tmp}/heaptape-plot.XXXXXX") || die $EXIT_ENVIRONMENT "cannot make a folder in ${TMPDIR:-/tmp}"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# Python tells of an interrupt at length; we see it, too, and end when it is done, which is soon.
(trap '' INT && exec "$python" -B "$scripts/job.py" "$results" "$chart" "$tape" "$work") || exit
panels=$(cat "$work/panels")

if [ "$terminal" = auto ] || [ -z "$terminal$output" ]; then
    terminal=dumb
    [ ! -t 1 ] || terminal=$(offered)
fi
width=1200 height=560 plain=0 across=3
case $script in
growth | latency_time | heapmap | parts) height=$((110 + 300 * ((panels + 2) / 3))) across=$((panels < 3 ? panels : 3)) ;;
time | relative | waste | live) height=$((150 + 50 * panels)) ;;
pages) height=$((190 + 44 * panels)) ;;
esac
[ "$chart" != latency ] || { height=$((60 + 380 * ((panels + 1) / 2))) across=$((panels < 2 ? 1 : 2)); }
case $terminal in
dumb)
    window
    plain=1 across=$((columns / 50))
    [ "$across" -ge 1 ] || across=1
    [ "$across" -le "$panels" ] || across=$panels
    height=$((lines - 2)) colour=mono
    case $script in
    growth | latency_time | parts) height=$((2 + 15 * ((panels + across - 1) / across))) ;;
    heapmap) height=$((2 + 19 * ((panels + across - 1) / across))) ;;
    time | relative | waste | live) height=$((7 + 3 * panels)) ;;
    pages) height=$((8 + 2 * panels)) ;;
    esac
    [ "$chart" != latency ] || { height=$((2 + 20 * panels)) across=1; }
    # In colours all lines are drawn alike; these tell them apart by letters.
    case $script in
    growth | parts) ;;
    *) [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ] && colour=ansi256 ;;
    esac
    device="set terminal dumb size $columns, $height noenhanced $colour"
    ;;
sixel)
    fit_pixels
    device="set terminal sixelgd truecolor font 'DejaVu Sans,10' size $width, $height"
    ;;
kitty)
    fit_pixels
    device="set terminal pngcairo enhanced font 'DejaVu Sans,10' size $width, $height"
    ;;
*)
    case $output in
    *.png) device="set terminal pngcairo enhanced font 'DejaVu Sans,10' size $width, $height" ;;
    *) device="set terminal svg enhanced font 'DejaVu Sans,12' size $width, $height background rgb 'white'" ;;
    esac
    ;;
esac

cp "$scripts/$script.gp" "$work/chart.gp"
to_file=$output
[ "$terminal" != kitty ] || to_file=kitty
cat >"$work/run.gp" <<END
$device
${to_file:+set output 'chart.out'}
plain = $plain
columns = $across
room = ${columns:-100}
load 'job.gp'
load 'chart.gp'
set output
END
(cd "$work" && gnuplot run.gp) >"$work/stdout" 2>"$work/stderr" || {
    die $EXIT_ENVIRONMENT "gnuplot failed: $(grep -v '^ *^*$' "$work/stderr" | tail -n 2 | tr -s '\n ' ' ')"
}
if [ -n "$output" ]; then
    cp -- "$work/chart.out" "$output" 2>/dev/null || die $EXIT_ENVIRONMENT "cannot write $output: choose another file with -o"
elif [ "$terminal" = kitty ]; then
    as_kitty "$work/chart.out" >"$work/stdout"
    show <"$work/stdout"
else
    show <"$work/stdout"
fi
