# Time, or peak resident, of each allocator as a multiple of libc's, with its interval. Lower is better.
# Take it and change it:
#   (head -n 1 data/summary.csv; grep '^jq,' data/summary.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" relative.gp
# Variables
#   table    CSV with the columns of data/summary.csv (heaptape report): allocator, METRIC, METRIC_low, METRIC_high, and
#            rgb, a number, where each allocator is to have its colour
#   metric   relative_time (default) or relative_peak_resident
#   tape     title (optional)                  plain   1 for a text terminal of room characters (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("room")) room = 100
if (!exists("metric")) metric = 'relative_time'
low = metric.'_low'; high = metric.'_high'

set datafile separator ','
set datafile missing ''
set datafile columnheaders
stats table using (strlen(stringcolumn('allocator'))) name 'name' nooutput
stats table using (column(0)) nooutput
rows = STATS_max + 1
stats table using (column(high)) nooutput
stats table using (column(metric)) name 'middle' nooutput
end = STATS_records > 0 ? STATS_max : 1.0
if (middle_records > 0 && end > 3 * middle_max) end = 3 * middle_max
if (end < 1) end = 1.0
has_rgb = strstrt(system("head -n 1 '".table."'"), 'rgb') > 0
rgb_of(n) = has_rgb ? column('rgb') : 0x0072b2

set title sprintf('%s relative to libc%s.  Lower is better', metric eq 'relative_time' ? 'Time' : 'Peak resident', of_tape) noenhanced
set border 3; set tics nomirror; unset key
set xrange [0:end * 1.3]; set yrange [rows - 0.4:-0.6]
set xlabel 'multiple of libc''s; the line is libc'
set ytics noenhanced
if (!plain) set arrow 1 from 1, (-0.6) to 1, (rows - 0.4) nohead front dt 2 lc rgb '#1c1c21'
if (!plain) { set grid x lc rgb '#dedee3' lt 1 lw 0.7 }
words_of(m, l, h) = m == 1 && l == 1 && h == 1 ? 'the baseline' : sprintf('%+.1f %% [%+.1f, %+.1f]', 100 * (m - 1), 100 * (l - 1), 100 * (h - 1))
clip(x) = x > end ? end : x
if (plain) {
    # Letters: # to the interval's low end, = to the median, - to its high end.
    width = room - name_max - 32 < 36.0 ? room - name_max - 32 : 36.0
    if (width < 6) { width = 6.0 }
    times(letter, x) = x < 0.5 ? '' : letter.times(letter, x - 1)
    bar(m, l, h) = times('#', l / end * width).times('=', (m - l) / end * width).times('-', (clip(h) - m) / end * width).(h > end ? '>' : '')
    figures(n) = bar(column(metric), column(low), column(high)).' '.words_of(column(metric), column(low), column(high))
    set xlabel "# to the interval's low end, = to the median, - to its high end"
    unset grid; unset xtics; set xrange [0:1]; set border 2
    plot table using (0):0:(figures(0)):ytic(stringcolumn('allocator')) with labels left offset 1, 0 noenhanced
} else {
    plot table using (column(metric) / 2):0:(0):(column(metric)):($0 - 0.3):($0 + 0.3):(rgb_of(0)):ytic(stringcolumn('allocator')) \
             with boxxyerror fs solid 0.85 lc rgb variable lt 1, \
         table using (column(metric)):0:(column(low)):(clip(column(high))) with xerrorbars lt 1 lc rgb '#1c1c21' pt 1 ps 0, \
         table using (clip(column(high)) < 1 ? 1 : clip(column(high))):0:(words_of(column(metric), column(low), column(high))) with labels left offset 1, 0 noenhanced
}
