# Time against memory: a point for each allocator; filled ones are beaten by nobody in both (the Pareto front, the dashed line).
# Take it and change it:
#   (head -n 1 data/summary.csv; grep '^jq,' data/summary.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" pareto.gp
# Variables
#   table    CSV with the columns of data/summary.csv (heaptape report): allocator, ns_per_operation and peak_resident_bytes
#            with their _low and _high, and rgb, a number, where each allocator is to have its colour
#   tape     title (optional)                  plain   1 for a text terminal (optional)
# A long interval does not press the points into a corner: it leaves the chart. In letters a name stands a line higher where
# there is another already.
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
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
rows = t_records
array T[rows]; array B[rows]; array N[rows]; array C[rows]; array Y[rows]
stats table using (T[int($0) + 1] = column('ns_per_operation'), B[int($0) + 1] = column('peak_resident_bytes'), N[int($0) + 1] = stringcolumn('allocator'), C[int($0) + 1] = rgb_of(0), 0) nooutput
beaten(x, y) = sum [i = 1:rows] (T[i] <= x && B[i] <= y && (T[i] < x || B[i] < y))

x_low = t_min - 0.15 * (t_max - t_min) - 0.05 * t_max; x_high = t_max + 0.35 * (t_max - t_min) + 0.05 * t_max
y_low = b_min - 0.2 * (b_max - b_min) - 0.02 * b_max; y_high = b_max + 0.2 * (b_max - b_min) + 0.02 * b_max
# Where the names stand: the lowest point's first, each as near to its point as the other points and names let it.
line = (y_high - y_low) / (plain ? 16.0 : 20.0); wide = (x_high - x_low) / (plain ? 5.0 : 9.0)
beside(x, k) = x > T[k] - 0.1 * wide && x < T[k] + wide
names_in_way(k, y) = sum [j = 1:rows] (j != k && Y[j] > -1e300 && abs(T[j] - T[k]) < wide && abs(Y[j] - y) < 0.95 * line)
points_in_way(k, y) = plain ? 0 : sum [j = 1:rows] (j != k && beside(T[j], k) && abs(B[j] - y) < 0.6 * line)
in_way(k, y) = names_in_way(k, y) + points_in_way(k, y) + (y < y_low + 0.5 * line)
aside(n) = (plain ? 0 : 0.55) + 0.5 * (n / 2)
do for [k = 1:rows] { Y[k] = -1e301 }
do for [pass = 1:rows] {
    next = 0
    do for [k = 1:rows] { if (Y[k] < -1e300) { if (next == 0) { next = k } else { if (B[k] < B[next]) { next = k } } } }
    n = 0
    while (in_way(next, B[next] + (n % 2 ? -line : line) * aside(n)) && n < 40) { n = n + 1 }
    Y[next] = B[next] + (n % 2 ? -line : line) * aside(n)
}

set title sprintf('Time against memory%s.  Lower left is better', of_tape) noenhanced
set border 3; set tics nomirror; unset key
set xlabel 'ns per operation, floor included'
set ylabel plain ? '' : sprintf('peak resident, %s', unit)
set xrange [x_low:x_high]; set yrange [y_low / bytes:y_high / bytes]
if (plain) { unset grid; set xlabel sprintf('ns per operation; up: peak resident, %s; * on the front', unit) } else { set grid lc rgb '#dedee3' lt 1 lw 0.7 }
ns = "column('ns_per_operation')"; size = "column('peak_resident_bytes') / bytes"
do for [k = 1:rows] {
    words = plain ? (beaten(T[k], B[k]) == 0 ? '* ' : 'o ').N[k] : N[k]
    set label k words at T[k], Y[k] / bytes left offset (plain ? 0 : 1.2), 0 noenhanced textcolor rgb C[k] front
}
if (plain) {
    plot NaN with lines
} else {
    # The front, from point to point: to the right, then down.
    do for [k = 1:rows] {
        if (beaten(T[k], B[k]) == 0) {
            next = 0
            do for [j = 1:rows] { if (beaten(T[j], B[j]) == 0 && T[j] > T[k]) { if (next == 0) { next = j } else { if (T[j] < T[next]) { next = j } } } }
            set arrow from T[k], B[k] / bytes to (next ? T[next] : x_high), B[k] / bytes nohead back dt 2 lc rgb '#8a8a94'
            if (next) { set arrow from T[next], B[k] / bytes to T[next], B[next] / bytes nohead back dt 2 lc rgb '#8a8a94' }
            if (T[k] == t_min) { set arrow from T[k], y_high / bytes to T[k], B[k] / bytes nohead back dt 2 lc rgb '#8a8a94' }
        }
    }
    plot table using (@ns):(@size):(column('ns_per_operation_low')):(column('ns_per_operation_high')):(column('peak_resident_bytes_low') / bytes):(column('peak_resident_bytes_high') / bytes):(rgb_of(0)) with xyerrorbars lc rgb variable pt -1 lw 1.2, \
         table using (@ns):(beaten(@ns, column('peak_resident_bytes')) > 0 ? @size : NaN):(rgb_of(0)) with points pt 7 ps 1.4 lc rgb 'white', \
         table using (@ns):(@size):(rgb_of(0)) with points pt 6 ps 1.4 lw 2 lc rgb variable, \
         table using (@ns):(beaten(@ns, column('peak_resident_bytes')) == 0 ? @size : NaN):(rgb_of(0)) with points pt 7 ps 1.4 lc rgb variable
}
