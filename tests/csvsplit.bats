# csvsplit: the rules of CSV, every option and format, errors and the end of the input.
load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || exit
	printf 'name,email,"last, first"\r\n"A, ""B""",a@x,1\r\nC,"d\ne",\r\n' >people.csv
	esc=$'\x1b'
}

# gives INPUT OUTPUT [OPTION...]: both as printf formats.
gives() {
	local input=$1 output=$2
	shift 2
	printf "$input" | csvsplit "$@" >got || { echo "exit $? of csvsplit $* for $input"; return 1; }
	printf "$output" >expected
	cmp got expected || { echo "csvsplit $*: $input"; od -c got; return 1; }
}

# fails INPUT OUTPUT MESSAGE [OPTION...]: the exit status is 1, and the output before the error is complete.
fails() {
	local input=$1 output=$2 message=$3 status=0
	shift 3
	printf "$input" | csvsplit "$@" >got 2>err || status=$?
	[ "$status" = 1 ] || { echo "exit $status of csvsplit $* for $input"; return 1; }
	printf "$output" | cmp - got || { od -c got; return 1; }
	same err "csvsplit: $message"
}

# holds SIZE INPUT [OPTION...]: SIZE is the smallest --max-record for the input.
holds() {
	local size=$1 input=$2
	shift 2
	printf "$input" >in
	csvsplit --max-record "$size" "$@" in >got
	csvsplit "$@" in | cmp - got
	[ "$size" -gt 1 ] || return 0
	run --separate-stderr csvsplit --max-record "$((size - 1))" "$@" in
	[ "$status" = 1 ] || { echo "$((size - 1)) is enough for $input"; return 1; }
	[[ $stderr == "csvsplit: in: line "*": record is larger than $((size - 1)) bytes (--max-record)" ]]
}

@test "each field is a line; empty fields, empty lines and the end of input are as documented" {
	gives 'a,b,c\nd,e,f\n' 'a\nb\nc\nd\ne\nf\n'
	gives 'a,"b",c\r\n"d",e,f' 'a\nb\nc\nd\ne\nf\n'
	gives '"a,b","c\nd","e""f"\n' 'a,b\nc\nd\ne"f\n'
	gives '' ''
	gives '\n' '\n'
	gives 'a,' 'a\n\n'
	gives '\r\n""' '\n\n'
	gives 'a\r' 'a\r\n'
	gives 'a\r\r\nb\rc' 'a\r\nb\rc\n'
}

@test "a file whose records end at CR alone is exit 1" {
	why="stdin: CR alone does not end a record (tr '\\r' '\\n')"
	fails 'a,b\r1,2\r' '' "$why" -H
	fails 'a,b\r1,2\r\n' 'a\tb\\r1\t2\n' "$why" -H -O tsv
	fails 'a,b\r1,2' '' "$why" -H -O json
	fails '\n\na\rb\r\n\n\r\n' 'a\rb\n' "$why" -B
	fails 'a,b\r1,2\r' '' "$why" -f a
	fails 'a,b\r1,2\r' '' "stdin: no field is named 'b': the header has 3 fields: 'a', 'b\\x0d1', '2\\x0d' (CR alone does not end a record: tr '\\r' '\\n')" -f b
	# If other bytes follow, and in quotes, it is data.
	gives 'a,b\rc\n1,2\n' '1\n2\n' -H
	gives '"a\rb",c\r\n' '' -H
	gives '"a\rb",c\r' 'a\rb\nc\r\n'
	gives 'a\rb\n\n' 'a\rb\n\n'
	gives 'a\rb\n\n""' 'a\rb\n\n' -B
	gives '"\n\r\n"\r\n' '\n\r\n\n'
}

@test "a byte order mark at the beginning of each file is skipped, also before a quote" {
	gives '\xef\xbb\xbf"a,b",c' 'a,b\nc\n'
	gives 'a\n\xef\xbb\xbfb' 'a\n\xef\xbb\xbfb\n'
	gives '\xef\xbb\xbf' ''
	printf '\xef\xbb\xbfa\n' >1
	printf '\xef\xbb\xbf"b"' >2
	csvsplit 1 2 >got
	same got a b
}

@test "every other byte is data, in a quoted field every byte but the quote" {
	for ((i = 0; i < 256; i++)); do
		[ "$i" = 34 ] || printf "\\x$(printf %x $i)"
	done >all
	tr -d '\n\r,' <all >bare
	{ cat bare; printf ',"'; cat all; printf '"\n'; } >in
	{ cat bare; echo; cat all; echo; } >expected
	csvsplit in | cmp - expected
	csvsplit -O csv in | csvsplit | cmp - expected
}

