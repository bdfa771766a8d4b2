#!/usr/bin/env bash
# What completes command lines, in a real bash and a real zsh: commands, options, values, packages of the store, files.
# Covers base/command_completion.c, base/command_scripts.c.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/system/lib.sh
begin completion
export MODELHOST_STORE=$work/store PATH=$build/bin:$PATH
unset MODELHOST_PLUGIN_PATH
program=$build/bin/pkgmgr
for id in org/alpha org/beta gamma; do
    run import "$model" --name $id -q
done
run import "$model" --name other/delta --store "$work/elsewhere" -q
mkdir -p "$work/here/a folder"
: >"$work/here/a file.mhp"
: >"$work/here/plugin.so"
for name in pkgmgr modelhost; do
    for shell in bash zsh; do
        "$build/bin/$name" completion $shell >"$work/$name.$shell"
        ok "$name: $shell understands its script" $shell -n "$work/$name.$shell"
    done
    same "$name: by hand and by the option" "$("$build/bin/$name" completion --help | head -n 1)" "usage: $name completion bash|zsh"
done
fails 'a shell that there is not' 2 "pkgmgr completion: want bash or zsh; see 'pkgmgr help completion'" completion fish
fails 'no shell' 2 "pkgmgr completion: want bash or zsh; see 'pkgmgr help completion'" completion

# ---- bash: the function is called as readline does

cat >"$work/ask.bash" <<'SH'
source "$1"
shift
cd "$HERE" || exit 1
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"_$1"
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | tr '\n' ','
SH
asked() { # WORD...: what bash offers for the last word
    HERE=$work/here bash --norc "$work/ask.bash" "$work/$1.bash" "$@"
}
offers() { # NAME WANT WORD...
    local name=$1 want=$2
    shift 2
    same "bash: $name" "$(asked "$@")" "$want"
}
offers 'commands' 'unpack,update,' pkgmgr u
offers 'options of the program' '--help,--version,' pkgmgr --
offers 'commands to be helped with' 'verify,versions,' pkgmgr help ver
offers 'shells' 'bash,zsh,' pkgmgr completion ''
offers 'options of a command' '--license,' pkgmgr info --l
same 'bash: all options of a command' "$(asked pkgmgr inspect -)" '--backend,--depth,--help,--json,--key-file,--passphrase-file,--stats,--store,--tensors,'
offers 'packages' 'org/alpha,org/beta,' pkgmgr rm org
offers 'packages and files' 'a file.mhp,a folder,' pkgmgr info a
offers 'packages behind an option' 'gamma,' pkgmgr info --json g
offers 'packages of another store' 'other/delta,' pkgmgr rm --store "$work/elsewhere" o
offers 'the same with =' 'other/delta,' pkgmgr rm --store = "$work/elsewhere" o
offers 'folders as values' 'a folder,' pkgmgr list --store a
offers 'files as values' 'plugin.so,' pkgmgr lock --lockfile p
offers 'files as values of a letter' 'plugin.so,' pkgmgr pack gamma -o p
offers 'values behind =' 'plugin.so,' pkgmgr lock --lockfile = p
offers 'words as values' 'bf16,f16,f32,' pkgmgr convert in out --dtype ''
offers 'nothing for a number' '' pkgmgr inspect --depth ''
offers 'a word of its own' 'ls,' pkgmgr cache ''
offers 'words of a command' 'check,' modelhost config c
offers 'words and files' 'clear,' modelhost quarantine cl
offers 'packages to run' 'gamma,' modelhost run g
offers 'how to load' 'eager,' modelhost run gamma --loading e
offers 'nothing of a command that there is not' '' pkgmgr nonsense ''
mkdir "$work/evil" "$work/evil/packages"
cp -r "$work/store/." "$work/evil/"
mkdir -p "$work/evil/packages/x--\$(touch $work/here/ran)" 2>/dev/null || mkdir -p "$work/evil/packages/x--\$(touch ran)/1"
asked pkgmgr rm --store "$work/evil" '' >/dev/null
ok 'bash: nothing that a store holds is run' test ! -e "$work/here/ran"

# ---- options: what is offered is what a command takes, and what its help and manual name

