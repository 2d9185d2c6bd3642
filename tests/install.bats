# The files that `make install' and similar targets install and remove, as a packager uses them.
# shellcheck disable=SC2016,SC2154
load helper

root="$BATS_TEST_TMPDIR/the root"

make_here() {
	make -s -C "$BATS_TEST_DIRNAME/.." B="$BUILD" DESTDIR="$root" PREFIX=/opt/it "$@"
}

@test "install copies programs, pages, units, completions and examples to their directories, the programs run, uninstall removes all of them" {
	mkdir -p "$root/opt/it/bin" "$root/opt/it/share/zsh"
	(umask 077 && make_here install >/dev/null && make_here install >/dev/null)
	version=$(sed -n 's/^VERSION := //p' "$BATS_TEST_DIRNAME/../Makefile")
	cd "$root/opt/it"
	for name in "$BATS_TEST_DIRNAME"/../cmd/*; do
		[[ $name != *.h ]] || continue
		name=$(basename "$name" .c)
		prints "$name (fittings) $version" "bin/$name" --version
		[ -f "share/man/man1/$name.1" ]
		[ -f "share/bash-completion/completions/$name" ]
	done
	[ -f share/man/man7/fittings.7 ]
	[ -f share/zsh/site-functions/_fittings ]
	for name in chat ws; do [ -x "share/doc/fittings/examples/$name" ]; done
	[ ! -x share/doc/fittings/examples/chat.html ]
	[ -z "$(find . -mindepth 1 ! -perm -o=r)" ]
	grep -q '^ExecStart=/opt/it/bin/tcpecho$' lib/systemd/system/tcpecho.service
	! grep -rq /usr/local/bin lib/systemd/system || false
	make_here uninstall >/dev/null
	[ "$(find . | sort | tr '\n' ' ')" = '. ./bin ./share ./share/zsh ' ]
}

@test "fish finds the installed completions under /usr/local and /usr" {
	need fish
	for prefix in /usr/local /usr; do
		make_here install PREFIX=$prefix >/dev/null
		file=$(cd "$root" && find . -name wsframe.fish)
		HOME=$BATS_TEST_TMPDIR env -u XDG_DATA_DIRS -u XDG_CONFIG_HOME -u XDG_DATA_HOME \
			fish -c 'contains -- $argv[1] $fish_complete_path' "$(dirname "${file#.}")" || { echo "$file"; return 1; }
		rm -r "$root"
	done
}

@test "dist: a tarball of the committed files" {
	git -C "$BATS_TEST_DIRNAME/.." rev-parse HEAD >/dev/null 2>&1 || skip "not a git checkout"
	tarball=$(make -s -C "$BATS_TEST_DIRNAME/.." dist | tail -n 1)
	tar -tzf "$BATS_TEST_DIRNAME/../$tarball" >"$BATS_TEST_TMPDIR/list"
	for file in Makefile README.md cmd/wsframe/wsframe.c tests/run man/fittings.7; do
		grep -q "^fittings-[0-9.]*/$file\$" "$BATS_TEST_TMPDIR/list"
	done
}

@test "dist: in an unpacked tarball it names the missing checkout" {
	cp "$BATS_TEST_DIRNAME/../Makefile" "$BATS_TEST_TMPDIR"
	mkdir "$BATS_TEST_TMPDIR/lib"
	cp "$BATS_TEST_DIRNAME/../lib/toolchain" "$BATS_TEST_TMPDIR/lib"
	run -2 make -s -C "$BATS_TEST_TMPDIR" dist
	[[ ${lines[0]} == 'make dist: not a git checkout'* ]]
}