@test "-S: leniency is an error with line, column and field, unequal width with both counts, after all output before it" {
	fails 'a,b\nc,d"e\n' 'a\nb\nc\nd' 'stdin: 2:4: quote in an unquoted field (the field begins at 2:3)' -S
	fails '"a\n\nb"c,d\n' 'a\n\nb' 'stdin: 3:3: text after a closing quote (the field begins at 1:1)' --strict
	fails 'a,b\rc\n' 'a\nb' 'stdin: 1:4: CR without LF' -S
	fails 'a\r' 'a' 'stdin: 1:2: CR without LF' -S
	fails 'a,b\nc"\n' '["a","b"]\n' 'stdin: 2:2: quote in an unquoted field (the field begins at 2:1)' -S -O json
	fails 'ab,cd"e\n' 'ab\0' 'stdin: 1:6: quote in an unquoted field (the field begins at 1:4)' -S -O nul
	gives '"a""b",\r\n"c\rd",\r\n' 'a"b\n\nc\rd\n\n' -S
	gives 'a,b\nc,\r\nd,e' 'a\nb\nc\n\nd\ne\n' -S
	fails 'a,b\n"c\n"\nd,e\n' 'a,b\n"c\n' 'stdin: line 2: 1 field, but 2 in the first record' -S -O csv
	fails 'a\nb\nc,\n' 'a\nb\nc\n' 'stdin: line 3: 2 fields, but 1 in the first record' -S
	fails 'a,b\nc,d,e' '["a","b"]\n' 'stdin: line 2: 3 fields, but 2 in the first record' -S -O json
	fails 'a,b,c\n1,2\n' '1\n' 'stdin: line 2: 2 fields, but 3 in the first record' -S -f a
	fails 'a,b,c\n1,2\n' 'a\0001\0' 'stdin: line 2: 2 fields, but 3 in the first record' -S -f 1 -O nul
	fails "a,b\nc\n$(printf %58s),d\n" 'a\nc' 'stdin: line 2: 1 field, but 2 in the first record' -S -f 1 # ends after a block
	fails 'a,b\n1,"2' 'a\nb\n1\n2\n' 'stdin: line 2: quote never closed' -S
	printf '1,2\n3,4' >1
	printf '5\n6\n' >2
	csvsplit -S 1 2 1 | tr '\n' ' ' >got
	printf '1 2 3 4 5 6 1 2 3 4 ' | cmp - got
}

@test "a quote that is never closed: all input is written, then the line of the quote is reported" {
	fails 'a\nb,"c,\n\nd\n' 'a\nb\nc,\n\nd\n\n' 'stdin: line 2: quote never closed'
	fails '"' '\n' 'stdin: line 1: quote never closed'
	fails 'a,"b' '["a","b"]\n' 'stdin: line 1: quote never closed' -O json
	fails 'a,"b' 'a\0b\0' 'stdin: line 1: quote never closed' -O nul
	fails 'x,y\n"a\n' 'x,y\n"a\n",\n' 'stdin: line 2: quote never closed' -O csv -f 1,2
}

@test "-Q: each delimiter splits; -d and -q: any byte but CR and LF" {
	gives '"a,b",c\r\n"d' '"a\nb"\nc\n"d\n' -Q
	gives 'a,\n,' 'a\n\n\n\n' --no-quotes
	gives '"a,b"\n' '"""a","b"""\n' -Q -O csv
	gives 'a;b;"c;d"' 'a\nb\nc;d\n' -d ';'
	gives 'a\tb\t"c\td"' 'a\nb\nc\td\n' -d '\t'
	gives 'a\0b' 'a\nb\n' --delimiter '\0'
	gives 'a\xfeb' 'a\nb\n' -d '\xfE'
	gives "'a,b','c''d',\"e\"" "a,b\nc'd\n\"e\"\n" -q "'"
	gives 'a\\b' 'a\nb\n' -d '\'
	gives 'a;b;"c;d,"' 'a,b,"c;d,"\n' -d ';' -O csv
	gives 'a,b' 'a\nb\n' --quote '\x27'
}

@test "-I tsv reads the output of -O tsv, at any cut" {
	gives 'a\\tb\tc\\nd\\re\\\\f\t\n' '["a\\tb","c\\nd\\re\\\\f",""]\n' -I tsv -O json
	gives '\n\t\r\n"a,b"\r\r\nc' '[""]\n["",""]\n["\\"a,b\\"\\r"]\n["c"]\n' -I tsv -O json
	gives 'a\\xb\\\t\\\r\n\\' '["a\\\\xb\\\\","\\\\"]\n["\\\\"]\n' -I tsv -O json
	gives '\xef\xbb\xbfa\n' '"\xef\xbb\xbfa"\n' -I tsv -O csv
	gives 'a\\tb\n' 'a\tb\n' --input tsv
	gives 'a\\tb\tc\\\\\n' 'a\tb\0c\\\0' -I tsv -O nul
	gives 'a\\tb\tc\n1\t2\n' '2\n' -I tsv -f c
	gives 'a\\tb\tc\\n\n' 'c\n\na\tb\n' -I tsv -f 2,1
	gives 'a,b\n' 'b\n' -I csv -f 2
	fails 'a\tb\\xc\n' 'a\tb' 'stdin: 1:4: unknown escape' -I tsv -S -O tsv
	fails 'a\tb\nc\td\\' '["a","b"]\n' 'stdin: 2:4: unknown escape' -I tsv -S -O json
	fails 'a\rb' 'a' 'stdin: 1:2: CR without LF' -I tsv -S
	fails 'a\\nb\tc\nd\n' 'a\nb\nc\nd' 'stdin: line 2: 1 field, but 2 in the first record' -I tsv -S
}

