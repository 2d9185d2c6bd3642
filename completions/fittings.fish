# fish completion for fittings. Options come from each program's --help, so they
# are those of the program that is installed. After a program's options the next
# program is completed, and then its options, for chains of any length.

set -g __fittings_programs portscan-bind portscan-connect tcpaccept proxyhead tcpecho csvsplit wsupgrade wsframe wsserve wshub

# The options of a program, one per line: short, long, value, help, separated by tabs.
function __fittings_rows --argument-names program
    command $program --help 2>/dev/null \
        | string replace -rf '^ +(?:(-.), )?--([a-z0-9-]+)(?: ([A-Z]+))?  +(.*)$' '$1'\t'--$2'\t'$3'\t'$4'
end

# Prints the long name and the name of the value of an option (-x or --long) that takes a value.
function __fittings_takes --argument-names option
    for row in $argv[2..]
        set -l field (string split \t -- $row)
        if contains -- $option $field[1..2]
            test -n "$field[3]"
            and printf '%s\n' $field[2..3]
            return
        end
    end
    return 1
end

# The option within a word that takes a value, and whether that is the next word:
# `-qp` is -p and next, `-qp90` -p and here. Prints the text before the value
# (empty for the next word), then the output of __fittings_takes.
function __fittings_within --argument-names word
    set -l rows $argv[2..]
    switch $word
        case '--*=*'
            set -l parts (string split -m 1 = -- $word)
            set -l takes (__fittings_takes $parts[1] $rows)
            or return 1
            printf '%s\n' $parts[1]= $takes
        case '--*'
            set -l takes (__fittings_takes $word $rows)
            or return 1
            printf '%s\n' '' $takes
        case '*'
            for i in (seq 2 (string length -- $word))
                set -l takes (__fittings_takes -(string sub -s $i -l 1 -- $word) $rows)
                or continue
                if test $i = (string length -- $word)
                    printf '%s\n' '' $takes
                else
                    printf '%s\n' (string sub -l $i -- $word) $takes
                end
                return
            end
            return 1
    end
end

# The candidates for a value, with the text before it in the same word.
function __fittings_value --argument-names name long value before current
    set -l cur (string sub -s (math 1 + (string length -- "$before")) -- "$current")
    switch "$name $long $value"
        case '* FILE'
            printf '%s\n' $before(__fish_complete_path $cur)
        case '* PROGRAM'
            printf '%s\n' $before(__fish_complete_command)
        case '* --input *'
            printf '%s\n' $before{csv,tsv}
        case '* FORMAT'
            printf '%s\n' $before{lines,nul,tsv,csv,json}
        case '* --host *'
            printf '%s\n' $before{localhost,(__fish_print_hostnames)}
        case '* ADDR'
            printf '%s\n' $before{127.0.0.1,::1,0.0.0.0,::}
        case 'portscan-bind --ports *'
            printf '%s\n' $before{9000-9998,8080,0}
        case '* --ports *'
            printf '%s\n' $before{9000-9998,8080}
        case '* URL'
            printf '%s\n' $before'ws://localhost/'
        case '* ORIGIN'
            printf '%s\n' $before{null,http://localhost,https://localhost}
        case '* --path *'
            printf '%s\n' $before/
        case '* --quiet-time *'
            printf '%s\n' $before{0,1s,never}
    end
end

function __fittings_options
    for row in $argv
        set -l field (string split \t -- $row)
        for option in $field[1..2]
            test -n "$option"
            and printf '%s\t%s\n' $option (string join ': ' -- $field[3..4] | string replace -r '^: ' '')
        end
    end
end

# Completes a command line, given as words; the last word is the current one.
function __fittings_line
    set -l name (string replace -r '.*/' '' -- $argv[1])
    set -l current $argv[-1]
    set -l rows (__fittings_rows $argv[1])
    set -l plain # set after --, which ends the options
    set -l i 2
    while test $i -lt (count $argv)
        set -l within
        switch $argv[$i]
            case --
                set plain yes
                set i (math $i + 1)
                break
            case '-?*'
                set within (__fittings_within $argv[$i] $rows)
            case '*'
                break
        end
        set i (math $i + 1)
        # A value that is a separate word.
        if set -q within[1]; and test -z "$within[1]"
            if test $i = (count $argv)
                __fittings_value $name $within[2] $within[3] '' $current
                return
            end
            set i (math $i + 1)
        end
    end
    if test $i = (count $argv); and not set -q plain[1]; and string match -q -- '-*' $current
        set -l within
        string match -qr -- '^(--.*=|-[^-].)' $current
        and set within (__fittings_within $current $rows)
        if test -n "$within[1]"
            __fittings_value $name $within[2] $within[3] $within[1] $current
        else
            __fittings_options $rows
        end
    else if test $name = csvsplit
        __fish_complete_path $current
    else if test $name = tcpecho
        return
    else if contains -- (string replace -r '.*/' '' -- $argv[$i]) $__fittings_programs; and test $i -lt (count $argv)
        __fittings_line $argv[$i..]
    else
        set -l words (string escape -- $argv[$i..-2])
        complete "-C"(string join ' ' -- $words (string escape -n -- $current))
    end
end

function __fittings_complete
    __fittings_line (commandline -opc) (commandline -ct)
end

for program in $__fittings_programs
    complete -c $program -e
    complete -c $program -f -a '(__fittings_complete)'
end