for name in pkgmgr modelhost; do
    "$build/bin/$name" completion options >"$work/options"
    same "$name: every command tells its options" "$(cut -f 1 "$work/options" | LC_ALL=C sort -u)" \
        "$("$build/bin/$name" --help | sed -n 's/^  \([a-z][a-z-]*\)  *.*/\1/p' | LC_ALL=C sort)"
    while IFS=$'\t' read -r command option letter value in_help; do
        [ "$command $option" = 'check-plugin --check' ] && continue # of a process of its own
        [ "$in_help" = yes ] || fail "$name help $command names $option"
        [ "$value" != '?' ] || fail "$name help $command says what $option wants"
        [ "$letter" = - ] || grep -qE -- "^ *$letter, $option" <<<"$("$build/bin/$name" help "$command")" ||
            fail "$name help $command names $letter"
    done <"$work/options"
done
for pair in convert:dtype:f16 convert:dtype:bf16 serve:access-format:json; do
    IFS=: read -r command option word <<<"$pair"
    has "the help of $command knows --$option $word" "$("$build/bin/pkgmgr" help "$command")" "$word"
done
"$build/bin/modelhost" completion bash | grep -oE -- "--[a-z-]+\) valued=1 value_kinds='[a-z ]*' value_words='[^']+'" | sort -u >"$work/words"
ok 'there are words' test -s "$work/words"
help=$(for c in run serve; do "$build/bin/modelhost" help $c; done)
while IFS= read -r line; do
    option=${line%%)*}
    for word in $(sed "s/.*value_words='\(.*\)'/\1/" <<<"$line"); do
        grep -qE -- "(^|[^a-z-])$word([^a-z-]|$)" <<<"$help" ||
            fail "modelhost: no help names $word for $option"
    done
done <"$work/words"

# ---- zsh, at a terminal of its own

zsh_offers() { # NAME WANT LINE: what stands there after a tab
    same "zsh: $1" "$(HERE=$work/here timeout 60 zsh -f "$work/ask.zsh" "$work" "$3" 2>&1)" "$2"
}
cat >"$work/ask.zsh" <<'SH'
# Types a line and a tab in a zsh of its own; prints the line as it is then.
zmodload zsh/zpty || exit 1
zpty shell zsh -f -i
zpty -w shell "cd '$HERE'; PROMPT= RPROMPT= PS2=; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -d '$1/zdump'"
zpty -w shell "eval \"\$(pkgmgr completion zsh)\"; eval \"\$(modelhost completion zsh)\""
zpty -w shell "stty -echo; show() { print -r -- \"<<\$BUFFER>>\"; BUFFER=; }; zle -N show; bindkey '^X' show; bindkey '^I' complete-word; print re''ady"
zpty -r shell line '*ready*'
zpty -n -w shell "$2"$'\t\x18'
zpty -r shell line '*<<*>>*'
line=${line##*<<}
print -r -- "${line%%>>*}"
zpty -d shell
SH
if command -v zsh >/dev/null 2>&1; then
    zsh_offers 'a command' 'pkgmgr versions ' 'pkgmgr versi'
    zsh_offers 'an option' 'pkgmgr info --license ' 'pkgmgr info --li'
    zsh_offers 'a package' 'pkgmgr rm org/alpha ' 'pkgmgr rm org/a'
    zsh_offers 'a package of another store' "pkgmgr rm --store $work/elsewhere other/delta " "pkgmgr rm --store $work/elsewhere o"
    zsh_offers 'a file' 'pkgmgr unpack a\ file.mhp ' 'pkgmgr unpack a\ fi'
    zsh_offers 'a folder' 'pkgmgr list --store a\ folder/' 'pkgmgr list --store a'
    zsh_offers 'a word' 'pkgmgr convert in out --dtype bf16 ' 'pkgmgr convert in out --dtype b'
    zsh_offers 'a word of its own' 'pkgmgr cache ls ' 'pkgmgr cache l'
    zsh_offers 'a way to load' 'modelhost run gamma --loading eager ' 'modelhost run gamma --loading e'
else
    skipped 'zsh is not installed'
fi

# ---- where shells look

ok 'make install puts them there' make -s install BUILD="$build" PREFIX=/usr DESTDIR="$work/root"
for file in bash-completion/completions/pkgmgr bash-completion/completions/modelhost; do
    ok "$file is the script" cmp "$work/root/usr/share/$file" "$work/${file##*/}.bash"
done
for name in pkgmgr modelhost; do
    ok "_$name is the script" cmp "$work/root/usr/share/zsh/site-functions/_$name" "$work/$name.zsh"
done

summary
