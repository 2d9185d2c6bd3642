# The fuzz targets over their seeds: each codec against its naive reading, at many cuts.
load helper

setup_file() {
	bats_require_minimum_version 1.5.0
	export SEEDS=$BATS_TEST_DIRNAME/fuzz/seeds
}

# replays TARGET
replays() {
	run -0 "$BUILD/fuzz/$1" "$SEEDS/$1"/*
	[ "${lines[-1]}" != "0 files" ]
}

@test "fuzz: every target has seeds, and is replayed here" {
	for target in "$BATS_TEST_DIRNAME"/fuzz/*.c; do
		target=$(basename "$target" .c)
		[ "$target" = replay ] && continue
		[ "$(ls "$SEEDS/$target" | wc -l)" -ge 5 ] || { echo "$target"; return 1; }
		grep -qx "	replays $target" "$BATS_TEST_FILENAME" || { echo "$target"; return 1; }
	done
}

@test "fuzz: numbers, sizes, port lists and LISTEN_* are what a reading in 128 bits says" {
	replays args
}

@test "fuzz: frames, for either role, at any cuts, are what the naive decoder says" {
	replays frame
}

@test "fuzz: keepalive and closing handshake, under any events, are what a plain reading of the RFC says" {
	replays conn
}

@test "fuzz: records come back as they went, through small buffers and any cuts" {
	replays flow
}

@test "fuzz: masking is a loop over bytes, at any alignment" {
	replays mask
}

@test "fuzz: UTF-8, on every path, is what the naive reading says" {
	replays utf8
}

@test "fuzz: HTTP heads end where the rules say at any cuts, and every policy's answer is whole" {
	replays http
}

@test "fuzz: hosts, origins, URLs and paths are what regular expressions say" {
	replays origin
}

@test "fuzz: offers and answers of permessage-deflate are what a regular expression and a look-up say" {
	replays extension
}

@test "fuzz: inflate at any cuts agrees with a naive decoder and with zlib" {
	replays inflate
}

@test "fuzz: base64 and SHA-1 are what the slow readings say" {
	replays base64
}

@test "fuzz: a request is let in where a plain reading of the RFC lets it in, and only there" {
	replays http_request
}

@test "fuzz: a server's answer is one to us where a plain reading says so, and only there" {
	replays http_response
}

@test "fuzz: PROXY headers, in any pieces, are what a plain reading of the whole says" {
	replays proxy
}

@test "fuzz: CSV is what a recursive descent reads, on every path and at any cuts" {
	replays csv
}

@test "fuzz: CSV fields come out of every format as they went in, held or streamed" {
	replays csv_fields
}

@test "fuzz: a program's orders, in lines or netstrings, are what a plain reading says, at any cuts" {
	replays command
}
