# Short forms of the stress tests (`make faults` and `make soak` run the long ones).
load helper

# campaign SCENARIO...: each failing call is reported or has no effect. (A sanitizer must be loaded first, and its allocator
# aborts without memory.)
campaign() {
	need strace
	not_sanitized
	run "$BATS_TEST_DIRNAME/stress/failing_syscalls" "$BUILD" "$@"
	echo "$output"
	[ "$status" = 0 ]
	! grep '^not ok' <<<"$output"
}

@test "faults: each first failing allocation is reported or has no effect" {
	CALLS=malloc MOST=2 campaign csv_json bind_chain connect_chain echo_server accept_server each_server hub_server
}

@test "faults: the first failing call of each system call is reported or has no effect" {
	MOST=1 campaign csv_json bind_chain connect_relay echo_pipe upgrade frame
}

@test "soak: random good and bad clients leave no resources in use, and each good client gets its bytes" {
	not_sanitized
	run -0 env PATIENCE=6 ROUNDS=2 "$BATS_TEST_DIRNAME/stress/soak" "$BUILD" 4
	[[ ${lines[-1]} == "soak: no findings" ]]
}
