# Thread scaling: operations a second of all threads together, on tapes of one program with several numbers of threads.
# Higher is better.
# Take it and change it:
#   gnuplot -p -e "table='data/scaling.csv'" scaling.gp
# Variables
#   table    CSV with the columns of data/scaling.csv (heaptape report), of one program: allocator, threads and
#            operations_per_second with its _low and _high
#   names    words: the allocators to show (optional, all)
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   plain    1 for a text terminal (optional)
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
stats table using (column('threads')) name 'x' nooutput
stats table using (column('operations_per_second')) name 'y' nooutput

set title sprintf('Thread scaling%s.  Higher is better', of_tape) noenhanced
set border 3; set tics nomirror
set logscale x 2
set xrange [x_min / 1.1:x_max * 1.1]; set yrange [0:y_max / 1e6 * 1.15]
set xtics 1, 2
set xlabel 'recorded threads'.(plain ? '; up: million operations a second' : '')
set ylabel plain ? '' : 'million operations a second'
if (plain) { set key outside bottom horizontal noenhanced } else { set key outside right noenhanced; set grid lc rgb '#dedee3' lt 1 lw 0.7 }
of(name, value) = stringcolumn('allocator') eq name ? value / 1e6 : NaN
if (plain) {
    plot for [i = 1:words(names)] table using (column('threads')):(of(word(names, i), column('operations_per_second'))) with lines lt i title word(names, i)
} else {
    plot for [i = 1:words(names)] table using (column('threads')):(of(word(names, i), column('operations_per_second'))) with linespoints pt 7 lc rgb colour(i) lw 2 title word(names, i), \
         for [i = 1:words(names)] table using (column('threads')):(of(word(names, i), column('operations_per_second'))):(of(word(names, i), column('operations_per_second_low'))):(of(word(names, i), column('operations_per_second_high'))) with yerrorbars pt 7 ps 0.4 lc rgb colour(i) notitle
}
