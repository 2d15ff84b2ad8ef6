# The lines of bench.csv that belong to one comparison, to rows of a Markdown table. The first command of zslice is
# compared with every peer, another one (more options, for instance) with the first peer only.

function show(value) {
    if (unit == "s") return sprintf("%.1f ms", value * 1000)
    return sprintf(unit == "CPU s/GiB" ? "%.3f %s" : unit == "MiB" ? "%.1f %s" : "%d %s", value, unit)
}

function median(name, n) {
    n = count[name]
    return n % 2 ? value[name, (n + 1) / 2] : (value[name, n / 2] + value[name, n / 2 + 1]) / 2
}

function ratio(theirs, ours) {
    return ours > 0 ? sprintf("%.2f", theirs / ours) : "-"
}

function row(peer, ours, options, label) {
    options = ours == "zslice" ? "" : ", `" substr(ours, length("zslice ") + 1) "`"
    label = peer
    gsub(/\|/, "\\|", label)
    printf "| %s, %s%s | %s | %s | %s | %s | %s |\n", work, file_system, options, label, show(value[peer, 1]),
        show(value[ours, 1]), ratio(value[peer, 1], value[ours, 1]), ratio(median(peer), median(ours))
}

BEGIN { FS = "\"" }

{
    split($9, number, ",") # -, bytes, round, value, unit
    file_system = $4; work = $6; name = $8; unit = number[5]
    if (!(name in count)) {
        if (name ~ /^zslice/) our_names[++our_count] = name
        else peers[++peer_count] = name
    }
    for (i = ++count[name]; i > 1 && value[name, i - 1] > number[4] + 0; i--) value[name, i] = value[name, i - 1]
    value[name, i] = number[4] + 0
}

END {
    for (p = 1; p <= peer_count; p++) row(peers[p], our_names[1])
    for (o = 2; o <= our_count && peer_count; o++) row(peers[1], our_names[o])
}
