//! Compiles one plugin, as the binary `hoopoe` does with its hidden subcommand.

fn main() -> std::process::ExitCode {
    hoopoe_runtime::compile::child()
}
