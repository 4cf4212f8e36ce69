# Latency over the run: the time that half and that 99 of 100 calls of each stretch take at most, and the slowest, a panel for
# each allocator. Lower is better.
# Take it and change it:
#   (head -n 1 data/latency_over_time.csv; grep '^jq,' data/latency_over_time.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" latency_time.gp
# Variables
#   table    CSV with the columns of data/latency_over_time.csv (heaptape report): allocator, operation, ns_p50, ns_p99, ns_max
#   names    words: the allocators to show (optional, all)
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   columns  panels beside each other (optional)
#   plain    1 for a text terminal: the 99 of 100 alone (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("colours")) colours = ''
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))

set datafile separator ','
set datafile missing ''
set datafile columnheaders
seen(name) = strstrt(' '.all.' ', ' '.name.' ') ? 0 : strlen(all = all eq '' ? name : all.' '.name)
all = ''
stats table using (seen(stringcolumn('allocator'))) nooutput
if (!exists("names")) names = all
if (!exists("columns")) columns = words(names) < 3 ? words(names) : 3
stats table using (column('operation')) name 'x' nooutput
stats table using (plain ? column('ns_p99') : column('ns_max')) name 'y' nooutput
calls = x_max >= 2e6 ? 1e6 : x_max >= 2e3 ? 1e3 : 1.0
count = x_max >= 2e6 ? 'million operations' : x_max >= 2e3 ? 'thousand operations' : 'operations'

set border 3; set tics nomirror; unset key
set logscale y
set xrange [0:x_max / calls]; set yrange [1:y_max * 1.5]
set ytics ('1 ns' 1, '100 ns' 100, '10 us' 1e4, '1 ms' 1e6, '100 ms' 1e8, '10 s' 1e10)
if (!plain) { set grid lc rgb '#dedee3' lt 1 lw 0.7 } else { set xtics 0, x_max / calls, x_max / calls; set format x '%.4g' }
heading = sprintf(plain ? "Latency over the run%s\n99 of 100 calls at most; lower is better" : 'Latency over the run%s   (thick 99 of 100 calls at most, thin half of them, grey dots the slowest; log scale, lower is better)', of_tape)
of(name, value) = stringcolumn('allocator') eq name ? (value > 1 ? value : 1) : NaN
set multiplot layout ceil(words(names) / (columns * 1.0)), columns title heading noenhanced
do for [i = 1:words(names)] {
    set title word(names, i) noenhanced textcolor rgb colour(i)
    set xlabel count
    if (plain) {
        plot table using (column('operation') / calls):(of(word(names, i), column('ns_p99'))) with lines lt 1 lc rgb colour(i)
    } else {
        plot table using (column('operation') / calls):(of(word(names, i), column('ns_max'))) with points pt 7 ps 0.35 lc rgb '#8a8a94', \
             table using (column('operation') / calls):(of(word(names, i), column('ns_p50'))) with lines lc rgb colour(i) lw 1, \
             table using (column('operation') / calls):(of(word(names, i), column('ns_p99'))) with lines lc rgb colour(i) lw 2.4
    }
}
unset multiplot
