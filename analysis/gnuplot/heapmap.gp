# Heap map: address against operations, coloured by how much of what is resident there is live; a panel for each allocator.
# Take it and change it:
#   (head -n 1 data/heap_map.csv; grep '^jq,' data/heap_map.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" heapmap.gp
# Variables
#   table    CSV with the columns of data/heap_map.csv (heaptape report, of a bench with --snapshots): allocator, offset_bytes,
#            band_bytes, first_operation, until_operation, resident_bytes, live_bytes
#   names    words: the allocators to show (optional, all)
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   columns  panels beside each other (optional)
#   plain    1 for a text terminal: letters from . (nothing live) to # (all of it) (optional)
#   room     characters of its lines (optional, 100)
# Addresses that were never resident are left out; panels have scales of their own.
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("room")) room = 100
if (!exists("colours")) colours = ''
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))

if (plain && exists("rough")) table = rough  # of few bands
set datafile separator ','
set datafile missing ''
set datafile columnheaders
seen(name) = strstrt(' '.all.' ', ' '.name.' ') ? 0 : strlen(all = all eq '' ? name : all.' '.name)
all = ''
stats table using (seen(stringcolumn('allocator'))) nooutput
if (!exists("names")) names = all
if (!exists("columns")) columns = words(names) < 3 ? words(names) : 3
stats table using (column('until_operation')) name 'x' nooutput
stats table using (column('offset_bytes') + column('band_bytes')) name 'y' nooutput
calls = x_max >= 2e6 ? 1e6 : x_max >= 2e3 ? 1e3 : 1.0
count = x_max >= 2e6 ? 'million operations' : x_max >= 2e3 ? 'thousand operations' : 'operations'
bytes = y_max >= 2**30 ? 2.0**30 : y_max >= 2**20 ? 2.0**20 : 1024.0
unit = y_max >= 2**30 ? 'GiB' : y_max >= 2**20 ? 'MiB' : 'KiB'

set border 3; set tics nomirror out; unset key
set palette defined (0 '#00204c', 0.25 '#414d6b', 0.5 '#7b7b78', 0.75 '#bcae6c', 1 '#ffea46')
set cbrange [0:100]; unset colorbox
set xrange [0:x_max / calls]
of(name, value) = stringcolumn('allocator') eq name ? value : NaN
live(n) = column('live_bytes') < column('resident_bytes') ? 1.0 * column('live_bytes') / column('resident_bytes') : 1.0
letter(x) = substr('.:-=+*%#', 1 + int(7.99 * x), 1 + int(7.99 * x))
from(n) = column('first_operation') / calls
until(n) = column('until_operation') / calls
low(n) = column('offset_bytes') / bytes
high(n) = (column('offset_bytes') + column('band_bytes')) / bytes
above(n) = high(0) + 0.6 * column('band_bytes') / bytes  # what the next band covers; without it the paper shines through
if (plain) {
    heading = sprintf('Heap map%s, address up', of_tape)."\nlive of what is resident: . nothing  : - = + * % up to # all"
    across = room / columns - 6
    # Each panel's rectangles by themselves, so that they are not looked for again and again.
    do for [i = 1:words(names)] {
        eval(sprintf("set table $part%d", i))
        plot table using (from(0)):(until(0)):((low(0) + high(0)) / 2):(live(0)):(high(0)) with table if (stringcolumn('allocator') eq word(names, i))
        unset table
    }
    set datafile separator whitespace
    set datafile nocolumnheaders
    shown(x) = $1 <= x && (x < $2 || $2 == x_max / calls) ? x : NaN
    set xtics 0, x_max / calls, x_max / calls; set format x '%.4g'; set format y '%.3g'
} else {
    heading = sprintf('Heap map%s   (dark: resident for nothing; bright: full of live blocks)', of_tape)
    set ylabel sprintf('address, %s', unit)
}
set multiplot layout ceil(words(names) / (columns * 1.0)), columns title heading noenhanced
do for [i = 1:words(names)] {
    name = word(names, i)
    set yrange [*:*]
    if (plain) { eval(sprintf("stats $part%d using 5 name 'top' nooutput", i)) } else { stats table using (of(name, high(0))) name 'top' nooutput }
    set yrange [0:top_max]
    set title name noenhanced textcolor rgb colour(i)
    set xlabel plain ? sprintf('%s; top %.3g %s', count, top_max, unit) : count
    if (plain) {
        set ytics 0, top_max, top_max
        eval(sprintf("plot for [k = 0:across] $part%d using (shown(k * x_max / calls / across)):3:(letter(column(4))) with labels center noenhanced", i))
    } else {
        plot table using (of(name, from(0))):(low(0)):(from(0)):(until(0)):(low(0)):(above(0)):(100 * live(0)) with boxxyerror fs solid 1 noborder lc palette
    }
}
unset multiplot
