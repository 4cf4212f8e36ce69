# How full the resident pages are: a stacked bar for each allocator, of pages of 4 KiB and of 2 MiB. Bright is full.
# Take it and change it:
#   (head -n 1 data/page_occupancy.csv; grep '^jq,' data/page_occupancy.csv) > jq.csv        # one tape's rows
#   gnuplot -p -e "table='jq.csv'" pages.gp
# Variables
#   table    CSV with the columns of data/page_occupancy.csv (heaptape report, of a bench with --snapshots): allocator, moment,
#            page_bytes, occupancy_low, resident_bytes
#   moment   peak (default) or end
#   names    words: the allocators to show (optional, all)
#   colours  words: "#rrggbb" each (optional)   tape     title (optional)
#   plain    1 for a text terminal of room characters (optional)
if (!exists("tape")) tape = ''
of_tape = tape eq '' ? '' : ': '.tape
if (!exists("plain")) plain = 0
if (!exists("room")) room = 100
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
# Classes: 1 without a block, 2 under 10 % live, 3 to 25, 4 to 50, 5 to 75, 6 more.
low(n) = stringcolumn('occupancy_low') eq '' ? 1 : column('occupancy_low') < 0.05 ? 2 : column('occupancy_low') < 0.2 ? 3 : column('occupancy_low') < 0.4 ? 4 : column('occupancy_low') < 0.7 ? 5 : 6
class_words = "'no block' 'under 10 % live' '10 to 25 %' '25 to 50 %' '50 to 75 %' '75 % and more'"
shades = '#1f3a6d #3f4a6c #666970 #8a8779 #bcae6c #f2df52'
letters = ' .:-+*#'
rows = words(names)
array B[rows * 12]
of(name, page, class) = stringcolumn('allocator') eq name && stringcolumn('moment') eq moment && column('page_bytes') == page && low(0) == class ? column('resident_bytes') : 0
largest = 1.0
do for [p = 0:1] {
    do for [i = 1:rows] {
        sum_of = 0.0
        do for [k = 1:6] {
            stats table using (of(word(names, i), p ? 2097152 : 4096, k)) name 's' nooutput
            B[(p * rows + i - 1) * 6 + k] = s_sum
            sum_of = sum_of + s_sum
        }
        if (sum_of > largest) { largest = sum_of }
    }
}
bytes = largest >= 2**30 ? 2.0**30 : largest >= 2**20 ? 2.0**20 : 1024.0
unit = largest >= 2**30 ? 'GiB' : largest >= 2**20 ? 'MiB' : 'KiB'
when = moment eq 'peak' ? 'at the highest resident' : 'at the end'

set border 3; set tics nomirror; unset key
set yrange [rows - 0.4:-0.6]; set xrange [0:largest / bytes]
set ytics noenhanced
set for [i = 1:rows] ytics add (word(names, i) i - 1)
longest = 0
do for [i = 1:rows] { if (strlen(word(names, i)) > longest) { longest = strlen(word(names, i)) } }
edge = plain ? (longest + 3.0) / room : 0.09
width = plain ? floor((0.97 - edge - 0.02) / 2 * room) - 3 : 34
times(letter, x) = x < 0.5 ? '' : letter.times(letter, x - 1)
key_words = 'no block .  under 10 % live :  25 % -  50 % +  75 % *  more #'
set multiplot layout 1, 2 title sprintf('How full pages are%s, %s', of_tape, when).(plain ? sprintf('; to %.3g %s', largest / bytes, unit) : '') noenhanced margins edge, 0.97, (plain ? 0.1 : 0.22), (plain ? 0.8 : 0.84) spacing (plain ? 0.02 : 0.03)
do for [p = 0:1] {
    set title (p ? 'pages of 2 MiB' : 'pages of 4 KiB')
    unset object; unset label
    if (plain) {
        set border 2; unset xtics
        do for [i = 1:rows] {
            bar = ''
            do for [k = 1:6] { bar = bar.times(substr(letters, k + 1, k + 1), B[(p * rows + i - 1) * 6 + k] / largest * width) }
            set label i bar at 0, i - 1 left offset 1, 0 noenhanced
        }
    } else {
        set grid x lc rgb '#dedee3' lt 1 lw 0.7
        set xlabel sprintf('resident, %s', unit)
        n = 0
        do for [i = 1:rows] {
            left = 0.0
            do for [k = 1:6] {
                n = n + 1
                size = B[(p * rows + i - 1) * 6 + k] / bytes
                if (size > 0) { set object n rectangle from left, i - 1.32 to left + size, i - 0.68 fc rgb word(shades, k) fs solid 1 border rgb 'white' lw 0.4 }
                left = left + size
            }
        }
        if (p == 0) {
            do for [k = 1:6] {
                set object 1000 + k rectangle center screen 0.10 + 0.15 * (k - 1), screen 0.055 size screen 0.018, screen 0.022 fc rgb word(shades, k) fs solid 1 noborder
                set label 1000 + k word(class_words, k) at screen 0.112 + 0.15 * (k - 1), screen 0.055 left
            }
        }
    }
    if (plain && p == 0) { set label 1000 key_words at screen 0.02, screen 0.03 left noenhanced }
    if (p == 1) { set for [i = 1:rows] ytics add ('' i - 1); set format y '' }
    plot NaN
}
unset multiplot
