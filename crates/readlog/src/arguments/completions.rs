//! The completions of shells. clap_complete writes those of zsh and fish. Its bash script completes neither directories nor
//! what stands behind `--output=`, so that script is written here, from the same grammar.

use clap::builder::PossibleValue;
use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;

/// What bash runs. `@OPTIONS@` and `@VALUES@` are filled in.
const BASH: &str = r#"_readlog() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # bash takes the equals sign of --output=json for a word.
    if [[ $cur == "=" ]]; then
        cur=
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
@VALUES@    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '@OPTIONS@' -- "$cur")
        return
    fi
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    # In a log directory: its files.
    [[ ${#COMPREPLY[@]} != 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _readlog readlog
"#;

/// The completions of a shell.
pub(super) fn script(command: &mut Command, shell: &str) -> Vec<u8> {
    let shell = match shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return bash(command).into_bytes(),
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, command, "readlog", &mut text);
    text
}

fn bash(command: &mut Command) -> String {
    command.build();
    let options = || command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let names: Vec<String> = options().flat_map(names).collect();
    let values: String = options()
        .filter(|arg| arg.get_action().takes_values())
        .map(|arg| {
            format!("        {})\n            {}\n            return\n            ;;\n", names_of(arg), values(arg))
        })
        .collect();
    BASH.replace("@VALUES@", &values).replace("@OPTIONS@", &names.join(" "))
}

/// The option as it is written: `-o`, `--output`.
fn names(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    short.into_iter().chain(arg.get_long().map(|name| format!("--{name}"))).collect()
}

fn names_of(arg: &Arg) -> String {
    names(arg).join(" | ")
}

/// The command that completes an option's value.
fn values(arg: &Arg) -> String {
    let words = |words: &str| format!("mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$cur\")");
    match (arg.get_id().as_str(), arg.get_value_hint()) {
        (_, ValueHint::FilePath) => {
            "compopt -o filenames\n            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")".to_owned()
        }
        ("unit", _) => {
            "mapfile -t COMPREPLY < <(cd -- \"${SVDIR:-/service}\" 2>/dev/null && compgen -d -- \"$cur\")".to_owned()
        }
        ("since" | "until", _) => words("now today yesterday"),
        _ => match arg.get_possible_values() {
            // Free text, or a number.
            values if values.is_empty() => ":".to_owned(),
            values => words(&values.iter().map(PossibleValue::get_name).collect::<Vec<_>>().join(" ")),
        },
    }
}
