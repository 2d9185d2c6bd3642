# The completions in the three shells themselves.
# shellcheck disable=SC2016,SC2030,SC2031,SC2046,SC2154
load helper

programs=(csvsplit portscan-bind portscan-connect proxyhead tcpaccept tcpecho wsframe wshub wsserve wsupgrade)
completions=$BATS_TEST_DIRNAME/../completions

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	: >page.html
	: >people.csv
}

# The options in --help, one per line: short, long, value, help
# (@ if there is none).
rows() {
	"$1" --help | sed -nE -e 's/^  (-.), --/\1 --/p' -e 's/^ {6}--/@ --/p' \
		| sed -E -e 's/^(..?) (--[a-z0-9-]+) ([A-Z]+)  +/\1 \2 \3 /' -e t -e 's/^(..?) (--[a-z0-9-]+)  +/\1 \2 @ /'
}

# just WORD...: the lines of stdin are these words, in any order.
just() {
	diff <(printf '%s\n' "$@" | sort -u) <(sort -u | grep . || echo)
}

# The completions in every shell: LINE|WORD...
chains="portscan-bind -p 9000 tcpaccept --m|--max --max-per-address
portscan-bind -qp 9000 tcpaccept -C 3 --max=7 wsupgrade --console --host localhost wsframe --enc|--encode
portscan-connect --ports=9000 wsupgrade -c ws://localhost/ wsframe -c --mess|--messages
portscan-bind -- tcpaccept --dr|--drain
portscan-bind $BIN/tcpaccept --dr|--drain
$BIN/portscan-bind --pr|--print-port
portscan-bind --nosuch tcpaccept --dr|--drain
portscan-bind wsupg|wsupgrade
portscan-bind -- wsupg|wsupgrade
portscan-bind tcpecho --rep|--reply"
values='csvsplit -O |lines nul tsv csv json
csvsplit -HO j|json
csvsplit --format ts|tsv
csvsplit -HI |csv tsv
csvsplit peo|people.csv
portscan-bind tcpaccept wsupgrade --page pag|page.html
wsupgrade -a tcpech|tcpecho
wsframe -c -q n|never
portscan-bind -a 1|127.0.0.1
wsupgrade -c w|ws://localhost/
portscan-connect -t |'

# each COMMAND TABLE: runs the command for each line of the table.
each() {
	local line words
	while IFS='|' read -r line words; do "$1" "$line" ${words:-''} || return; done <<<"$2"
}

