# Time per operation of each allocator with its interval and the floor. Lower is better.
# Take it and change it:
#   gnuplot -p -e "table='time.csv'" time.gp
# Variables
#   table   CSV with a header and the columns
#             name,median_ns,low_ns,high_ns,rgb,note     rgb as one number; note where there is no figure
#   floor_ns   ns per operation with an allocator that does nothing (optional)
#   tape    title (optional)                   plain   1 for a text terminal of room characters (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("room")) room = 100
if (!exists("floor_ns")) floor_ns = NaN

set datafile separator ','
set datafile missing ''
stats table using (strlen(strcol(1))) skip 1 name 'name' nooutput
stats table using (column(0)) skip 1 nooutput
rows = STATS_max + 1
stats table using 4 skip 1 nooutput
end = STATS_records > 0 ? STATS_max : 1.0
set title sprintf('Time per operation%s.  Lower is better', of_tape) noenhanced
set border 3; set tics nomirror; unset key
set xrange [0:end * 1.3]; set yrange [rows - 0.4:-0.6]
set xlabel sprintf('ns per operation, floor included%s', floor_ns == floor_ns ? sprintf('; floor %.2f ns', floor_ns) : '')
set ytics noenhanced
if (floor_ns == floor_ns && !plain) set arrow 1 from floor_ns, (-0.6) to floor_ns, (rows - 0.4) nohead front dt 2 lc rgb '#1c1c21'
if (!plain) { set grid x lc rgb '#dedee3' lt 1 lw 0.7 }
words_of(m, l, h) = sprintf('%.1f ns [%.1f, %.1f]', m, l, h)
if (plain) {
    # Letters: # to the interval's low end, = to the median, - to its high end.
    width = room - name_max - 29 < 40.0 ? room - name_max - 29 : 40.0
    if (width < 6) { width = 6.0 }
    times(letter, x) = x < 0.5 ? '' : letter.times(letter, x - 1)
    bar(m, l, h) = times('#', l / end * width).times('=', (m - l) / end * width).times('-', (h - m) / end * width)
    set xlabel "# to the interval's low end, = to the median, - to its high end".(floor_ns == floor_ns ? sprintf('; floor %.2f ns', floor_ns) : '')
    unset grid; unset xtics; set xrange [0:1]; set border 2
    plot table using (0):0:(bar($2, $3, $4).' '.words_of($2, $3, $4)):ytic(1) skip 1 with labels left offset 1, 0 noenhanced, \
         table using (0):0:6 skip 1 with labels left offset 1, 0 noenhanced
} else {
    plot table using ($2 / 2):0:(0):2:($0 - 0.3):($0 + 0.3):5:ytic(1) skip 1 with boxxyerror fs solid 0.85 lc rgb variable lt 1, \
         table using 2:0:3:4 skip 1 with xerrorbars lt 1 lc rgb '#1c1c21' pt 1 ps 0, \
         table using 4:0:(words_of($2, $3, $4)) skip 1 with labels left offset 1, 0 noenhanced, \
         table using (0):0:6 skip 1 with labels left offset 1, 0 noenhanced
}
