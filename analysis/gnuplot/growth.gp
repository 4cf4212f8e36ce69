# Heap growth: R, U, H and P over the replay, a panel for each allocator, all on one scale.
# Take it and change it:
#   gnuplot -p -e "names='libc jemalloc'; files='S/t.libc.csv S/t.jemalloc.csv'" growth.gp
# Variables
#   names    words: the allocators              files    words: their series CSV, in the same order
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   upper    words: H or P each: P where H cannot be told, and is not drawn (optional, H)
#   packed   bytes: how low the heap could have been, a dashed line: packing_bytes of data/tapes.csv (optional)
#   seconds  1 for time instead of operations, as after a replay at a pace (optional)
#   columns  panels beside each other (optional)
#   plain    1 for a text terminal: lines are letters, few ticks (optional)
# The terminal and output are the caller's: set terminal pngcairo ...; set output 'x.png' before.
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("colours")) colours = ''
if (!exists("upper")) upper = ''
if (!exists("packed")) packed = 0.0
if (!exists("seconds")) seconds = 0
at = seconds ? 2 : 1
if (!exists("columns")) columns = words(names) < 3 ? words(names) : 3
unknown(i) = i <= words(upper) && word(upper, i) eq 'P'
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))

set datafile separator ','
set datafile missing ''
largest = 1.0; last = seconds ? 1e-9 : 1.0
do for [i = 1:words(names)] {
    do for [c = 3:6] {
        stats word(files, i) using at:c skip 1 nooutput
        if (STATS_records > 0) { largest = STATS_max_y > largest ? STATS_max_y : largest; last = STATS_max_x > last ? STATS_max_x : last }
    }
}
if (packed > largest) largest = packed
bytes = largest >= 2**30 ? 2.0**30 : largest >= 2**20 ? 2.0**20 : 1024.0
unit = largest >= 2**30 ? 'GiB' : largest >= 2**20 ? 'MiB' : 'KiB'
calls = seconds ? 1.0 : last >= 2e6 ? 1e6 : last >= 2e3 ? 1e3 : 1.0
count = seconds ? 'seconds' : last >= 2e6 ? 'million operations' : last >= 2e3 ? 'thousand operations' : 'operations'

set border 3; set tics nomirror; unset key
set xrange [0:last / calls]; set yrange [0:1.05 * largest / bytes]
if (plain) {
    unset grid
    heading = sprintf('Heap growth%s', of_tape)."\n".sprintf('P resident *   H held #   U usable $   R requested %%')
    set xtics 0, last / calls, last / calls; set ytics 0, largest / bytes, largest / bytes
    set format '%.4g'
} else {
    set grid lc rgb '#dedee3' lt 1 lw 0.7
    heading = sprintf('Heap growth%s   (thick P resident, thin H held, dotted U usable, filled R requested%s)', of_tape, packed > 0 ? ', dashed the lowest placement found' : '')
    set ylabel unit
}
set multiplot layout ceil(words(names) / (columns * 1.0)), columns title heading noenhanced
do for [i = 1:words(names)] {
    set title word(names, i).(unknown(i) ? ' (H cannot be told)' : '') noenhanced textcolor rgb colour(i)
    set xlabel plain ? sprintf('%s; top %.3g %s', count, largest / bytes, unit) : count
    f = word(files, i)
    if (packed > 0 && !plain) { set arrow 1 from 0, packed / bytes to last / calls, packed / bytes nohead front dt (8, 5) lc rgb '#1c1c21' }
    if (plain) {
        plot f using (column(at) / calls):($3 / bytes) skip 1 with lines lt 4, \
             f using (column(at) / calls):($4 / bytes) skip 1 with lines lt 3, \
             f using (column(at) / calls):(unknown(i) ? NaN : $5 / bytes) skip 1 with lines lt 2 lc rgb colour(i), \
             f using (column(at) / calls):($6 / bytes) skip 1 with lines lt 1 lc rgb colour(i)
    } else {
        plot f using (column(at) / calls):($3 / bytes) skip 1 with filledcurves y1=0 fc rgb '#ececf0', \
             f using (column(at) / calls):($4 / bytes) skip 1 with lines lc rgb '#1c1c21' dt (2, 3) lw 1.4, \
             f using (column(at) / calls):(unknown(i) ? NaN : $5 / bytes) skip 1 with lines lc rgb colour(i) lw 1, \
             f using (column(at) / calls):($6 / bytes) skip 1 with lines lc rgb colour(i) lw 2.6
    }
}
unset multiplot
