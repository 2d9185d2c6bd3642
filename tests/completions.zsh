# usage: zsh -f tests/completions.zsh DIRECTORY LINE...
# What zsh lists for each LINE when Tab is pressed at its end, with the
# completions of DIRECTORY: a line `== LINE`, then the list.
emulate zsh
zmodload zsh/zpty

directory=$1
shift
zpty shell "env TERM=dumb COLUMNS=200 LINES=10000 ${(q)commands[zsh]} -f -i"

# await TEXT: everything up to it
await() {
	zpty -r shell REPLY "*$1*" || exit 1
}

# The marks are typed in two parts, so that their echo is not taken for a mark.
zpty -w shell "PS1= PS2= RPS1=; unset zle_bracketed_paste; unsetopt beep prompt_cr prompt_sp; LISTMAX=0
fpath=(${(q)directory} \$fpath)
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' verbose yes
list() { zle list-choices; zle -R; print -n 'lis''ted' }
zle -N list
bindkey '^T' list
stty columns 200 rows 10000
print rea''dy"
await ready
for line in "$@"; do
	zpty -w -n shell "$line"$'\x14'
	await listed
	list=$REPLY
	zpty -w shell $'\x15'"print emp''tied"
	await emptied
	print -r -- "== $line"
	print -r -- "${list//$'\r'/}"
done
zpty -d shell
