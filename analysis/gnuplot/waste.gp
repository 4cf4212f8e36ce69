# Where the resident memory goes at its highest: stacked, a bar for each allocator. Shorter is better.
# Take it and change it:
#   gnuplot -p -e "table='waste.csv'" waste.gp
# Variables
#   table   CSV with the columns allocator, requested, rounding, between, startup, unreturned (bytes; empty where unknown):
#           the parts of data/waste.csv (heaptape report), an allocator a line
#   tape    title (optional)                   plain   1 for a text terminal of room characters (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("room")) room = 100

set datafile separator ','
set datafile missing ''
set datafile columnheaders
part(name) = valid(name) ? column(name) : 0
resident(n) = column('requested') + column('rounding') + column('between') + column('startup')
stats table using (strlen(stringcolumn('allocator'))) name 'name' nooutput
stats table using (resident(0)) nooutput
rows = STATS_records
bytes = STATS_max >= 2**30 ? 2.0**30 : STATS_max >= 2**20 ? 2.0**20 : 1024.0
unit = STATS_max >= 2**30 ? 'GiB' : STATS_max >= 2**20 ? 'MiB' : 'KiB'
end = STATS_max / bytes

set title sprintf('Where the memory goes%s.  Shorter is better', of_tape) noenhanced
set border 3; set tics nomirror
set xrange [0:end * 1.3]; set yrange [rows - 0.4:-0.6]
set xlabel sprintf('resident at its highest, %s', unit)
set ytics noenhanced
if (plain) { unset grid; unset key } else { set grid x lc rgb '#dedee3' lt 1 lw 0.7; set key outside top horizontal }
a(n) = column('requested') / bytes
b(n) = a(0) + column('rounding') / bytes
c(n) = b(0) + column('between') / bytes
d(n) = c(0) + column('startup') / bytes
said(n) = sprintf('%.3g %s', d(0), unit)
if (plain) {
    # Letters: r asked for, # rounded up, = free, cached, tables, - at start.
    width = room - name_max - 14 < 48.0 ? room - name_max - 14 : 48.0
    if (width < 6) { width = 6.0 }
    times(letter, x) = x < 0.5 ? '' : letter.times(letter, x - 1)
    bar(n) = times('r', a(0) / end * width).times('#', (b(0) - a(0)) / end * width).times('=', (c(0) - b(0)) / end * width).times('-', (d(0) - c(0)) / end * width)
    set xlabel sprintf('to %.3g %s;  r asked for  # rounded up  = free, cached, tables  - at start', end, unit)
    unset xtics; set xrange [0:1]
    plot table using (0):0:(bar(0).' '.said(0)):ytic(stringcolumn('allocator')) with labels left noenhanced
} else {
    plot table using (a(0) / 2):0:(0):(a(0)):($0 - 0.3):($0 + 0.3):ytic(stringcolumn('allocator')) with boxxyerror fs solid 1 border lc rgb '#5c5c66' fc rgb '#dedee3' title 'asked for', \
         table using (a(0)):0:(a(0)):(b(0)):($0 - 0.3):($0 + 0.3) with boxxyerror fs solid 1 noborder fc rgb '#d55e00' title 'rounded up', \
         table using (b(0)):0:(b(0)):(c(0)):($0 - 0.3):($0 + 0.3) with boxxyerror fs solid 1 noborder fc rgb '#0072b2' title 'free, cached, tables', \
         table using (c(0)):0:(c(0)):(d(0)):($0 - 0.3):($0 + 0.3) with boxxyerror fs solid 1 noborder fc rgb '#56b4e9' title 'at start', \
         table using (d(0)):0:(said(0)) with labels left offset 1, 0 noenhanced notitle
}
