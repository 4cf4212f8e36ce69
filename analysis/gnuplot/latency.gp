# Latency of single calls: which share of them takes how long at most, a panel for each kind. Lower is better.
# Take it and change it:
#   gnuplot -p -e "names='libc jemalloc'; files='S/t.libc.latency.csv S/t.jemalloc.latency.csv'" latency.gp
# Variables
#   names    words: the allocators              files    words: their latency CSV, in the same order
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   calls    words: malloc, free, calloc, realloc, aligned; those to show (optional, malloc)
#   columns  panels beside each other (optional)
#   plain    1 for a text terminal (optional)
# The x axis is 1 / (1 - share): each step to the right is ten times as rare. Below 1 ns is drawn at 1 ns.
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("colours")) colours = ''
if (!exists("calls")) calls = 'malloc'
if (!exists("columns")) columns = words(calls) < 2 ? 1 : 2
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))
rarity(call) = strcol(1) eq call && column(2) < 1 ? 1 / (1 - column(2)) : NaN
shown(ns) = ns > 1 ? ns : 1

set datafile separator ','
set datafile missing ''
set logscale xy
set border 3; set tics nomirror
set xtics ('0' 1, '90' 10, '99' 100, '99.9' 1e3, '99.99' 1e4, '99.999' 1e5, '99.9999' 1e6, '99.99999' 1e7, '99.999999' 1e8)
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 us' 1e3, '10 us' 1e4, '100 us' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9, '10 s' 1e10)
set xlabel 'share of the calls, %, log scale of 1 / (1 - share)'
set ylabel plain ? '' : 'at most, log scale'
set yrange [1:*]; set xrange [1:*]
if (plain) { unset grid; set key outside bottom horizontal noenhanced } else { set grid lc rgb '#dedee3' lt 1 lw 0.7; set key outside right noenhanced }
heading = sprintf('Latency of single calls%s.  Lower is better', of_tape)
set multiplot layout ceil(words(calls) / (columns * 1.0)), columns title heading noenhanced
do for [k = 1:words(calls)] {
    call = word(calls, k)
    set title call noenhanced
    plot for [i = 1:words(names)] word(files, i) using (rarity(call)):(shown($3)) skip 1 \
        with lines lt i lc rgb colour(i) lw (plain ? 1 : 2) title word(names, i)
}
unset multiplot