@test "-e: the byte after the escape is data, in quotes and outside" {
	json() { gives "$1" "$2" -O json "${@:3}"; }
	json '"a\\"b\\\\",c\\,d\n' '["a\\"b\\\\","c,d"]\n' -e '\'
	json '"a""\\"b"\n' '["a\\"\\"b"]\n' -e '\'
	json 'a\\\nb\\\r\n"c\\\n\\\r\nd"\n' '["a\\nb\\r"]\n["c\\n\\r\\nd"]\n' -e '\'
	json '\\"a",b\n"a"\\"b",c\n' '["\\"a\\"","b"]\n["a\\"b\\"","c"]\n' --escape '\'
	json '\\N,\\\\N,\\' '["N","\\\\N","\\\\"]\n' -e '\'
	json '^"a^,b^^\n' '["\\"a,b^"]\n' -e '^'
	json '"a\0"b\0\0"\n' '["a\\"b\\u0000"]\n' -e '\0'
	json '"a\\",b"\n' '["\\"a\\\\\\"","b\\""]\n' -Qe '^'
	json '"a^,b"\n' '["\\"a,b\\""]\n' -Qe '^'
	gives 'a\\,b,"c\\\n"' 'a,b\nc\n\n' -e '\'
	gives 'a\\,b,"c\\"d"' 'a,b\0c"d\0' -e '\' -O nul
	gives 'a\\,b\\\n,"c\\"d"' '"a,b\n","c""d"\n' -e '\' -O csv
	fails 'a,"b\\' 'a\nb\\\n' 'stdin: line 1: quote never closed' -e '\'
	for bad in '\\N' '\\0' '"\\n"' '\\'; do
		[ "$bad" != '"\\n"' ] && at=3 || at=4
		fails "x,$bad" 'x\n' "stdin: 1:$at: escape before a letter, a digit or the end" -S -e '\'
	done
	fails '"a"\\"' 'a' 'stdin: 1:4: text after a closing quote (the field begins at 1:1)' -S -e '\'
	gives '"\\"",\\,,\\\\,\\-,\\\xe9' '"\n,\n\\\n-\n\xe9\n' -S -e '\'
}

@test "-B: an empty line is not counted as a record" {
	local blanks='\n\r\n\n'
	gives "${blanks}a,b\n${blanks}1,2${blanks}" '1\n2\n' -B -H
	gives "${blanks}a,b\n${blanks}1,2${blanks}" 'a,b\n1,2\n' --skip-blank -O csv
	gives "${blanks}a,b\n${blanks}1,2${blanks}" '{"a":"1","b":"2"}\n' -B -H -O json
	gives "${blanks}a,b\n${blanks}1,2\n${blanks}\"\"\n \n" 'b\ta\n2\t1\n\t\n\t \n' -B -H -f 2,1 -O tsv
	gives "${blanks}a,b\n${blanks}1,2${blanks}" 'a\nb\n1\n2\n' -BS
	gives "${blanks}a\tb\n${blanks}\\\\n\t2${blanks}" 'a,b\n"\n",2\n' -B -I tsv -O csv
	gives "\n\"a\n\n\"\n\n" 'a\n\n\n' -B
	gives "$blanks" '' -B
	gives "$blanks" '' -B -O csv
	fails "$blanks" '' 'stdin: no header' -B -f a
	fails "${blanks}a,b\n${blanks}1\n" 'a\nb\n1' 'stdin: line 8: 1 field, but 2 in the first record' -BS
	fails "${blanks}a,b\n\n\n\xff\n" '["a","b"]\n' 'stdin: line 7: not UTF-8, which JSON requires (--replace writes U+FFFD)' -B -O json
	fails "${blanks}a\"\n" 'a' 'stdin: 4:2: quote in an unquoted field (the field begins at 4:1)' -BS
	fails "${blanks}a\rb\n" 'a\rb\n' "stdin: CR alone does not end a record (tr '\\r' '\\n')" -B
}

