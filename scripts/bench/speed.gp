# gnuplot -c speed.gp DATA SVG MACHINE: horizontal bars, the first line of DATA at the top.
stats ARG1 using 2 nooutput
rows = STATS_records
set terminal svg size 960, 150 + 19 * rows font 'sans-serif,13' background '#ffffff'
set output ARG2
set title "Throughput (minimum time of interleaved runs)\n{/*0.85 ".ARG3.'}'
set xlabel 'GB/s, more is better' offset 0, 0.4
set xrange [0:STATS_max * 1.12]
set yrange [rows - 0.3:-0.9]
set lmargin 38
set border 3
set tics nomirror out scale 0.4
set grid xtics lc '#d0d0d0'
set key below spacing 1.3
set style fill solid
colour(c) = c == 1 ? 0xd9541e : 0x7a93ab
plot for [wanted = 1:2] ARG1 using ($3 == wanted ? $2 / 2 : NaN):0:($2 / 2):(0.38) \
        with boxxyerror lc rgb colour(wanted) title wanted == 1 ? 'zslice' : 'its peers', \
    ARG1 using ($3 > 0 ? $2 : NaN):0:(sprintf('%.2f', $2)) with labels left offset 0.5, 0 font ',11' notitle, \
    ARG1 using (NaN):0:yticlabels(1) with points notitle
