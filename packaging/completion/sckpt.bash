# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion of sckpt(1); installed as share/bash-completion/completions/sckpt.

_sckpt_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_sckpt_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# The user's jobs that have not ended.
_sckpt_jobs() {
    timeout 2 squeue --me -h -o %A 2>/dev/null
}

# Jobs that something is saved of.
_sckpt_saved() {
    timeout 2 sckpt list --noheader 2>/dev/null | while read -r job _; do echo "$job"; done | sort -u
}

# The last of a list of columns.
_sckpt_columns() {
    local before=''
    [[ $1 != *,* ]] || before=${1%,*},
    compopt -o nospace 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -P "$before" \
        -W 'JOBID INC GEN TAKEN REASON NODES SIZE STORED PAUSED SEAL USER CLUSTER' -- "${1##*,}")
}

# _sckpt_argument KIND CURRENT: what an option or a verb takes.
_sckpt_argument() {
    case $1 in
    job) _sckpt_words "$(_sckpt_jobs)" "$2" ;;
    saved) _sckpt_words "$(_sckpt_jobs; _sckpt_saved)" "$2" ;;
    node) _sckpt_words "$(timeout 2 sinfo -h -N -o %N 2>/dev/null | sort -u)" "$2" ;;
    user) mapfile -t COMPREPLY < <(compgen -u -- "$2") ;;
    directory) _sckpt_files -d "$2" ;;
    path) _sckpt_files -f "$2" ;;
    esac
}

_sckpt() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]-} second=${COMP_WORDS[2]-} options='' kind='' word
    COMPREPLY=()
    # --dir=VALUE comes as three words.
    [[ $current != = ]] || current=''
    [[ $previous != = ]] || previous=${COMP_WORDS[COMP_CWORD - 2]-}

    if ((COMP_CWORD == 1)); then
        _sckpt_words 'list show report verify prune explain probe restart create requeue vacate disable enable drain doctor metrics key policy -h --help --version' "$current"
        return
    fi
    for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
        [[ $word == -- ]] || continue
        [[ $verb != probe ]] || _sckpt_argument path "$current" # a program; else options for sbatch
        return
    done
    case $previous in
    -j | --job) _sckpt_argument saved "$current" && return ;;
    -u | --user) _sckpt_argument user "$current" && return ;;
    --dir) _sckpt_argument directory "$current" && return ;;
    --html | --policy) _sckpt_argument path "$current" && return ;;
    -o | --format) _sckpt_columns "$current" && return ;;
    --reason | -M | --cluster | --seconds | -O | --slurm) return ;;
    esac

    case $verb in
    list) kind=saved options='-j --job -u --user -M --cluster --json --dir --noheader -o --format' ;;
    verify) kind=saved options='-j --job -u --user -M --cluster --json --dir --noheader' ;;
    show) kind=saved options='-j --job -u --user -M --cluster --json --dir' ;;
    report) kind=saved options='-j --job -u --user --dir --html --json' ;;
    prune) options='--dir -u --user -n --dry-run --json' ;;
    explain) kind=job options='-j --job --json' ;;
    create) kind=job options='-j --job --tell-restored' ;;
    requeue | vacate | disable | enable) kind=job options='-j --job' ;;
    probe) options='--seconds -O --slurm --' ;;
    doctor) options='--policy --json' ;;
    metrics) ;;
    restart) kind=saved options='--dir -n --dry-run --' ;;
    drain) kind=node options='--reason -n --dry-run --json' ;;
    key)
        if ((COMP_CWORD == 2)); then
            _sckpt_words 'create add use list remove -h --help' "$current"
            return
        fi
        kind=path
        # The ID of a key is root's to read, and is not guessed.
        [[ ($second != use && $second != remove) || $COMP_CWORD -gt 3 ]] || kind=''
        ;;
    policy)
        if ((COMP_CWORD == 2)); then
            _sckpt_words 'check -h --help' "$current"
            return
        fi
        kind=path
        ;;
    *) return ;;
    esac
    if [[ $current == -* ]]; then
        _sckpt_words "$options -h --help" "$current"
    else
        _sckpt_argument "$kind" "$current"
    fi
}

complete -F _sckpt sckpt