# Windows end after 16384 and 131072 bytes. X is the data before each sequence; it adds only itself to
# the output, in CSV perhaps with quotes.
@test "sequences that the end of a window divides are those of a short input, and an error has its line and column" {
	local n x options text message
	for n in 62 63 16379 16380 16381 16382 16383 16384 131070 131071; do
		x=$(head -c "$n" /dev/zero | tr '\0' x)
		while read -r options text; do
			printf "${text/X/}" | csvsplit -O ${options//:/ } >want
			printf "${text/X/$x}" | csvsplit -O ${options//:/ } | sed 's/^"\(x*y\)"$/\1/' | cmp - <(printf %s "$x"; cat want) || { echo "$n, $options: $text"; return 1; }
		done <<-'END'
			tsv:-Itsv X\\t\\\\
			tsv:-Itsv X\\\\\\n
			tsv:-Itsv X\\\t\\
			tsv:-Itsv X\\r\n
			tsv:-e\ X\\,b
			tsv:-e\ X\\,\\\\,
			tsv:-e\ "X\\"\\""
			tsv:-e\ X\\\n\\\r\n
			csv:-B Xy\n\n\r\n\n\xff
			csv:-BS Xy\n\n\r\n\n\xff
			csv:-B:-f~1 Xy\n\n\r\n\n\xff
		END
		while IFS='|' read -r options text message; do
			run --separate-stderr csvsplit $options < <(printf "${text//X/$x}")
			[ "$status $stderr" = "1 csvsplit: stdin: ${message/X/$((n + 2))}" ] || { echo "$n, $options: $stderr"; return 1; }
		done <<-'END'
			|"X\n"b\rX,2\n|CR alone does not end a record (tr '\r' '\n')
			-S|a,"\nX\nX"z|3:X: text after a closing quote (the field begins at 1:3)
			-S|Xa"|1:X: quote in an unquoted field (the field begins at 1:1)
			-S -f 1|a,X\nb,X\nc\n|line 3: 1 field, but 2 in the first record
			-BS|X\n\n\r\n\na,b|line 5: 2 fields, but 1 in the first record
			-B -O json|X\n\n\r\n\n\xff|line 5: not UTF-8, which JSON requires (--replace writes U+FFFD)
		END
	done
}

@test "-D: another delimiter in CSV, and quotes around fields that contain it" {
	gives 'a,"b;c","d,e",f\n' 'a;"b;c";d,e;f\n' -O csv -D ';'
	gives 'a;"b;c";"d,e"\n' 'a;"b;c";d,e\n' -d ';' -O csv --output-delimiter ';'
	gives 'a,"b\tc"\n' 'a\t"b\tc"\n' -O csv -D '\t'
	gives 'a,"b\0c",\n' 'a\0"b\0c"\0\n' -O csv -D '\0'
	gives 'a,x\n\n,\n' '"x"xa\nx\nx\n' -O csv -D x -f 2,1
}

@test "--headerless: csv and tsv without the header" {
	gives 'a,b\n1,2\n' '1,2\n' -H --headerless -O csv
	gives 'a,b\n1,2\n' '2\t1\n' -f b,a --headerless -O tsv
	printf 'a,b\n1,2\n' >1
	printf 'b,a\n3,4\n' >2
	csvsplit --headerless -f a -O csv 1 2 1 >got
	same got 1 4 1
	run --separate-stderr csvsplit --headerless -H -O csv 1 2
	[ "$stderr" = 'csvsplit: 2: header differs from that of 1 (-f NAME,... selects fields by name)' ]
}

@test "-f: header names; the list is itself a CSV record, in which a quoted item is always a name" {
	csvsplit -f email,name people.csv >got
	same got a@x 'A, "B"' d e C
	csvsplit -f '"last, first",1' -O tsv people.csv >got
	same got $'last, first\tname' $'1\tA, "B"' $'\tC'
	gives '12,"a ""b"""\n1,2\n' '2\n' -f '"a ""b"""'
	gives 'a,,b\n1,2,3\n' '3\n2\n' -f 'b,""'
	local years='2000,2-3,,~1,"a ""b"""\nA,B,C,D,E\n'
	gives "$years" 'B\nA\n' -f '"2-3",1'
	gives "$years" 'C\n' -f '""'
	gives "$years" 'D\nE\n' -f '"~1",~1'
	gives "$years" 'C\nD\nE\n' -x -f '"2000","2-3"'
	gives "$years" 'A\n' -f $'\xef\xbb\xbf"2000"'
	has="the header has 5 fields: '2000', '2-3', '', '~1', 'a \"b\"'"
	fails "$years" '' "stdin: no field is named '1': $has" -f '1,"1"'
	fails '1"2,3\n' '' "stdin: no field is named '1\"': the header has 2 fields: '1\"2', '3'" -f '1"'
	long=$(head -c 16383 /dev/zero | tr '\0' x)
	printf '2000,%s\n1,2\n' "$long" >in
	csvsplit -f "$long,\"2000\",2" in >got
	same got 2 1 2
	csvsplit -f "\"$long\",\"2000\",1" in >got
	same got 2 1 1
}

@test "-f: names are looked up in the header of each file" {
	printf 'a,b\n1,2\n' >1
	printf 'b,c,a\n4,5,3\n' >2
	csvsplit -f a,b -O csv 1 2 >got
	same got a,b 1,2 3,4
	csvsplit -f b 1 2 >got
	same got 2 4
	csvsplit -H -O json 1 2 >got
	same got '{"a":"1","b":"2"}' '{"b":"4","c":"5","a":"3"}'
}

@test "-f: names that the header lacks are reported with a hint at the cause, positions beyond it with the spelling of the name" {
	fails 'a,b\n1,2\n' '' "stdin: no field is named 'c': the header has 2 fields: 'a', 'b'" -f a,c
	fails '' '' 'stdin: no header' -f a
	fails 'a\n' '' "stdin: no field is named '\\x1b[31mx': the header has 1 field: 'a'" -f "$esc[31mx"
	fails "$(seq -s , 99)\n" '' "stdin: no field is named 'x': the header has 99 fields: '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '17', '18', '19', '20', '21', '22', '23', '24', ..." -f x
	printf 'a\n1\n' >1
	printf 'b\n2\n' >2
	run -1 --separate-stderr csvsplit -f a 1 2
	[ "$output" = 1 ]
	[ "$stderr" = "csvsplit: 2: no field is named 'a': the header has 1 field: 'b'" ]
	not() {
		printf "$1" >in
		run --separate-stderr csvsplit "${@:3}" in
		[[ $status = 1 && $stderr == "csvsplit: in: no field is named 'b': the header has "*"' ($2)" ]] || { echo "$stderr"; return 1; }
	}
	not 'a;b;"c, d"\n' "perhaps -d ';'" -f b
	not 'a\tb\n' "perhaps -d '\t'" -f b
	not 'a,b\n' "perhaps -d ','" -f b -d '|'
	not 'sep=;\na;b\n' "skip the line 'sep=': tail -n +2, then -d ';'" -f b
	not 'SEP=,\na,b\n' "skip the line 'sep=': tail -n +2" -f b
	not '\xff\xfea\0,\0b\0\n\0' "UTF-16: iconv -f UTF-16 -t UTF-8" -f b
	not '\xfe\xff\0a\0;\0b\0\n' "UTF-16: iconv -f UTF-16 -t UTF-8" -f b
	beyond() {
		fails "$1" "$2" "stdin: position $3 is beyond the header, which has a field of that name (-f '\"$3\"')" "${@:4}"
	}
	beyond 'sex,18-24\nm,1\n' '' 18-24 -f sex,18-24
	beyond '2019,2020\n1,2\n' '' 2020 -H -f 1,2020 -O json
	beyond 'a,2020-01\n1,2\n' '' 2020-01 -x -f 2020-01,a
	beyond '~3,a\n1,2\n' '' '~3' -f 'a,~3'
	gives 'a,1\n1,2\n' '1\n' -H -f 1
	gives 'sex,18-24\nm,1\n' 'm\n1\n' -f 'sex,"18-24"'
}

@test "-x: all other fields, in the order of the record" {
	gives 'a,b,c,d\n' 'b\nd\n' -x -f 3,1
	gives 'a,b,c,d\n' 'a,b,c\n' --complement -f '~1' -O csv
	gives 'a,b\n1,2\n' '2\n' -xf a
	gives 'a,b\n' '' -xf 1-
	gives 'a,b\n1,2\n' '{"b":"2"}\n' -xf a -O json
}

@test "-H: the header is keys in json, first in csv and tsv, and not in lines and nul" {
	gives 'a,b\n1,2\n' '1\n2\n' -H
	gives 'a,b\n1,2\n' '1\0002\000' -H -O nul
	gives 'a,b\n1,2\n' 'a,b\n1,2\n' --header -O csv
	gives 'a,b\n1,2\n' 'b\ta\n2\t1\n' -H -O tsv -f 2,1
	gives 'a,b\n1,2\n' '{"a":"1","b":"2"}\n' -H -O json
	gives 'a,b\n1,2,3\n4\n' '{"a":"1","b":"2","3":"3"}\n{"a":"4"}\n' -H -O json
	gives 'a,b\n1\n' '{"b":"","~5":"","a":"1"}\n' -H -O json -f '2,~5,1'
	gives 'a,b' '' -H
	gives '' '' -H -O json
	printf 'a\n1\n' >1
	csvsplit -H -O csv 1 1 >got
	same got a 1 1
}

@test "-H: a later header with other names is refused" {
	printf 'a,b\n1,2\n' >1
	printf 'b,a\n3,4\n' >2
	printf 'a,b,c\n5,6,7\n' >3
	differs() {
		printf "$3" >expected
		run --separate-stderr csvsplit -H "${@:4}" 1 "$1" 1
		[[ $status = 1 && $stderr == "csvsplit: $1: header differs from that of 1 (-f NAME,... selects fields by name)" ]]
		[ "$output" = "$(printf "$2")" ]
	}
	differs 2 '1\n2' ''
	differs 3 'a,b\n1,2' '' -O csv
	differs 2 'a\tb\n1\t2' '' -O tsv
	differs 2 '1' '' -f 1
	differs 3 'b,a\n2,1' '' -O csv -f '~1,1'
	differs 3 'b\n2' '' -O csv -x -f a
	differs 3 'a,\n1,' '' -O csv -f 1,3
	csvsplit -f b,a -O csv 1 2 3 >got
	same got b,a 2,1 3,4 6,5
	csvsplit -H -f 1-2 1 3 >got
	same got 1 2 5 6
	csvsplit -x -f a 1 2 >got
	same got 2 3
	csvsplit -H -O json 1 2 >got
	same got '{"a":"1","b":"2"}' '{"b":"3","a":"4"}'
}

@test "-H -O json: a field beyond the header has a key that no other field has" {
	gives 'a,3,3_2\n1,2,3,4\n5,6\n' '{"a":"1","3":"2","3_2":"3","4":"4"}\n{"a":"5","3":"6"}\n' -H -O json
	gives '5,5_3,6,6_2\n1,2,3,4,x,y\n' '{"5":"1","5_3":"2","6":"3","6_2":"4","5_2":"x","6_3":"y"}\n' -H -O json
	gives '~5,a\n1\n' '{"~5":"1","~5_2":""}\n' -H -O json -f '1,~5-~5'
	gives 'a,a\n1,2,3\n' '{"a":"1","a":"2","3":"3"}\n' -H -O json
	holds 66 '5,6\n' -H -O json
}

@test "-O nul: for xargs -0; a NUL in a field is refused, after the fields before it" {
	gives 'a,"b\n",\n' 'a\0b\n\0\0' -O nul
	csvsplit -O nul people.csv | xargs -0 printf '[%s]' >got
	printf '[name][email][last, first][A, "B"][a@x][1][C][d\ne][]' | cmp - got
	fails 'a,b\nc\0d,e\n' 'a\0b\0' 'stdin: line 2: NUL in a field, which --format nul cannot write' -O nul
	fails 'a,c\0d\n' 'a\0' 'stdin: line 1: NUL in a field, which --format nul cannot write' -O nul -f 1,2
	fails 'a,c\0d\n' '' 'stdin: line 1: NUL in a field, which --format nul cannot write' -O nul -f 2,1
	gives 'a\0b\0' 'a\0b\0\0' -O nul -d '\0'
}

@test "-O tsv: a record per line, with escapes; -O csv: fields are quoted if needed" {
	gives '"a\tb","c\nd","e\rf\\",\0\n' 'a\\tb\tc\\nd\te\\rf\\\\\t\0\n' -O tsv
	gives '\n,\n' '\n\t\n' -O tsv
	gives '"a","b,c","d""e","f\ng","h\ri",j\r\n' 'a,"b,c","d""e","f\ng","h\ri",j\n' -O csv
	gives 'a"b\n' '"a""b"\n' -O csv
	gives '\na\n' '""\na\n' -O csv
	gives 'a\n\nb,c\n' '""\n""\nc\n' -O csv -x -f 1
	gives 'a\nbc,d,e\n' '""\ne\n' -O csv -f 3-
	gives 'a\nb,c\n' '""\nc\n' -O csv -f ~1-2
	gives ' a , b \n,\n' ' a , b \n,\n' -O csv
	gives 'a\nb,c,d,e,f\n' 'a,,\nb,d,e\n' -O csv -f 1,3-4
	gives '\n' '\t\t\n' -O tsv -f 1,3-4
	# A byte order mark that is data at the beginning of the output; later and long records are copied in bulk.
	local bom='\xef\xbb\xbf' long=1234567,1234567,1234567,1234567,1234567,1234567,1234567,1234567,1234567
	gives "$bom${bom}a\nb\n" "\"${bom}a\"\nb\n" -O csv
	gives "$bom${bom}a,$long\n" "\"${bom}a\",$long\n" -O csv
	gives "\"$bom\"\n$long\n" "\"$bom\"\n$long\n" -O csv
	gives "a\n${bom}b\n" "a\n${bom}b\n" -O csv
}

@test "-O json: invalid UTF-8 is refused with its line, or replaced" {
	gives 'a,\xc3\xa9,"\\""",\x01\n' '["a","\xc3\xa9","\\\\\\"","\\u0001"]\n' -O json
	gives '"\b\f\n\r\t\x01\x1f\\/\x7f"' '["\\b\\f\\n\\r\\t\\u0001\\u001f\\\\/\x7f"]\n' -O json
	why='not UTF-8, which JSON requires (--replace writes U+FFFD)'
	fails 'a\n"b\n",\xff\n' '["a"]\n' "stdin: line 2: $why" -O json
	fails 'a\xc3,\xa9b\n' '' "stdin: line 1: $why" -O json
	fails '\xff\nb\n' '' "stdin: line 1: $why" -O json -H
	gives 'a\xff,\xe2\x82\n' '["a\xef\xbf\xbd","\xef\xbf\xbd"]\n' -O json --replace
	gives '\xf0\x9f\x98\xf0\x9f\x98\x80,\xe2\x82a\xc0' '["\xef\xbf\xbd\xf0\x9f\x98\x80","\xef\xbf\xbda\xef\xbf\xbd"]\n' -O json --replace
	gives '\xff\nb\n' '{"\xef\xbf\xbd":"b"}\n' -O json -H --replace
	gives '\xff,b\n' '["b"]\n' -O json -f 2
}

@test "--max-record: a limit for held records only, which counts each byte, and 8 for each field" {
	head -c 300000 /dev/zero | tr '\0' a >long
	reports 1 'csvsplit: long: line 1: record is larger than 102400 bytes (--max-record)' csvsplit -O json --max-record 100k long
	csvsplit -O csv --max-record 1 long | cmp - <(printf '"%s"\n' "$(cat long)")
	csvsplit -O json --max-record 1M long >got
	cmp got <(printf '["%s"]\n' "$(cat long)")
	(echo a,b && head -c 200000 /dev/zero | tr '\0' ,) >many
	run -0 --separate-stderr csvsplit -f 2,1 -O csv --max-record 1M many
	reports 1 'csvsplit: many: line 2: record is larger than 1048576 bytes (--max-record)' csvsplit -f '~1' --max-record 1M many
	holds 27 'aaaaaaaaaa,b\n' -O json
	holds 27 '\n"aaaaaaaaaa","b"' -O json
	holds 27 'x,y\naaaaaaaaaa,b,c\n' -O csv -f 2,1
	holds 8 '\n\n' -O json
	holds 17 'a,' -f '~1'
	holds 18 'a,b\n' -H
	holds 19 'a\nab,c,d\n' -O tsv -f 2,1,1
	reports 1 'csvsplit: stdin: line 1: record is larger than 17 bytes (--max-record)' csvsplit -f b,a --max-record 17 <<<'a,b'
	fails 'a\nbb\nc\n' '["a"]\n' 'stdin: line 2: record is larger than 9 bytes (--max-record)' -O json --max-record 9
	for size in 7 8 70000; do
		fails "$(cat long)" '' "stdin: line 1: record is larger than $size bytes (--max-record)" -O json --max-record "$size"
	done
	holds 131080 "$(head -c 131072 long)" -O json
	holds 160000 "$(head -c 19999 /dev/zero | tr '\0' ,)" -O json
}

@test "--progress: size, rate and share of the files; that of stdin is its rest, counted once" {
	head -c 2097152 /dev/zero | tr '\0' , >in
	csvsplit --progress in >/dev/null 2>err
	grep -qxE 'csvsplit: 2\.0 MiB, 100%, [0-9.]+ MiB/s' err
	cat in | csvsplit --progress 2>err | wc -c
	grep -qxE 'csvsplit: 2\.0 MiB, [0-9.]+ MiB/s' err
	csvsplit in 2>err >/dev/null
	[ ! -s err ]
	shares() { grep -qxE "csvsplit: $1 MiB, 100%, [0-9.]+ MiB/s" err || { cat err; return 1; }; }
	{ head -c 1048576 >/dev/null; csvsplit --progress >/dev/null 2>err; } <in
	shares 1.0
	csvsplit --progress - - <in >/dev/null 2>err
	shares 2.0
	{ head -c 1048576 >/dev/null; csvsplit --progress in - in - >/dev/null 2>err; } <in
	shares 5.0
	{ cat >/dev/null; csvsplit --progress in >/dev/null 2>err; } <in
	shares 2.0
	# After the end of the file, and for an empty rest, there is no percentage.
	{ cat >/dev/null; csvsplit --progress >/dev/null 2>err; } <in
	grep -qxE "csvsplit: 0.0 MiB, [0-9.]+ MiB/s" err
}

@test "several files are split one by one, - is stdin; one that cannot be read is reported, exit 1" {
	printf 'a,b' >1
	printf '"c\n' >2
	printf 'd' | csvsplit 1 - 1 >got
	same got a b d a b
	run -1 --separate-stderr csvsplit 1 2 1
	[ "$stderr" = 'csvsplit: 2: line 1: quote never closed' ]
	[ "$output" = $'a\nb\nc' ]
	run -1 --separate-stderr csvsplit missing . 1
	[ "$output" = $'a\nb' ]
	[ "${stderr_lines[0]}" = 'csvsplit: missing: No such file or directory' ]
	[ "${stderr_lines[1]}" = 'csvsplit: .: read: Is a directory' ]
}

@test "a file without a header is reported once, the others are split, exit 1" {
	printf 'a,b\n1,2\n' >1
	printf 'a,b\n3,4\n' >2
	: >none
	for options in "-f a" "-f a -O csv" "-f b,a -O tsv" "-f a -O json"; do
		csvsplit $options 1 2 >expected
		for other in none . missing; do
			run -1 --separate-stderr csvsplit $options 1 "$other" 2
			[ "$output" = "$(cat expected)" ]
			case $other in
			none) [ "$stderr" = 'csvsplit: none: no header' ] ;;
			.) [ "$stderr" = 'csvsplit: .: read: Is a directory' ] ;;
			missing) [ "$stderr" = 'csvsplit: missing: No such file or directory' ] ;;
			esac
		done
	done
	csvsplit -H -O csv 1 none 2 >got
	same got a,b 1,2 3,4
}

