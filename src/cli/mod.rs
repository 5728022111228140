//! The subcommands of `brasa`.

pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
