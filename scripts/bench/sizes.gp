# gnuplot -c sizes.gp DATA SVG MACHINE: a line for each block of DATA.
stats ARG1 using 1:2 nooutput
set terminal svg size 960, 560 font 'sans-serif,13' background '#ffffff'
set output ARG2
set title "Throughput by size of the slice, whole processes (minimum time of interleaved runs)\n{/*0.85 ".ARG3.'}'
set xlabel 'size of the slice'
set ylabel 'GB/s, more is better'
set logscale x 2
set xrange [STATS_min_x / 1.5:STATS_max_x * 1.5]
set logscale y 10
set xtics ('1 KiB' 2**10, '32 KiB' 2**15, '1 MiB' 2**20, '8 MiB' 2**23, '64 MiB' 2**26, '512 MiB' 2**29, '4 GiB' 2**32)
set format y '%g'
set border 3
set tics nomirror out
set grid lc '#d0d0d0'
set key bottom right
set linetype 1 lc rgb '#d9541e'
plot for [block = 0:STATS_blocks - 1] ARG1 index block using 1:2 with linespoints lw 2 pt 7 ps 0.6 \
    title columnheader(1)