# cuts_short TEXT OUTPUT [OPTION...]: after the text a read fails; only that is reported, and the next file is split.
cuts_short() {
	printf "$1" >cut
	printf "$2" >expected
	shift 2
	status=0
	strace -o trace -P cut -e inject=read:error=EIO:when=2 csvsplit "$@" cut next >got 2>err || status=$?
	[ "$status" = 1 ]
	grep -v '^strace:' err >said
	[ "$(wc -l <said)" = 1 ]
	grep -qxE 'csvsplit: cut: read: (Input/output|I/O) error' said
	cmp got expected || { od -c got; return 1; }
}

@test "after a read error the end of the input is not an error of its own" {
	need strace
	export LSAN_OPTIONS=detect_leaks=0
	printf 'ab,c\n1,2\n' >next
	cuts_short 'a' '1\n' -f ab
	cuts_short 'ab,c\n3,4\n5' '3\n5\n1\n' -f ab
	cuts_short 'a' 'ab,c\n1,2\n' -H -O csv
	cuts_short 'a,"b' 'a\nb\nab\nc\n1\n2\n'
	cuts_short 'a\r' 'a\nab\nc\n1\n2\n' -S
	cuts_short 'a\n\xc3' '["a"]\n["ab","c"]\n["1","2"]\n' -O json
	cuts_short 'a\nb' '["a"]\n["b"]\n["ab","c"]\n["1","2"]\n' -O json
}

