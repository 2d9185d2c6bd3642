# bash completion for fittings. Options come from each program's --help, so they
# are those of the program that is installed. After a program's options the next
# program is completed, and then its options, for chains of any length.
# shellcheck shell=bash

declare -gA _fittings_known=() # the options of --help, by program as typed

# Reads the options of a program, one per line: short, long, value, help,
# separated by \x1f.
_fittings_learn() {
	local line row='^ +((-.), )?--([a-z0-9-]+)( ([A-Z]+))?  +(.*)$' rows=
	[[ ! ${_fittings_known[$1]-} ]] || return 0
	while IFS= read -r line; do
		[[ $line =~ $row ]] || continue
		rows+=${BASH_REMATCH[2]}$'\x1f'--${BASH_REMATCH[3]}$'\x1f'${BASH_REMATCH[5]}$'\x1f'${BASH_REMATCH[6]}$'\n'
	done < <("$1" --help 2>/dev/null)
	# An empty result is not kept: try again the next time.
	_fittings_known[$1]=$rows
}

# Sets words to the words up to the cursor, starts to the index of each in COMP_WORDS,
# and cword to the index of the last one. Readline also splits at = and : and these
# parts are joined again.
_fittings_words() {
	local i word blank line=${COMP_LINE:0:COMP_POINT}
	words=() starts=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		blank=${line%%[^[:blank:]]*}
		line=${line#"$blank"}
		word=${COMP_WORDS[i]}
		[[ $line == "$word"* ]] || word=$line
		line=${line#"$word"}
		if ((i == 0)) || [[ $blank ]]; then
			words+=("$word") starts+=("$i")
		else
			words[-1]+=$word
		fi
	done
	cword=$((${#words[@]} - 1))
}

# Returns 0 if the option (-x or --long) of a program takes a value. Sets long to its
# long name and value to the name of the value in --help.
_fittings_takes() {
	local short help
	while IFS=$'\x1f' read -r short long value help; do
		if [[ $2 == "$short" || $2 == "$long" ]]; then
			[[ $value ]]
			return
		fi
	done <<<"${_fittings_known[$1]}"
	return 1
}

# Sets reach to the number of words of an option: 1, or 2 if its value is the next word.
# long and value are those of the option that has the value.
_fittings_reach() {
	local i
	case $2 in
	--*=*) _fittings_takes "$1" "${2%%=*}" && reach=1 ;;
	--*) _fittings_takes "$1" "$2" && reach=2 ;;
	*)
		reach=1
		for ((i = 1; i < ${#2}; i++)); do
			_fittings_takes "$1" "-${2:i:1}" || continue
			inside=${2:0:i+1}
			[[ $i != $((${#2} - 1)) ]] || reach=2
			return 0
		done
		false
		;;
	esac
}

# Completes the value of --long, by its name in the help of PROGRAM. The text before
# the value in the same word is added in front of each candidate.
_fittings_value() {
	local cur=$4 before=${5-}
	case "$1 $2 $3" in
	*' FILE') _fittings_files "$cur" ;;
	*' PROGRAM') _fittings_commands "$cur" ;;
	*' --input '*) _fittings_among 'csv tsv' ;;
	*' FORMAT') _fittings_among 'lines nul tsv csv json' ;;
	*' --host '*) _fittings_among "localhost $(compgen -A hostname)" ;;
	*' ADDR') _fittings_among '127.0.0.1 ::1 0.0.0.0 ::' ;;
	'portscan-bind --ports '*) _fittings_among '9000-9998 8080 0' ;;
	*' --ports '*) _fittings_among '9000-9998 8080' ;;
	*' URL') _fittings_among 'ws://localhost/' ;;
	*' ORIGIN') _fittings_among 'null http://localhost https://localhost' ;;
	*' --path '*) _fittings_among '/' ;;
	*' --quiet-time '*) _fittings_among '0 1s never' ;;
	esac
	COMPREPLY=("${COMPREPLY[@]/#/$before}")
}

