# shellcheck shell=bash
# SPDX-License-Identifier: ISC
# Completes command lines of stdsocksctl in bash.

# The options of each command; "=" means that an argument follows. bash-completion loads this file
# in a function.
declare -gA _stdsocksctl_options=(
    [list]='--json --sort= --unit= --by= --config='
    [top]='--json --sort= --unit= --interval= --count='
    [stop]='--json --sort= --unit= --all --dry-run'
    [log]='--json --since= --until= --reply= --end= --directory= --file= --lines= --follow'
    [report]='--json --since= --until= --reply= --end= --directory= --file= --top= --html
        --prometheus --output='
)

# Prints the arguments of option $1 or the values of clause $1, except for files.
_stdsocksctl_after() {
    case $1 in
    --sort) echo client user command dst up down rate age memory cpu ;;
    --by) echo user client ;;
    --since | --until) echo today yesterday now ;;
    --reply) echo 0 1 2 3 4 5 6 7 8 ;;
    --end)
        echo closed reset vanished idle-timeout half-closed-timeout lifetime terminated refused \
            not-socks5 no-method login-failed client-gone handshake-timeout failed
        ;;
    from) echo any loopback private link-local public unix stdio ;;
    to | at) echo any loopback private link-local public ;;
    command) echo connect bind udp resolve ;;
    user) echo any ;;
    esac
}

_stdsocksctl_units() {
    systemctl list-units --state=active --plain --no-legend 'stdsocks@*.service' \
        stdsocks-prefork.service 2>/dev/null |
        cut -d ' ' -f 1
}

# Reads the words. Sets `wants` to the option or clause whose argument the last word is, or to "".
# Sets `clauses` to "yes" if there is a filter before it.
_stdsocksctl_read() {
    local before was=''
    wants='' clauses=''
    while (($# > 1)); do
        before=$1
        shift
        case $wants:$before in
        -*:*) wants=$was ;;                  # the argument of an option; continue as before it
        *:-[Dn]) was=$wants wants=$before ;; # short names of options with arguments
        *:--*=*) ;;
        *:--*) [[ " $options " != *" $before= "* ]] || was=$wants wants=$before ;;
        *:-*) ;;
        :from | :user | :command | :to | :at | :port) wants=$before clauses=yes ;;
        *) wants='' ;;
        esac
    done
}

# Sets the choices for $2, the argument of option or clause $1; of a list, for its last item.
_stdsocksctl_choose() {
    local choices items=''
    case $1 in
    --directory | -D) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    --config | --file | --output) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    *)
        choices=$(_stdsocksctl_after "$1")
        [[ $1 == --sort || $1 == --by ]] || items=${2%"${2##*,}"}
        # shellcheck disable=SC2086 # one word each
        mapfile -t COMPREPLY < <(compgen -P "$items" -W "$choices" -- "${2#"$items"}")
        return
        ;;
    esac
    compopt -o filenames 2>/dev/null
}

_stdsocksctl() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word choices options wants clauses
    read -ra words <<<"$line"
    [[ $line != *[[:blank:]] ]] || words+=('')
    word=${words[-1]} options=${_stdsocksctl_options[${words[1]:-none}]-}
    COMPREPLY=()
    _stdsocksctl_read "${words[@]:2}"
    if ((${#words[@]} == 2)); then
        choices="${!_stdsocksctl_options[*]} --help --version"
    elif [[ $wants ]]; then
        _stdsocksctl_choose "$wants" "$word"
    elif [[ $word == --*=* ]]; then
        _stdsocksctl_choose "${word%%=*}" "${word#*=}"
        word=${word#*=}
    elif [[ $word == -* ]]; then
        choices="$options --help"
    else
        choices="from user command to at port"
        [[ ${words[1]} != stop || $clauses ]] || choices+=" $(_stdsocksctl_units)"
    fi
    # shellcheck disable=SC2207,SC2086 # one word each
    [[ ! ${choices-} ]] || COMPREPLY=($(compgen -W "$choices" -- "$word"))
    # Bash replaces only $2, the end of the word, which it splits at "=", ":" and "@", too.
    COMPREPLY=("${COMPREPLY[@]#"${word%"$2"}"}")
    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -F _stdsocksctl stdsocksctl