@test "it ends when its output is closed" {
	run bash -c 'yes a,b,c | timeout 20 csvsplit | head -n 1'
	[ "$output" = a ]
	run bash -c 'trap "" PIPE; yes a,b,c 2>/dev/null | timeout 20 csvsplit 2>err | head -n 1; echo "${PIPESTATUS[1]}"'
	[ "$output" = $'a\n1' ]
	same err 'csvsplit: stdout: Broken pipe'
}

@test "nothing is held while it waits for input" {
	for format in lines tsv csv json; do
		mkfifo in."$format" out."$format"
		csvsplit -O "$format" <in."$format" >out."$format" 3>&- &
		pids+=("$!")
		exec 8>in."$format" 9<out."$format"
		printf 'a,"b"\nc' >&8
		case $format in
		lines) read -rt 20 -u 9 line && [ "$line" = a ] && read -rt 20 -u 9 line && [ "$line" = b ] ;;
		tsv) read -rt 20 -u 9 line && [ "$line" = $'a\tb' ] ;;
		csv) read -rt 20 -u 9 line && [ "$line" = a,b ] ;;
		json) read -rt 20 -u 9 line && [ "$line" = '["a","b"]' ] ;;
		esac
		# A part of a field too, if the format allows it.
		[ "$format" != lines ] || { read -rt 20 -N 1 -u 9 line && [ "$line" = c ]; }
		exec 8>&-
		cat <&9 >rest
		exec 9<&-
		[ -s rest ]
	done
}

