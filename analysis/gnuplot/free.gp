# Of what use free memory is: the share of the free resident bytes in runs shorter than a request, by the size of the request
# (the unusable index). Lower is better.
# Take it and change it:
#   (head -n 1 data/unusable_index.csv; grep '^jq,' data/unusable_index.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" free.gp
# Variables
#   table    CSV with the columns of data/unusable_index.csv (heaptape report, of a bench with --snapshots): allocator, moment,
#            request_bytes, unusable_share, longest_run_bytes
#   moment   peak (default) or end
#   names    words: the allocators to show (optional, all)
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   plain    1 for a text terminal (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("colours")) colours = ''
if (!exists("moment")) moment = 'peak'
shades_given = words(colours) ? colours : '#1c1c21 #d55e00 #0072b2 #009e73 #cc79a7 #e69f00 #56b4e9 #8a8a94'
colour(i) = word(shades_given, 1 + (i - 1) % words(shades_given))

set datafile separator ','
set datafile missing ''
set datafile columnheaders
seen(name) = strstrt(' '.all.' ', ' '.name.' ') ? 0 : strlen(all = all eq '' ? name : all.' '.name)
all = ''
stats table using (seen(stringcolumn('allocator'))) nooutput
if (!exists("names")) names = all
stats table using (stringcolumn('moment') eq moment ? column('longest_run_bytes') : NaN) name 'x' nooutput

set title sprintf(plain ? 'Of what use free memory is%s, %s' : 'Of what use free memory is%s, %s.  Lower is better', of_tape, moment eq 'peak' ? 'at the highest resident' : 'at the end') noenhanced
set border 3; set tics nomirror
set logscale x 2
set xrange [8:(x_max > 16 ? 4 * x_max : 64)]; set yrange [0:103]
set xtics ('8 B' 8, '64 B' 64, '512 B' 512, '4 KiB' 4096, '32 KiB' 2**15, '256 KiB' 2**18, '2 MiB' 2**21, '16 MiB' 2**24, '128 MiB' 2**27, '1 GiB' 2**30)
set xlabel 'size of the request, log scale'.(plain ? '; up: % of the free bytes in runs too short for it' : '')
set ylabel plain ? '' : 'of the free bytes in runs too short for it, %'
if (plain) { set key outside bottom horizontal noenhanced } else { set key outside right noenhanced; set grid lc rgb '#dedee3' lt 1 lw 0.7 }
of(name, value) = stringcolumn('allocator') eq name && stringcolumn('moment') eq moment ? value : NaN
plot for [i = 1:words(names)] table using (column('request_bytes')):(of(word(names, i), 100 * column('unusable_share'))) with lines lt i lc rgb colour(i) lw (plain ? 1 : 2) title word(names, i)