@test "the tests can read the option table of every program" {
	for program in "${programs[@]}"; do
		rows "$program" | grep -q '^@ --help @ this summary'
		[ "$(rows "$program" | wc -l)" = "$("$program" --help | grep -cE '^ +(-., )?--[a-z]')" ]
	done
	same <(basename -a "$BIN"/* | sort) "${programs[@]}"
}

# bash

# Prints what bash would insert for each LINE, which is split into words as by readline.
# in_bash LINE...
in_bash() {
	bash --norc --noprofile -c '
		. "$0/fittings.bash"
		others() { COMPREPLY=("$COMP_CWORD:${COMP_WORDS[*]}:$2:$3"); }
		complete -F others theirs
		for line; do
			rest=$line COMP_WORDS=() COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=${TYPE-9}
			while [[ $rest =~ ^[[:blank:]]*([^[:blank:]=:]+|[=:]+)(.*)$ ]]; do
				COMP_WORDS+=("${BASH_REMATCH[1]}")
				rest=${BASH_REMATCH[2]}
			done
			[[ $line != *" " ]] || COMP_WORDS+=("")
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			_fittings "${COMP_WORDS[0]}"
			printf "%s\n" "${COMPREPLY[@]}"
		done' "$completions" "$@"
}

# gives 'LINE' WORD...: the completions are these words.
gives() {
	in_bash "$1" | just "${@:2}" || { echo "for $1" && return 1; }
}

@test "bash: every option of every program, long and short, is offered" {
	for program in "${programs[@]}"; do
		gives "$program -" $(rows "$program" | awk '{ if ($1 != "@") print $1; print $2 }')
		gives "$program --" $(rows "$program" | awk '{ print $2 }')
	done
}

@test "bash: listed options have their help" {
	for program in "${programs[@]}"; do
		COLUMNS=1000 TYPE=63 in_bash "$program --" | sed -E 's/ +\(/ (/' | sort >listed
		rows "$program" | sed -E 's/^[^ ]+ ([^ ]+) @ (.*)/\1 (\2)/; t; s/^[^ ]+ ([^ ]+) ([^ ]+) (.*)/\1 (\2: \3)/' | sort >wanted
		diff wanted listed
	done
	[ "$(TYPE=63 in_bash 'csvsplit --prog')" = --progress ]
	COLUMNS=40 TYPE=63 in_bash 'wsframe --' >listed
	[ "$(awk '{ if (length() > n) n = length() } END { print n }' listed)" = 40 ]
}

@test "bash: the next program is completed in a chain of any length, another program by its own completions, and values" {
	each gives "$chains"
	# After the name of the next program, its options are not completed.
	gives 'portscan-bind -- --rep' ''
	gives 'portscan-bind -p 9000 cat peop' people.csv
	[ "$(in_bash 'portscan-bind -p 9000 tcpaccept theirs --x=1 y')" = '4:theirs --x = 1 y:y:1' ]
	[ "$(in_bash 'portscan-bind theirs ')" = '1:theirs ::theirs' ]
	each gives "$values"
	gives 'csvsplit -Ot' -Otsv
	gives 'csvsplit --format=ts' tsv
	gives 'csvsplit --format=' lines nul tsv csv json
	gives 'csvsplit --input=t' tsv
	gives 'wshub --page=pag' page.html
	gives 'portscan-bind -p ' 9000-9998 8080 0
	# Readline replaces only the text after a colon.
	gives 'wsupgrade -c ws:/' //localhost/
}

@test "bash: the completion works in a shell with strict options and does not change them" {
	run --separate-stderr bash --norc -c '
		set -u
		. "$0/fittings.bash"
		before=$(set -o; shopt; compgen -v)
		COMP_WORDS=(portscan-bind tcpaccept --m) COMP_CWORD=2 COMP_LINE="portscan-bind tcpaccept --m" COMP_POINT=27
		_fittings
		echo "${COMPREPLY[*]}"
		unset COMP_WORDS COMP_CWORD COMP_LINE COMP_POINT COMPREPLY
		diff <(echo "$before") <(set -o; shopt; compgen -v | grep -vx before)' "$completions"
	echo "$output$stderr"
	[ "${lines[0]}" = "--max --max-per-address" ]
	[ "$stderr" = "" ]
	for name in COMP_LINE COMP_POINT COMP_WORDS COMP_CWORD COMPREPLY COMP_TYPE BASH_REMATCH MAPFILE before; do
		output=$(grep -vE "^[<>] $name\$" <<<"$output" || :)
	done
	[ "$(grep -c '^[<>]' <<<"$output")" = 0 ]
}

# fish

# Prints the completions of fish for each LINE: word TAB description.
in_fish() {
	HOME=$PWD XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish -c '
		source $argv[1]/fittings.fish
		for line in $argv[2..]
			complete "-C$line"
		end' "$completions" "$@"
}

# offers 'LINE' WORD...: the completions are these words.
offers() {
	in_fish "$1" | cut -f 1 | just "${@:2}" || { echo "for $1" && return 1; }
}

@test "fish: each option of each program, long and short, with its help" {
	need fish
	for program in "${programs[@]}"; do
		in_fish "$program -" "$program --" | sort -u >listed
		rows "$program" | while read -r short long value help; do
			[ "$value" = @ ] || help="$value: $help"
			[ "$short" = @ ] || printf '%s\t%s\n' "$short" "$help"
			printf '%s\t%s\n' "$long" "$help"
		done | sort -u >wanted
		diff wanted listed
	done
}

@test "fish: the next program is completed in a chain of any length, another program by its own completions, and values" {
	need fish
	each offers "$chains"
	offers 'portscan-bind -p 9000 cat peop' people.csv
	[ "$(in_fish 'portscan-bind -p 9000 tcpaccept cat --')" = "$(in_fish 'cat --')" ]
	offers 'env portscan-bind -q tcpaccept --m' --max --max-per-address
	offers 'portscan-bind env tcpaccept --m' --max --max-per-address
	each offers "$values"
	offers 'csvsplit -Ot' -Otsv
	offers 'csvsplit --format=ts' --format=tsv
	offers 'wshub --page=pag' --page=page.html
}

# zsh

# Prints the list of zsh for each LINE.
in_zsh() {
	install -D -m 644 "$completions/fittings.zsh" "$BATS_FILE_TMPDIR/site/_fittings"
	HOME=$PWD zsh -f "$BATS_TEST_DIRNAME/completions.zsh" "$BATS_FILE_TMPDIR/site" "$@" >zsh.out
}

# listed 'LINE': prints the list for it, without the line itself.
listed() {
	awk -v line="== $1" '/^== / { on = $0 == line; next } on' zsh.out | grep -vF "${1% }" | sed 's/ *$//' || :
}

# lists 'LINE' WORD...: the list consists of these words.
lists() {
	listed "$1" | tr -s ' ' '\n' | just "${@:2}" || { cat zsh.out && echo "for $1" && return 1; }
}

@test "zsh: each option of each program, long and short, with its help" {
	need zsh
	in_zsh "${programs[@]/%/ -}"
	for program in "${programs[@]}"; do
		rows "$program" | while read -r short long value help; do
			[ "$short" = @ ] && short=
			printf '%s\n' "$long${short:+ $short} -- $help"
		done | sort >wanted
		listed "$program -" | grep -v '^-$' | sed -E 's/^([^ ]+) +/\1 /; s/^([^ ]+ -[^- ]) +--/\1 --/' | grep . | sort >got
		diff wanted got
	done
}

@test "zsh: the next program is completed in a chain of any length, another program by its own completions, and values" {
	need zsh
	local lines line
	mapfile -t lines < <(sed 's/|.*//' <<<"$chains"$'\n'"$values")
	in_zsh "${lines[@]}" 'env portscan-bind -q tcpaccept --dr' 'portscan-bind env tcpaccept --dr' 'portscan-bind cat peop' \
		'portscan-bind tcpaccept cat --squee' 'csvsplit -Ot' 'csvsplit --format=ts' 'wshub --page=pag'
	# Without the help behind each option.
	offered() { listed "$1" | awk '{ print $1 }' | just "${@:2}" || { cat zsh.out && echo "for $1" && return 1; }; }
	each offered "$chains"
	for line in 'env portscan-bind -q tcpaccept --dr' 'portscan-bind env tcpaccept --dr'; do
		[[ $(listed "$line") == *"--drain"*"-- grace period"* ]]
	done
	[[ $(listed 'portscan-bind tcpaccept cat --squee') == *"--squeeze-blank"* ]]
	each lists "$values"
	lists 'portscan-bind cat peop' people.csv
	lists 'csvsplit -Ot' tsv
	lists 'csvsplit --format=ts' tsv
	lists 'wshub --page=pag' page.html
}
