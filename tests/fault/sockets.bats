# Sockets: the same faults as in streams.bats, and waiting.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables of inject.bash
load ../helper
load inject

setup_file() {
    use_python
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    setup_fault
    random_file in 3500000
}

@test "file to TCP: sendfile" {
    random_file in 9500000
    tail -c +1001 in >expected
    sweep_stream file-tcp sendfile@in "1 2 3" "standard output" yes sendfile auto -o 1000
    all_good
}

@test "file to TCP: map-write of what is cached" {
    random_file in 17000001
    tail -c +1001 in >expected
    codes=(EIO EINVAL EINTR EAGAIN)
    sweep_stream file-tcp write "1 2 17" "standard output" yes map-write auto -o 1000
    codes=(ENOMEM ENODEV EIO) # mapping fails for reasons of mapping only
    for code in "${codes[@]}"; do
        name="mmap $code"
        inject "mmap@in:error=$code:when=1"
        transfer file-tcp -o 1000
        judge "done"
        expect_refused map-write "$code"
        [[ $json = *'"sendfile":{"bytes":16999001'* ]] || problem "not by sendfile: $json"
    done
    all_good
}

@test "file to TCP and unix: splice, map-write and buffer" {
    tail -c +1001 in >expected
    codes=(ENOSPC EIO EINVAL ENOMEM EINTR EAGAIN)
    sweep_stream file-tcp splice@in "1 2" in no splice forced -o 1000
    sweep_stream file-unix splice "2 4" "standard output" yes splice forced -o 1000
    sweep_stream file-unix write "1 2 4" "standard output" yes map-write forced -o 1000
    sweep_stream file-tcp write "1 2 5" "standard output" yes buffer forced -o 1000
    all_good
}

@test "unix socket to file: splice" {
    cp in expected
    codes=(ENOSPC EIO EINVAL ENOMEM EINTR EAGAIN)
    sweep_stream unix-file splice@out "1 2" out no splice auto
    # A socket has no path: the first of all is the one that takes from it.
    sweep_stream unix-file splice 1 "standard input" yes splice auto
    all_good
}

@test "non-blocking pipes and sockets, interrupted while they wait" {
    local kind engine
    cp in expected
    for kind in pipe unix tcp; do
        for engine in auto splice buffer; do
            # splice waits at pipes by itself, whatever their flags say.
            [ $kind != pipe ] || [ $engine = buffer ] || continue
            name="$kind to $kind, $engine"
            inject poll:error=EINTR:when=1
            prepare_run --engine=$engine
            arrived=got
            status=0
            peer run --source $kind --feed in --target $kind --collect got --nonblocking \
                --pause 0.002 -- "${run[@]}" 2>err || status=$?
            judge "done"
        done
    done
    all_good
}
