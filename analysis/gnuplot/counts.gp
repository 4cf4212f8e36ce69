# Page faults, or system calls, so far over the replay: one line an allocator.
# Take it and change it:
#   gnuplot -p -e "names='libc jemalloc'; files='S/t.libc.csv S/t.jemalloc.csv'; what='calls'" counts.gp
# Variables
#   names    words: the allocators              files    words: their series CSV, in the same order
#   what     faults (default) or calls
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   plain    1 for a text terminal (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("what")) what = 'faults'
if (!exists("colours")) colours = ''
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))

set datafile separator ','
set datafile missing ''
set datafile columnheaders
so_far(n) = what eq 'calls' ? column('system_calls') : column('minor_faults') + column('major_faults')
stats word(files, 1) using (column('operation')) nooutput
last = STATS_max
calls = last >= 2e6 ? 1e6 : last >= 2e3 ? 1e3 : 1.0
count = last >= 2e6 ? 'million operations' : last >= 2e3 ? 'thousand operations' : 'operations'

set title sprintf('%s over the replay%s', what eq 'calls' ? 'System calls' : 'Page faults', of_tape) noenhanced
set border 3; set tics nomirror
set xlabel count; set xrange [0:last / calls]; set yrange [0:*]
set ylabel plain ? '' : 'so far'
if (plain) { set key outside bottom horizontal noenhanced } else { set key outside right noenhanced; set grid lc rgb '#dedee3' lt 1 lw 0.7 }
plot for [i = 1:words(names)] word(files, i) using (column('operation') / calls):(so_far(0)) \
    with steps lt i lc rgb colour(i) lw (plain ? 1 : 2) title word(names, i)
