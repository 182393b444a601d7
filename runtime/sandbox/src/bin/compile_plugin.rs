//! Compiles one plugin: standard input to standard output, see `hoopoe_sandbox::compile`.

fn main() -> std::process::ExitCode {
    hoopoe_sandbox::compile::child()
}
