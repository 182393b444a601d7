//! `hoopoe completions`: for shells.

use clap::Args;
use clap_complete::Shell;

use crate::{Error, Host, output};

const EXAMPLES: &str = "\
Examples:
  hoopoe completions bash > ~/.local/share/bash-completion/completions/hoopoe
  hoopoe completions zsh > ~/.zfunc/_hoopoe        # with fpath+=(~/.zfunc) before compinit
  hoopoe completions fish > ~/.config/fish/completions/hoopoe.fish";

/// Print what completes the commands in a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The shell
    shell: Shell,
}

/// Print it.
pub fn run(options: &Options, host: &Host) -> Result<(), Error> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut (host.command)(), "hoopoe", &mut text);
    output::line(&String::from_utf8_lossy(&text));
    Ok(())
}
