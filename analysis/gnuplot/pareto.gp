# Time against memory: a point for each allocator; filled ones are beaten by nobody in both (the Pareto front).
# Take it and change it:
#   (head -n 1 data/summary.csv; grep '^jq,' data/summary.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" pareto.gp
# Variables
#   table    CSV with the columns of data/summary.csv (heaptape report): allocator, ns_per_operation and peak_resident_bytes
#            with their _low and _high, and rgb, a number, where each allocator is to have its colour
#   tape     title (optional)                  plain   1 for a text terminal (optional)
if (!exists("tape")) tape = ''
if (!exists("plain")) plain = 0

set datafile separator ','
set datafile missing ''
set datafile columnheaders
stats table using (column('peak_resident_bytes')) name 'b' nooutput
stats table using (column('ns_per_operation')) name 't' nooutput
bytes = b_max >= 2**30 ? 2.0**30 : b_max >= 2**20 ? 2.0**20 : 1024.0
unit = b_max >= 2**30 ? 'GiB' : b_max >= 2**20 ? 'MiB' : 'KiB'
has_rgb = strstrt(system("head -n 1 '".table."'"), 'rgb') > 0
rgb_of(n) = has_rgb ? column('rgb') : 0x0072b2

# Which are beaten: another is at most as large in both and smaller in one.
array T[t_records]; array B[t_records]
stats table using (T[int($0) + 1] = column('ns_per_operation'), B[int($0) + 1] = column('peak_resident_bytes'), 0) nooutput
beaten(x, y) = sum [i = 1:t_records] (T[i] <= x && B[i] <= y && (T[i] < x || B[i] < y))

set title sprintf('Time against memory: %s.  Lower left is better', tape) noenhanced
set border 3; set tics nomirror; unset key
set xlabel 'ns per operation, floor included'
set ylabel plain ? '' : sprintf('peak resident, %s', unit)
set xrange [t_min - 0.15 * (t_max - t_min) - 0.05 * t_max:t_max + 0.35 * (t_max - t_min) + 0.05 * t_max]
set yrange [(b_min - 0.2 * (b_max - b_min) - 0.02 * b_max) / bytes:(b_max + 0.2 * (b_max - b_min) + 0.02 * b_max) / bytes]
if (plain) { unset grid; set xlabel sprintf('ns per operation; up: peak resident, %s; * on the front', unit) } else { set grid lc rgb '#dedee3' lt 1 lw 0.7 }
ns = "column('ns_per_operation')"; size = "column('peak_resident_bytes') / bytes"
if (plain) {
    plot table using (@ns):(@size):(beaten(@ns, column('peak_resident_bytes')) == 0 ? '* '.stringcolumn('allocator') : 'o '.stringcolumn('allocator')) with labels left noenhanced
} else {
    plot table using (@ns):(@size):(column('ns_per_operation_low')):(column('ns_per_operation_high')):(column('peak_resident_bytes_low') / bytes):(column('peak_resident_bytes_high') / bytes):(rgb_of(0)) with xyerrorbars lc rgb variable pt -1 lw 1.2, \
         table using (@ns):(@size):(rgb_of(0)) with points pt 6 ps 1.4 lw 2 lc rgb variable, \
         table using (@ns):(beaten(@ns, column('peak_resident_bytes')) == 0 ? @size : NaN):(rgb_of(0)) with points pt 7 ps 1.4 lc rgb variable, \
         table using (@ns):(@size):(stringcolumn('allocator')):(rgb_of(0)) with labels left offset 1, 0.6 noenhanced textcolor rgb variable
}
