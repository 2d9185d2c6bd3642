# Short forms of the stress tests (`make faults` and `make soak` run the long ones).
load helper

setup_file() {
	bats_require_minimum_version 1.5.0
	export STRESS=$BATS_TEST_DIRNAME/stress
}

# A sanitizer must be loaded first, and its allocator dies where memory is short.
sane() {
	if nm -D "$BUILD/dynamic/csvsplit" | grep -q __asan; then skip "with a sanitizer it is another program"; fi
}

# campaign NAME ARG...: every line of it is ok.
campaign() {
	run "$STRESS/$1" "${@:2}"
	echo "$output"
	[ "$status" = 0 ]
	! grep '^not ok' <<<"$output"
}

@test "faults: short_io.so is in force: reads are cut and interrupted" {
	sane
	run -0 --separate-stderr env SHORT_IO='1 100 0 0' LD_PRELOAD="$BUILD/stress/short_io.so" dd if=/dev/zero of=/dev/null bs=4096 count=3
	[[ $stderr == *"0+3 records in"* ]]
}

@test "faults: short reads and writes, EINTR and EAGAIN change no byte of csvsplit's output" {
	sane
	campaign short_io "$BUILD" 4 csv_lines csv_tsv csv_json
}

@test "faults: nor of what is echoed, relayed and served by tcpaccept" {
	sane
	campaign short_io "$BUILD" 3 echo_pipe echo_socket accept_echo
}

@test "faults: nor of what wsframe and wsupgrade make of frames and handshakes" {
	sane
	campaign short_io "$BUILD" 3 frame_encode frame_decode frame_session frame_bytes upgrade_session
}

@test "faults: nor of the whole chain and of wshub" {
	sane
	campaign short_io "$BUILD" 2 chain hub
}

@test "faults: the first allocation that fails, and all from it on, are said, or change nothing" {
	command -v strace >/dev/null || skip "no strace"
	sane
	CALLS=malloc MOST=2 campaign failing_syscalls "$BUILD" csv_json bind_chain connect_chain echo_server accept_server hub_server
}

@test "faults: no room for what is written, on a device, in a file and on a small disk, ends in one line and 1" {
	not_sanitized
	campaign disk "$BUILD" csv_json encode echo_pipe client port_found log
}

@test "faults: out of descriptors, processes and memory while serving: said, waited out, and served again" {
	not_sanitized
	[ "$(id -u)" != 0 ] || command -v setpriv >/dev/null || skip "no setpriv to be another user by"
	campaign limits "$BUILD" tcpaccept_descriptors tcpaccept_processes tcpecho_descriptors tcpecho_memory wshub_descriptors wshub_processes wsframe_descriptors wsframe_processes
}

@test "faults: the first system call of each name failing is said, or changes nothing" {
	command -v strace >/dev/null || skip "no strace"
	sane
	MOST=1 campaign failing_syscalls "$BUILD" csv_json bind_chain connect_relay echo_pipe upgrade frame
}

@test "soak: good and bad clients at random leave nothing behind, and each good one gets its bytes" {
	not_sanitized
	run -0 env PATIENCE=6 ROUNDS=2 "$STRESS/soak" "$BUILD" 4
	[[ ${lines[-1]} == "soak: no findings" ]]
}
