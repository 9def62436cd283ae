//! Fails when the way from a program to the kernel gets longer. What is counted is what
//! a loop in another crate becomes, without LTO.

use bench::count::{
    self, CHURN, Instructions, MANY, MILLIS, NONE, ONE, REREGISTER, VARIABLE, WAKE, ZERO,
};
use std::path::Path;
use std::process::ExitCode;

/// The most instructions that an operation may take, the caller's loop included. Where it
/// does not say that the poll is empty, it gets events.
const BOUNDS: [(&str, f64); 9] = [
    (NONE, 30.0),
    (ZERO, 25.0),
    (MILLIS, 30.0),
    (VARIABLE, 45.0),
    (ONE, 45.0),
    (MANY, 45.0 + 63.0 * 6.0),
    (REREGISTER, 20.0),
    (CHURN, 35.0),
    (WAKE, 20.0),
];

fn main() -> ExitCode {
    let bench = Path::new(env!("CARGO_BIN_EXE_bench"));
    let instructions = match Instructions::of(bench) {
        Ok(instructions) => instructions,
        Err(why) => {
            eprintln!("nothing is guarded: {why}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "instructions, on {}: {instructions}",
        std::env::consts::ARCH
    );
    let mut code = ExitCode::SUCCESS;
    for (operation, bound) in BOUNDS {
        let [asm, epore] = ["asm", "epore"].map(|peer| {
            let count = instructions.per_operation(peer, operation);
            count.unwrap_or_else(|| panic!("cannot count {operation} of {peer}"))
        });
        let verdict = if epore.round() <= bound {
            ""
        } else {
            "  TOO MANY"
        };
        println!("{operation:26} {epore:6.1} of at most {bound:3}  (by hand {asm:6.1}){verdict}");
        if epore.round() > bound {
            code = ExitCode::FAILURE;
        }
    }
    println!(
        "LEFT OUT {}: {instructions} cannot run epoll_pwait2",
        count::MICROS
    );
    code
}
