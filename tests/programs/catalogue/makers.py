"""Editors, pictures, sound and film, documents and charts: long-lived buffers, plug-ins, large libraries."""

import inputs
from program import Normalise, Program

WORDS = {"words.txt": inputs.text}

VIM = """
%s/ka\\(lo\\)/\\1ka/ge
g/mi$/move 0
%sort
1,200d
undo
redo
undo
1,50copy $
g/^be/normal! A changed
%!tr a-m A-M
w! out.txt
qa!
"""

EMACS = """
(require 'json) (require 'calc)
(with-temp-buffer
  (insert-file-contents "words.txt")
  (while (re-search-forward "\\\\(ka\\\\)\\\\(lo\\\\)" nil t) (replace-match "\\\\2\\\\1"))
  (sort-lines nil (point-min) (point-max))
  (let ((count (make-hash-table :test 'equal)))
    (dolist (w (split-string (buffer-string))) (puthash w (1+ (gethash w count 0)) count))
    (princ (format "%d words\\n" (hash-table-count count))))
  (c-mode) (undo-boundary) (upcase-region 1 2000) (write-region (point-min) (point-max) "out.txt" nil 'quiet))
(princ (format "%s %s\\n" (calc-eval "factorial(40)") (json-encode '((a . [1 2 3]) (b . "c")))))
(kill-emacs 4)
"""

# A terminal for programs that want one, 80 by 24; keys are typed and what then stands on it is printed.
TERMINAL = """
t() { tmux -f /dev/null -S "$TMPDIR/sock" "$@"; }
until_shown() { i=0; until t capture-pane -p | grep -q "$1"; do i=$((i + 1)); [ $i -lt 300 ] || { echo "never shown: $1"; t capture-pane -p; t kill-server; exit 99; }; sleep 0.05; done; }
"""

TMUX = TERMINAL + """
t new-session -d -x 80 -y 24 'PS1="> " exec dash'
until_shown '^>'; t send-keys 'seq 1 400 | paste -sd+ ; echo made-$((6 * 7))' Enter; until_shown '^made-42'
t split-window -h 'cat words.txt; sleep 100'; t resize-pane -x 30; t select-pane -L; t capture-pane -p | tail -n 8
t list-panes -F '#{pane_width}x#{pane_height}'; t kill-server; while [ -S "$TMPDIR/sock" ] && t ls >/dev/null 2>&1; do sleep 0.05; done
"""

NANO = TERMINAL + """
t new-session -d -x 80 -y 24 'nano -I -R +3 words.txt; echo status $?; sleep 100'
until_shown 'words.txt'; t send-keys 'typed by nobody' Enter; until_shown 'typed by nobody'; t send-keys C-k C-k C-u M-u; t send-keys C-o Enter; until_shown 'Wrote'
t send-keys C-x; until_shown 'status 0'; t kill-server; head -n 6 words.txt
"""

FFMPEG = """
f() { ffmpeg -nostdin -v error -threads 3 "$@"; }
f -f lavfi -i testsrc2=duration=2:size=192x144:rate=15 -f lavfi -i sine=frequency=330:duration=2 -c:v mpeg4 -q:v 5 -c:a pcm_s16le -flags +bitexact -fflags +bitexact out.avi
f -i out.avi -vf 'scale=96:72,hflip,drawbox=x=4:y=4:w=20:h=20' -map 0:v -flags +bitexact -f framemd5 -; f -i out.avi -map 0:a -c:a flac -bitexact -f md5 -
ffprobe -v error -show_entries stream=codec_name,width,nb_frames out.avi
"""

GNUPLOT = """set fit nologfile
set terminal svg size 600,400 font "sans"
set output "out.svg"
set multiplot layout 2,2
plot "orders.csv" using 1:4 with points title "orders", 400 + 100 * sin(x / 90)
splot [-3:3][-3:3] sin(x) * cos(y) with pm3d
set dgrid3d 12,12
plot "orders.csv" using 4 bins=30 with boxes
fit a * x + b "orders.csv" using 1:4 via a, b
unset multiplot
print a > 0 ? "up" : "down"
"""

GROFF = """.TH MADE 1 2024-01-01 "made up"
.SH NAME
made \\- something made up
.SH DESCRIPTION
.nf
{text}
.fi
.TS
box, center; l | r.
one\t1
two\t22
.TE
.EQ
x = {{ a sup 2 + b }} over c
.EN
"""

