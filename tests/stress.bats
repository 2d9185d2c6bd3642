# Short forms of the stress tests (`make faults` and `make soak` run the long ones).
load helper

setup_file() {
	bats_require_minimum_version 1.5.0
	export STRESS=$BATS_TEST_DIRNAME/stress
}

# A sanitizer must be loaded first, and its allocator aborts without memory.
sane() {
	if nm -D "$BUILD/dynamic/csvsplit" | grep -q __asan; then skip "with a sanitizer it is another program"; fi
}

# campaign NAME ARG...: runs the stress test; each line of its output must be `ok'.
campaign() {
	run "$STRESS/$1" "${@:2}"
	echo "$output"
	[ "$status" = 0 ]
	! grep '^not ok' <<<"$output"
}

@test "faults: short_io.so works: reads are shortened and interrupted" {
	sane
	run -0 --separate-stderr env SHORT_IO='1 100 0 0' LD_PRELOAD="$BUILD/stress/short_io.so" dd if=/dev/zero of=/dev/null bs=4096 count=3
	[[ $stderr == *"0+3 records in"* ]]
}

@test "faults: short reads and writes, EINTR and EAGAIN do not change the output of csvsplit" {
	sane
	campaign short_io "$BUILD" 4 csv_lines csv_tsv csv_json
}

@test "faults: the same errors do not change the data of tcpecho, portscan-connect and tcpaccept" {
	sane
	campaign short_io "$BUILD" 3 echo_pipe echo_socket accept_echo
}

@test "faults: the same errors do not change the frames and handshakes of wsframe and wsupgrade" {
	sane
	campaign short_io "$BUILD" 3 frame_encode frame_decode frame_session frame_bytes upgrade_session
}

@test "faults: the same errors do not change the data of the whole chain, of wsserve and of wshub" {
	sane
	campaign short_io "$BUILD" 2 chain each hub
}

@test "faults: each first failing allocation is reported or has no effect" {
	need strace
	sane
	CALLS=malloc MOST=2 campaign failing_syscalls "$BUILD" csv_json bind_chain connect_chain echo_server accept_server each_server hub_server
}

@test "faults: a shortage of descriptors, processes or memory is reported, and service continues afterwards" {
	not_sanitized
	[ "$(id -u)" != 0 ] || command -v setpriv >/dev/null || skip "no setpriv to be another user by"
	campaign limits "$BUILD" tcpaccept_descriptors tcpaccept_processes tcpecho_descriptors tcpecho_memory wsserve_descriptors wsserve_processes wshub_descriptors wshub_processes wsframe_descriptors wsframe_processes {tcpecho,tcpaccept,wsframe,wsserve,wshub}_log
}

@test "faults: the first failing call of each system call is reported or has no effect" {
	need strace
	sane
	MOST=1 campaign failing_syscalls "$BUILD" csv_json bind_chain connect_relay echo_pipe upgrade frame
}

@test "soak: random good and bad clients leave no resources in use, and each good client gets its bytes" {
	not_sanitized
	run -0 env PATIENCE=6 ROUNDS=2 "$STRESS/soak" "$BUILD" 4
	[[ ${lines[-1]} == "soak: no findings" ]]
}