_fittings_among() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_fittings_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Programs for exec, without functions, aliases and keywords of the shell.
_fittings_commands() {
	if [[ $1 == */* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$1" | while IFS= read -r name; do
			[[ -x $name ]] && printf '%s\n' "$name"
		done)
	else
		mapfile -t COMPREPLY < <(compgen -c -- "$1" | grep -vxF "$(compgen -A function -A alias -A keyword)" | sort -u)
	fi
}

# Options that begin with the current word, with their help if bash lists them.
_fittings_options() {
	local short long value help name names=() notes=() width=0 i
	while IFS=$'\x1f' read -r short long value help; do
		for name in "$short" "$long"; do
			[[ $name && $name == "$2"* ]] || continue
			names+=("$name")
			notes+=("${value:+$value: }$help")
			((${#name} > width)) && width=${#name}
		done
	done <<<"${_fittings_known[$1]}"
	for ((i = 0; i < ${#names[@]}; i++)); do
		# 63, 33, 64: the candidates are listed (`?', `!', `@'), not inserted.
		if [[ ${#names[@]} -gt 1 && ${COMP_TYPE-} =~ ^(63|33|64)$ ]]; then
			printf -v names[i] '%-*s  (%s)' "$width" "${names[i]}" "${notes[i]}"
			names[i]=${names[i]:0:${COLUMNS:-80}}
		fi
	done
	COMPREPLY=("${names[@]}")
}

# Calls the completion of another program, as if the line began there.
_fittings_others() {
	local at=$1 spec function i
	for function in _comp_command_offset _command_offset; do
		if declare -F "$function" >/dev/null; then
			"$function" "$at"
			return
		fi
	done
	spec=$(complete -p -- "${COMP_WORDS[at]##*/}" 2>/dev/null)
	if [[ $spec =~ \ -F\ ([^\ ]+) ]]; then
		function=${BASH_REMATCH[1]}
		for ((i = 0; i < at; i++)); do
			COMP_LINE=${COMP_LINE#*"${COMP_WORDS[i]}"}
			COMP_POINT=$((COMP_POINT - ${#COMP_WORDS[i]}))
		done
		i=${COMP_LINE%%[^[:blank:]]*}
		COMP_LINE=${COMP_LINE#"$i"}
		COMP_WORDS=("${COMP_WORDS[@]:at}")
		COMP_CWORD=$((COMP_CWORD - at))
		COMP_POINT=${#COMP_LINE}
		"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		return
	fi
	_fittings_files "${words[cword]}"
}

# Completes the options of PROGRAM, which is word number I, their values, and the words that follow.
_fittings_program() {
	local i=$1 program=${words[$1]} cur=${words[cword]} long value reach inside='' plain=''
	local name=${program##*/}
	program=${program/#\~\//"$HOME/"}
	_fittings_learn "$program"
	for ((i++; i < cword; i += reach)); do
		reach=1
		[[ ${words[i]} == -?* ]] || break
		if [[ ${words[i]} == -- ]]; then
			((i++))
			plain=yes
			break
		fi
		if _fittings_reach "$program" "${words[i]}" && ((i + reach > cword)); then
			_fittings_value "$name" "$long" "$value" "$cur"
			return
		fi
	done
	if ((i < cword)); then
		_fittings_next "$i" "$name"
	elif [[ $cur == --*=* && ! $plain ]]; then
		! _fittings_takes "$program" "${cur%%=*}" \
			|| _fittings_value "$name" "$long" "$value" "${cur#*=}" "${cur%%=*}="
	elif [[ $cur == -* && ! $plain ]]; then
		_fittings_options "$program" "$cur"
		inside=''
		if [[ ${#COMPREPLY[@]} = 0 ]] && _fittings_reach "$program" "$cur" && [[ $inside ]]; then
			_fittings_value "$name" "$long" "$value" "${cur#"$inside"}" "$inside"
		fi
	elif [[ $name == csvsplit ]]; then
		_fittings_files "$cur"
	elif [[ $name != tcpecho ]]; then
		_fittings_commands "$cur"
	fi
}

# Completes the words after the options of a program: files, or the next program, word number I.
_fittings_next() {
	case $2:${words[$1]##*/} in
	csvsplit:*) _fittings_files "${words[cword]}" ;;
	tcpecho:*) ;;
	*:portscan-bind | *:portscan-connect | *:tcpaccept | *:proxyhead | *:tcpecho | *:csvsplit | *:wsupgrade | *:wsframe | *:wsserve | *:wshub)
		_fittings_program "$1"
		;;
	*) _fittings_others "${starts[$1]}" ;;
	esac
}

_fittings() {
	local words=() starts=() cword typed
	COMPREPLY=()
	_fittings_words
	typed=${words[cword]}
	_fittings_program 0
	# Readline replaces only the text after the last = or :.
	if [[ $typed == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*[=:]}"}"}")
	fi
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace 2>/dev/null
}

complete -F _fittings portscan-bind portscan-connect tcpaccept proxyhead tcpecho csvsplit wsupgrade wsframe wsserve wshub
