# The real program beside its prediction: bars are what it took under each allocator, diamonds what replay predicted.
# Take it and change it:
#   gnuplot -p -e "table='data/live.csv'" live.gp
# Variables
#   table    CSV with the columns of data/live.csv (heaptape report): allocator, METRIC, predicted_METRIC, and rgb, a number,
#            where each allocator is to have its colour
#   metric   peak_resident_bytes (default) or cpu_seconds
#   tape     title (optional)                  plain   1 for a text terminal of room characters (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("room")) room = 100
if (!exists("metric")) metric = 'peak_resident_bytes'
predicted = 'predicted_'.metric
memory = metric eq 'peak_resident_bytes'

set datafile separator ','
set datafile missing ''
set datafile columnheaders
stats table using (strlen(stringcolumn('allocator'))) name 'name' nooutput
stats table using (column(0)) nooutput
rows = STATS_max + 1
stats table using (column(metric)) name 'real' nooutput
stats table using (column(predicted)) name 'said' nooutput
most = real_records > 0 ? real_max : 1.0
if (said_records > 0 && said_max > most) most = said_max
one = !memory ? (most < 1 ? 1e-3 : 1.0) : most >= 2**30 ? 2.0**30 : most >= 2**20 ? 2.0**20 : 1024.0
unit = !memory ? (most < 1 ? 'ms' : 's') : most >= 2**30 ? 'GiB' : most >= 2**20 ? 'MiB' : 'KiB'
end = most / one
has_rgb = strstrt(system("head -n 1 '".table."'"), 'rgb') > 0
rgb_of(n) = has_rgb ? column('rgb') : 0x0072b2
known(x) = x == x
words_of(r, p) = !known(r) ? 'not known' : !known(p) || r == p ? sprintf('%.3g %s', r / one, unit) : sprintf('%.3g %s, predicted %.3g (%+.1f %%)', r / one, unit, p / one, 100 * (p / r - 1))

set title sprintf(plain ? 'Real and predicted %s%s' : 'The real program beside its prediction, %s%s.  Lower is better', memory ? 'peak resident' : 'processor time', of_tape) noenhanced
set border 3; set tics nomirror; unset key
set yrange [rows - 0.4:-0.6]
set ytics noenhanced
if (plain) {
    width = room - name_max - 38 < 40.0 ? room - name_max - 38 : 40.0
    if (width < 6) { width = 6.0 }
    times(letter, x) = x < 0.5 ? '' : letter.times(letter, x - 1)
    set xlabel sprintf('to %.3g %s', end, unit)
    set border 2; unset xtics; set xrange [0:1]
    plot table using (0):0:(times('#', known(column(metric)) ? column(metric) / one / end * width : 0).' '.words_of(column(metric), column(predicted))):ytic(stringcolumn('allocator')) with labels left offset 1, 0 noenhanced
} else {
    set grid x lc rgb '#dedee3' lt 1 lw 0.7
    set xrange [0:end * 1.4]
    set xlabel sprintf('%s of the whole program, %s; diamonds: predicted by replay', memory ? 'peak resident' : 'user and system time', unit)
    right(n) = column(predicted) > column(metric) ? column(predicted) : column(metric)
    plot table using (column(metric) / one / 2):0:(0):(column(metric) / one):($0 - 0.3):($0 + 0.3):(rgb_of(0)):ytic(stringcolumn('allocator')) with boxxyerror fs solid 0.85 lc rgb variable lt 1, \
         table using (column(predicted) / one):0 with points pt 13 ps 1.9 lc rgb 'white', \
         table using (column(predicted) / one):0 with points pt 12 ps 1.7 lw 1.6 lc rgb '#1c1c21', \
         table using (right(0) / one):0:(words_of(column(metric), column(predicted))) with labels left offset 2, 0 noenhanced
}
