# The short form of `make soak`.
load helper

@test "soak: random good and bad clients leave no resources in use, and each good client gets its bytes" {
	not_sanitized
	run -0 env PATIENCE=10 ROUNDS=2 "$BATS_TEST_DIRNAME/stress/soak" "$BUILD" 4
	[[ ${lines[-1]} == "soak: no findings" ]]
}
