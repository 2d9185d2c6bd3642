# The short form of `make soak`.
load helper

@test "soak: good and bad clients at random leave nothing behind, and each good one gets its bytes" {
	not_sanitized
	run env PATIENCE=6 ROUNDS=2 "$BATS_TEST_DIRNAME/soak" "$BUILD" 4
	echo "$output"
	[ "$status" = 0 ]
	[[ ${lines[-1]} == "soak: nothing to say" ]]
}
