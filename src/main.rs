//! The `brasa` binary: hands over to the command line.

fn main() -> std::process::ExitCode {
    brasa::cli::main()
}
