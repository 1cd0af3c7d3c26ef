//! The `divvy` command.

fn main() -> std::process::ExitCode {
    divvy_host::main()
}
