# bench.csv to what gnuplot draws, in the order in which the commands first ran.
# kind=speed: lines of LABEL, GB/s, colour for horizontal bars: a title for each work (colour 0), then its commands.
# kind=sizes: for each command a block of BYTES, GB/s under its name, from the first file system.

BEGIN { FS = "\"" }

NR == 2 { first = $4 }

kind == "speed" && ($2 == "file" || $2 ~ /^(to-pipe|from-pipe|pipe-pipe|tcp)$/ && $4 == first) {
    note($6 ", " $4, $8, $8)
}

kind == "sizes" && $2 == "sizes" && $4 == first {
    split($9, number, ",")
    note($8, number[2], $8)
}

function note(group, item, command, number, now) {
    if (command ~ /^(busybox|rust|xfs_io)/) return # as fast as dd; the table has them
    split($9, number, ",") # -, bytes, round, value, unit
    if (!(group in items)) groups[++group_count] = group
    if (!((group, item) in speed)) names[group, ++items[group]] = item
    now = number[4] > 0 ? number[2] / number[4] / 1e9 : 0
    if (now > speed[group, item] + 0) speed[group, item] = now
}

END {
    for (g = 1; g <= group_count; g++) {
        group = groups[g]
        printf kind == "sizes" ? "\n\n\"%s\"\n" : "\"{/:Bold %s}\" 0 0\n", group
        for (i = 1; i <= items[group]; i++) {
            item = names[group, i]
            if (kind == "sizes") print item, speed[group, item]
            else printf "\"%s\" %.4f %d\n", item, speed[group, item], item ~ /^zslice/ ? 1 : 2
        }
    }
}
