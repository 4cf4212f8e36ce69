# What resident memory is made of in the course of the replay: a panel for each allocator, all on one scale.
# Take it and change it:
#   (head -n 1 data/heap_parts.csv; grep '^jq,' data/heap_parts.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" parts.gp
# Variables
#   table    CSV with the columns of data/heap_parts.csv (heaptape report, of a bench with --snapshots): allocator, operation,
#            live_bytes, full_free_bytes, sparse_free_bytes, empty_bytes
#   names    words: the allocators to show (optional, all)
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   columns  panels beside each other (optional)
#   plain    1 for a text terminal: the four sums as lines of letters (optional)
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
a(n) = column('live_bytes')
b(n) = a(0) + column('full_free_bytes')
c(n) = b(0) + column('sparse_free_bytes')
d(n) = c(0) + column('empty_bytes')
stats table using (column('operation')) name 'x' nooutput
stats table using (d(0)) name 'y' nooutput
calls = x_max >= 2e6 ? 1e6 : x_max >= 2e3 ? 1e3 : 1.0
count = x_max >= 2e6 ? 'million operations' : x_max >= 2e3 ? 'thousand operations' : 'operations'
bytes = y_max >= 2**30 ? 2.0**30 : y_max >= 2**20 ? 2.0**20 : 1024.0
unit = y_max >= 2**30 ? 'GiB' : y_max >= 2**20 ? 'MiB' : 'KiB'

set border 3; set tics nomirror; unset key
set xrange [0:x_max / calls]; set yrange [0:1.05 * y_max / bytes]
of(name, value) = stringcolumn('allocator') eq name ? value / bytes : NaN
at = "(column('operation') / calls)"
if (plain) {
    heading = sprintf('What resident memory is made of%s', of_tape)."\nto % live, to $ free on used pages, to # pinned, to * empty"
    set xtics 0, x_max / calls, x_max / calls; set ytics 0, y_max / bytes, y_max / bytes; set format '%.4g'
} else {
    heading = sprintf('What resident memory is made of%s   (from below: live, free on well-used pages, free on nearly empty pages, empty pages)', of_tape)
    set ylabel unit
}
set multiplot layout ceil(words(names) / (columns * 1.0)), columns title heading noenhanced
do for [i = 1:words(names)] {
    name = word(names, i)
    set title name noenhanced textcolor rgb colour(i)
    set xlabel plain ? sprintf('%s; top %.3g %s', count, y_max / bytes, unit) : count
    if (plain) {
        plot table using @at:(of(name, d(0))) with lines lt 1, \
             table using @at:(of(name, c(0))) with lines lt 2, \
             table using @at:(of(name, b(0))) with lines lt 3, \
             table using @at:(of(name, a(0))) with lines lt 4
    } else {
        plot table using @at:(of(name, d(0))) with filledcurves y1=0 fc rgb '#1f3a6d', \
             table using @at:(of(name, c(0))) with filledcurves y1=0 fc rgb '#666970', \
             table using @at:(of(name, b(0))) with filledcurves y1=0 fc rgb '#a49d78', \
             table using @at:(of(name, a(0))) with filledcurves y1=0 fc rgb '#f2df52'
    }
}
unset multiplot