@test "large input is written in large pieces, and a pipe as stdout is widened to 1 MiB" {
	need strace
	export LSAN_OPTIONS=detect_leaks=0
	yes 'some,fields,"of text"' | head -n 100000 >in
	strace -o trace -e trace=write csvsplit in >/dev/null
	[ "$(grep -c '^write(1' trace)" -le 20 ]
	strace -o trace -e trace=write csvsplit -f 1,3 in >/dev/null
	[ "$(grep -c '^write(1' trace)" -le 20 ]
	echo a | strace -o trace -e trace=fcntl csvsplit | cat
	grep -q 'F_SETPIPE_SZ, 1048576' trace
	when=$(grep fcntl trace | grep -n F_SETPIPE_SZ | cut -d : -f 1)
	echo a | strace -o trace -e "inject=fcntl:error=EPERM:when=$when" csvsplit | cat >got
	grep -q 'F_SETPIPE_SZ, 1048576.*EPERM' trace
	same got a
}

@test "however the input arrives, the output is the same" {
	for ((i = 0; i < 300; i++)); do
		printf '%s,"%s\r\n""%s",,%s\r\n' "$i" "$RANDOM" "$i" 'a"b'
	done >in
	for options in "" "-O nul" "-O tsv" "-O csv" "-O json" "-f 2,4" "-f ~1,2 -O csv" "-H -O json" "-S -O tsv"; do
		csvsplit $options in >whole 2>err.whole || true
		dd if=in bs=1 status=none | csvsplit $options >bytes 2>err.bytes || true
		dd if=in bs=61 status=none | csvsplit $options >some 2>err.some || true
		cmp whole bytes
		cmp whole some
		cmp <(sed s/in:/stdin:/ err.whole) err.bytes
		cmp err.some err.bytes
	done
}

