# Fragmentation over the replay: H/R - 1 in percent, allocators overlaid. Lower is better.
# Take it and change it:
#   gnuplot -p -e "names='libc jemalloc'; files='S/t.libc.csv S/t.jemalloc.csv'" fragmentation.gp
# Variables
#   names    words: the allocators              files    words: their series CSV, in the same order
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   upper    words: H or P each: what is held against R; P where H cannot be told (optional, H)
#   plain    1 for a text terminal (optional)
# Moments with less than a tenth of the peak live are left out: everything is large against nothing. What is still far above
# the rest leaves the chart.
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("colours")) colours = ''
if (!exists("upper")) upper = ''
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))
by_resident(i) = i <= words(upper) && word(upper, i) eq 'P'
label(i) = by_resident(i) ? word(names, i).' (P)' : word(names, i)

set datafile separator ','
set datafile missing ''
stats word(files, 1) using 1:3 skip 1 nooutput
last = STATS_max_x; peak = STATS_max_y
calls = last >= 2e6 ? 1e6 : last >= 2e3 ? 1e3 : 1.0
count = last >= 2e6 ? 'million operations' : last >= 2e3 ? 'thousand operations' : 'operations'
waste(held, requested) = requested >= 0.1 * peak && requested > 0 ? 100 * (held / requested - 1) : NaN

top = 0.0; high = 0.0
do for [i = 1:words(names)] {
    stats word(files, i) using (waste(by_resident(i) ? $6 : $5, $3)) skip 1 nooutput
    if (STATS_records > 0) { top = STATS_max > top ? STATS_max : top; high = STATS_up_quartile > high ? STATS_up_quartile : high }
}
if (top > 2.5 * high && high > 0) { top = 2.5 * high }

set title sprintf('Fragmentation over time%s', of_tape).(plain ? "\n" : '.  ').'H/R - 1 in % where R is at least a tenth of its peak; lower is better' noenhanced
set border 3; set tics nomirror
set xlabel count; set xrange [0:last / calls]; set yrange [*<0:top > 0 ? 1.05 * top : 10]
set ylabel plain ? '' : 'held above requested, %'
if (plain) { set key outside bottom horizontal noenhanced } else { set key outside right noenhanced; set grid lc rgb '#dedee3' lt 1 lw 0.7 }
plot for [i = 1:words(names)] word(files, i) using ($1 / calls):(waste(by_resident(i) ? $6 : $5, $3)) skip 1 \
    with lines lt i lc rgb colour(i) lw (plain ? 1 : 2) title label(i)
