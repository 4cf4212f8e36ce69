# Sizes asked for: the share of the calls by size (bars, four a doubling), and of calls and bytes up to a size (lines).
# Take it and change it:
#   (head -n 1 data/sizes.csv; grep '^jq,' data/sizes.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" sizes.gp
# Variables
#   table    CSV with the columns of data/sizes.csv (heaptape report): size_low_bytes, size_high_bytes, allocations,
#            allocated_bytes
#   tape     title (optional)                  plain   1 for a text terminal (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0

set datafile separator ','
set datafile missing ''
set datafile columnheaders
calls(n) = column('allocations')
size(n) = column('allocated_bytes')
stats table using (calls(0)) name 'calls' nooutput
stats table using (size(0)) name 'bytes' nooutput
stats table using (column('size_high_bytes')) name 'high' nooutput
down(x) = 2.0 ** floor(log(x) / log(2) + 1e-9)
bin(x) = x < 8 ? 8 : x < 128 ? 16 * floor(x / 16.0) + (x < 16 ? 8 : 0) : down(x) * (1 + floor(4 * (x / down(x) - 1)) / 4.0)
middle(x) = sqrt(bin(x) * (x < 16 ? 16 : x < 128 ? bin(x) + 16 : bin(x) + down(x) / 4))

set title sprintf('Sizes asked for%s', of_tape) noenhanced
set border 3; set tics nomirror
set logscale x 2
set xrange [8:(high_max < 64 ? 64 : high_max) * 1.3]; set yrange [0:104]
set xtics ('8 B' 8, '16 B' 16, '64 B' 64, '256 B' 256, '1 KiB' 1024, '4 KiB' 4096, '16 KiB' 16384, '64 KiB' 65536, '256 KiB' 2**18, '1 MiB' 2**20, '4 MiB' 2**22, '16 MiB' 2**24, '64 MiB' 2**26, '256 MiB' 2**28, '1 GiB' 2**30, '4 GiB' 2.0**32)
set xlabel 'size asked for, log scale'
set ylabel plain ? '' : 'share, %'
if (plain) { set key outside bottom horizontal } else { set key outside top horizontal; set grid lc rgb '#dedee3' lt 1 lw 0.7 }
set style fill solid 0.45 noborder
bars = plain ? 'impulses lt 4' : 'boxes lc rgb "#0072b2"'
plot table using (middle(column('size_low_bytes'))):(100 * calls(0) / calls_sum) smooth frequency with @bars title 'calls of a size', \
     table using (column('size_high_bytes') + 1):(100 * calls(0) / calls_sum) smooth cumulative with lines lt 1 lc rgb '#0072b2' lw (plain ? 1 : 2) title 'calls up to a size', \
     table using (column('size_high_bytes') + 1):(100 * size(0) / bytes_sum) smooth cumulative with lines lt 2 lc rgb '#d55e00' lw (plain ? 1 : 2) title 'bytes up to a size'