POSTSCRIPT = """%!PS
/Helvetica findfont 11 scalefont setfont
1 1 3 { /page exch def
  0 1 60 { dup 12 mul 40 add 40 exch moveto (line ) show 20 string cvs show ( of a page that was made up) show } for
  0 6 360 { gsave 300 400 translate rotate 0.4 setgray newpath 0 0 moveto 200 0 lineto 180 30 lineto closepath stroke grestore } for
  showpage } for
"""

POVRAY = """camera { location <0, 2, -5> look_at 0 }
light_source { <10, 20, -10> rgb 1 }
plane { y, -1 pigment { checker rgb 1, rgb 0.3 } }
#declare I = 0; #while (I < 40) sphere { <sin(I), I / 20 - 1, cos(I * 1.3)>, 0.25 pigment { rgb <I / 40, 0.4, 1 - I / 40> } finish { reflection 0.3 } } #declare I = I + 1; #end
"""

XSL = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:output method="html" indent="yes"/>
<xsl:key name="town" match="order" use="town"/>
<xsl:template match="/orders"><ul><xsl:for-each select="order[generate-id() = generate-id(key('town', town)[1])]"><xsl:sort select="town"/>
<li><xsl:value-of select="town"/>: <xsl:value-of select="sum(key('town', town)/amount)"/> <xsl:apply-templates select="key('town', town)[position() &lt; 4]"/></li></xsl:for-each></ul></xsl:template>
<xsl:template match="order"><b><xsl:value-of select="translate(name, 'aeiou', 'AEIOU')"/></b></xsl:template></xsl:stylesheet>
"""

TEX = """\\def\\words{kalo miren tusa vel dorni phaost emar qui }
\\newcount\\n \\n=0
\\loop\\ifnum\\n<400 \\advance\\n by1 \\number\\n: \\words\\words $\\sum_{i=0}^{\\number\\n} x^i$ \\endgraf \\repeat
\\bye
"""

DOXYFILE = "INPUT = big.c\nEXTRACT_ALL = YES\nGENERATE_LATEX = NO\nGENERATE_XML = YES\nGENERATE_HTML = NO\nQUIET = YES\nNUM_PROC_THREADS = 2\nEXTRACT_STATIC = YES\nWARNINGS = NO\n"

PROGRAMS = [
    Program("vim", "editor", "vim-tiny", ("vim.tiny", "-Nu", "NONE", "-n", "-i", "NONE", "-es", "-S", "run.vim", "words.txt"), sees="vim.tiny", files={"run.vim": VIM, **WORDS},
            note="ex mode"),
    Program("emacs", "editor", "emacs-nox", ("emacs", "-Q", "--batch", "-l", "run.el"), sees="emacs", files={"run.el": EMACS, **WORDS}, status=4,
            note="a dumped heap, a conservative collector over aligned blocks"),
    Program("nano", "editor", "nano tmux", NANO, sees="nano tmux", files=WORDS, environment={"TERM": "screen"}, says="utempter", shows="typed by nobody",
            note="typed at, in a terminal"),
    Program("tmux", "terminal", "tmux", TMUX, sees="tmux dash", files=WORDS, environment={"TERM": "screen"}, says="utempter", shows="made-42",
            note="a daemon of its own session; libevent"),
    Program("ffmpeg", "media", "ffmpeg", FFMPEG, sees="ffmpeg ffprobe", note="threads by the dozen, every block aligned", shows="mpeg4"),
    Program("imagemagick", "media", "imagemagick", "convert in.ppm -rotate 7 -blur 0x2 -resize 60% -define png:exclude-chunks=date,time +set date:create +set date:modify +set date:timestamp out.png; identify -format '%w %h %# %k\\n' out.png; convert -size 200x100 plasma:red-blue -seed 3 gif:- | identify -format '%m %w %h\\n' -; compare -metric AE in.ppm in.ppm null: ; convert none.ppm x.png || echo \"status $?\"",
            sees="convert identify", files={"in.ppm": inputs.ppm}, note="OpenMP; aligned pixel caches"),
    Program("webp", "media", "webp", "cwebp -quiet -mt -q 70 in.ppm -o out.webp; dwebp -quiet -mt out.webp -ppm -o back.ppm; webpmux -info out.webp", sees="cwebp dwebp", files={"in.ppm": inputs.ppm}),
    Program("optipng", "media", "optipng webp", "cwebp -quiet -lossless in.ppm -o x.webp; dwebp -quiet x.webp -o x.png; optipng -quiet -o4 x.png", sees="optipng", files={"in.ppm": inputs.ppm}),
    Program("flac", "media", "flac", "flac -s -8 in.wav -o out.flac; flac -s -d out.flac -o back.wav; cmp in.wav back.wav; metaflac --list out.flac | head -n 20", sees="flac metaflac", files={"in.wav": inputs.wav}),
    Program("sox", "media", "sox", "sox -R in.wav out.wav speed 1.1 reverb 30 echo 0.8 0.7 60 0.4 rate 16k norm -3; sox in.wav -n stat 2>&1", sees="sox", files={"in.wav": inputs.wav}),
    Program("povray", "media", "povray", "povray +Iin.pov +Oout.ppm +FP +W160 +H120 +WT3 +A0.3 -D -GA >/dev/null 2>&1 </dev/null", sees="povray", files={"in.pov": POVRAY}, note="boost threads; a pool of its own",
            normalise=(Normalise("out.ppm", "# Render Date: .*", "", "the time stands in the picture"),)),
    Program("gnuplot", "document", "gnuplot-nox", "gnuplot run.gp 2>&1 | tail -n 12", sees="gnuplot", files={"run.gp": GNUPLOT, "orders.csv": lambda: inputs.csv_text().replace(",", " ")}),
    Program("graphviz", "document", "graphviz", "dot -Tsvg -o dot.svg in.dot; neato -Tplain in.dot | cksum; twopi -Txdot in.dot | cksum; gvpr 'N[outdegree > 4]{print($.name)}' in.dot", sees="dot gvpr", files={"in.dot": inputs.dot_graph}, note="plug-ins by dlopen"),
    Program("groff", "document", "groff-base", "groff -t -e -man -Tutf8 in.1 | tail -n 60; groff -t -man -Tps in.1 | grep -v '^%%' | cksum", sees="troff tbl grotty",
            files={"in.1": lambda: GROFF.format(text=inputs.text(300))}, note="C++, a pipe of five programs"),
    Program("pandoc", "document", "pandoc", "pandoc -t html -o out.html in.md; pandoc -t rst in.md | cksum; pandoc -f html -t man out.html | tail -n 5", sees="pandoc", files={"in.md": inputs.markdown},
            note="Haskell: a collector over its own mappings", seconds=60),
    Program("ghostscript", "document", "ghostscript", "gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=ppmraw -r40 -sOutputFile=p%d.ppm in.ps; gs -q -dBATCH -dNOPAUSE -sDEVICE=txtwrite -o - in.ps | tail -n 4", sees="gs", files={"in.ps": POSTSCRIPT},
            note="an interpreter with pools over malloc"),
    Program("poppler", "document", "poppler-utils ghostscript", "gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -o x.pdf in.ps; pdftotext -layout x.pdf - | tail -n 20; pdftoppm -r 30 -gray x.pdf page; pdffonts x.pdf; rm x.pdf", sees="pdftotext pdftoppm", files={"in.ps": POSTSCRIPT}),
    Program("qpdf", "document", "qpdf ghostscript", "qpdf --deterministic-id --linearize --object-streams=generate x.pdf y.pdf; qpdf --check y.pdf | tail -n 3; qpdf --show-xref y.pdf | wc -l", sees="qpdf", files={"in.ps": POSTSCRIPT},
            prepare="SOURCE_DATE_EPOCH=0 gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -o x.pdf in.ps", note="C++, shared pointers"),
    Program("tex", "document", "texlive-binaries texlive-base", "pdftex -interaction=batchmode in.tex; cksum <in.pdf; tail -n 3 in.log", sees="pdftex", files={"in.tex": TEX},
            environment={"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1"}, note="arrays of its own, kept for life"),
    Program("xml", "document", "libxml2-utils xsltproc", "xmllint --format --xpath '//order[amount > 850]/name' in.xml | head -n 9; xmllint --c14n in.xml | cksum; xsltproc x.xsl in.xml; echo '<a><b></a>' | xmllint - 2>&1 || echo \"status $?\"", sees="xmllint xsltproc",
            files={"in.xml": inputs.xml_text, "x.xsl": XSL}),
    Program("w3m", "document", "w3m", ("w3m", "-dump", "-cols", "70", "-T", "text/html", "in.html"), files={"in.html": inputs.html_text}, note="Boehm's collector"),
    Program("doxygen", "document", "doxygen", "doxygen Doxyfile; ls xml | wc -l; head -c 600 xml/index.xml", sees="doxygen", files={"Doxyfile": DOXYFILE, "big.c": inputs.c_source}, note="C++, threads"),
]
