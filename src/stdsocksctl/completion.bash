# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# What may follow on a command line of stdsocksctl, for bash.

# Each command's options; what takes an argument ends in "=". bash-completion loads this file in a function.
declare -gA _stdsocksctl_options=(
    [list]='--json --sort= --unit='
    [top]='--json --sort= --unit= --interval= --count='
    [stop]='--json --sort= --unit= --all --dry-run'
    [log]='--json --since= --until= --reply= --end= --directory= --file= --lines= --follow'
    [report]='--json --since= --until= --reply= --end= --directory= --file= --top= --html --prometheus --output='
)

_stdsocksctl_after() {
    case $1 in
    --sort) echo client user dst up down rate age memory cpu ;;
    --since | --until) echo today yesterday now ;;
    --reply) echo 0 1 2 3 4 5 6 7 8 ;;
    --end) echo closed reset vanished idle-timeout half-closed-timeout lifetime terminated refused not-socks5 no-method login-failed client-gone handshake-timeout failed ;;
    --directory | --file | --output) compgen -f -- "${word#*=}" ;;
    from) echo any loopback private link-local public unix stdio ;;
    to | at) echo any loopback private link-local public ;;
    command) echo connect ;;
    user) echo any ;;
    --* | port) ;; # whatever it is
    *) echo from user command to at port ;;
    esac
}

_stdsocksctl_units() {
    systemctl list-units --state=active --plain --no-legend 'stdsocks@*.service' 2>/dev/null | cut -d ' ' -f 1
}

_stdsocksctl() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word before choices
    read -ra words <<<"$line"
    [[ $line != *[[:blank:]] ]] || words+=('')
    word=${words[-1]} before=${words[-2]}
    COMPREPLY=()
    if ((${#words[@]} == 2)); then
        choices="${!_stdsocksctl_options[*]} --help --version"
    elif [[ $word == --*=* ]]; then
        choices=$(_stdsocksctl_after "${word%%=*}")
        word=${word#*=}
    elif [[ $word == -* ]]; then
        choices="${_stdsocksctl_options[${words[1]}]-} --help"
    else
        choices=$(_stdsocksctl_after "$before")
        [[ ${words[1]} != stop || $before != stop && $before != *.service ]] || choices+=" $(_stdsocksctl_units)"
    fi
    # shellcheck disable=SC2207,SC2086 # one word each
    COMPREPLY=($(compgen -W "$choices" -- "$word"))
    # The shell replaces $2, the end of the word, which it also cuts at "=", ":" and "@".
    COMPREPLY=("${COMPREPLY[@]#"${word%"$2"}"}")
    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -F _stdsocksctl stdsocksctl
