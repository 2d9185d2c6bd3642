#compdef portscan-bind portscan-connect tcpaccept proxyhead tcpecho csvsplit wsupgrade wsframe wsserve wshub

# zsh completion for fittings. Options come from each program's --help, so they
# are those of the installed program. The words after a program's options are
# completed as another command line, for chains of any length.

# The candidates for a value: the end of an _arguments specification.
_fittings_value() {
	case "$1 $2 $3" in
	(*' FILE') REPLY='file:_files' ;;
	(*' PROGRAM') REPLY='program:_command_names -e' ;;
	(*' --input '*) REPLY='format:(csv tsv)' ;;
	(*' FORMAT') REPLY='format:(lines nul tsv csv json)' ;;
	(*' --host '*) REPLY='host:_hosts' ;;
	(*' ADDR') REPLY='address:(127.0.0.1 \:\:1 0.0.0.0 \:\:)' ;;
	('portscan-bind --ports '*) REPLY='ports:(9000-9998 8080 0)' ;;
	(*' --ports '*) REPLY='ports:(9000-9998 8080)' ;;
	(*' URL') REPLY='URL:(ws\://localhost/)' ;;
	(*' ORIGIN') REPLY='origin:(null http\://localhost https\://localhost)' ;;
	(*' --path '*) REPLY='path:(/)' ;;
	(*' --quiet-time '*) REPLY='time:(0 1s never)' ;;
	(*) REPLY=${(L)3}: ;;
	esac
}

# The name of the next program, then its words as another command line.
_fittings_next() {
	if (( CURRENT == 1 )); then
		_command_names -e
	else
		_normal
	fi
}

_fittings() {
	local name=${words[1]:t} line short long value help also REPLY
	local row='^ +((-.), )?--([a-z0-9-]+)( ([A-Z]+))?  +(.*)$'
	local -a specs match mbegin mend

	for line in "${(@f)$(_call_program options ${(q)words[1]} --help 2>/dev/null)}"; do
		[[ $line =~ $row ]] || continue
		short=$match[2] long=--$match[3] value=$match[5] help=${match[6]//(#m)[]\\:]/\\$MATCH}
		also="(${short:+$short }$long)"
		# Options that may be repeated.
		case "$name $long" in
		(portscan-bind\ --address|ws*\ --(origin|host|protocol|path|header)) also='*' ;;
		esac
		if [[ -n $value ]]; then
			_fittings_value "$name" "$long" "$value"
			[[ -z $short ]] || specs+=("${also}${short}+[$help]:$REPLY")
			specs+=("${also}${long}=[$help]:$REPLY")
		else
			[[ -z $short ]] || specs+=("${also}${short}[$help]")
			specs+=("${also}${long}[$help]")
		fi
	done
	case $name in
	(csvsplit) specs+=('*:file:_files') ;;
	(tcpecho) ;;
	(*) specs+=('*:::program:_fittings_next') ;;
	esac
	_arguments -s -S -A '-*' $specs
}

_fittings "$@"
