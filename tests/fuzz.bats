# The fuzz targets with their seeds: each codec is compared with a naive implementation, with the input divided in many ways.
load helper

@test "fuzz: every target has seeds, and its results agree with its naive implementation" {
	local target seeds
	for target in "$BATS_TEST_DIRNAME"/fuzz/*.c; do
		target=$(basename "$target" .c)
		[ "$target" != replay ] || continue
		seeds=("$BATS_TEST_DIRNAME/fuzz/seeds/$target"/*)
		echo "$target"
		((${#seeds[@]} >= 5))
		"$BUILD/fuzz/$target" "${seeds[@]}"
	done
}