@test "non-blocking descriptors work" {
	yes 'some,fields,"of text"' | head -n 200000 >in
	csvsplit in >expected
	(cat in) | "$TOOLS/nonblocking" csvsplit | (sleep 0.2 && cat) >got
	cmp got expected
}

@test "constant memory: a field of 200 MB in lines, nul, tsv and csv" {
	echo a | prlimit --as=67108864 csvsplit || skip "this build needs more address space to start"
	for options in '-O lines' '-O nul' '-O tsv' '-O csv' '-f 1 -O lines' '-f 1 -O nul' '-f 1 -O tsv' '-f 1 -O csv'; do
		prlimit --as=67108864 csvsplit $options < <(head -c 200000000 /dev/zero | tr '\0' x) | tr -d '"\n\0' | wc -c >count
		same count 200000000
	done
	prlimit --as=67108864 csvsplit < <(head -c 200000000 /dev/zero | tr '\0' ,) | wc -c >count
	same count 200000001
	run -1 --separate-stderr prlimit --as=67108864 csvsplit -O json < <(head -c 200000000 /dev/zero | tr '\0' x)
	[ -z "$output" ]
}

# CPU time: if it were quadratic in the size, it would be sixteen times as long.
@test "four times the input takes four times the work, for any quotes" {
	local pattern n took=()
	for pattern in '"' '","' '"a"b,' '""",'; do
		yes "$pattern" | tr -d '\n' | head -c 64000000 >long
		took=()
		for n in 16000000 64000000; do
			TIMEFORMAT='%U %S'
			{ time head -c "$n" long | csvsplit >/dev/null 2>&1; } 2>time || true
			took+=("$(awk '{ print int(($1 + $2) * 1000) }' time)")
		done
		echo "$pattern: ${took[*]} ms"
		((took[1] <= 8 * took[0] + 100))
	done
}

@test "no memory: reported, exit 1" {
	echo a | prlimit --as=67108864 csvsplit || skip "this build needs more address space to start"
	head -c 50000000 /dev/zero | tr '\0' x >long
	run -1 --separate-stderr prlimit --as=33554432 csvsplit -O json --max-record 1G long
	[[ $stderr == 'csvsplit: no memory for a record: '* ]]
}

@test "the examples of the manual work" {
	local n
	# Each display block of the page is commands, each followed by its output; the last command does not end.
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE ALSO/p' "$BATS_TEST_DIRNAME/../man/csvsplit.1" | sed 's/\\e/\\/g; s/\\&//g' |
		awk '/^\.Bd/ { on = 1; n++; next } /^\.Ed/ { on = 0 } on { print (n % 2 ? "           " : "") $0 >("example" n) }'
	[ "$(echo example* | wc -w)" = 17 ]
	for n in 1 3 5 7 9 11 13 15; do
		bash example$n >got 2>&1 || true
		cmp got example$((n + 1))
	done
	yes a,b | head -n 2 >log.csv
	sed 's/tail[^|]*|/cat log.csv |/' example17 | bash >got
	same got b b
}
