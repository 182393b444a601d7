//! Prints what the check of the protocol looks at, and by which way it finds each mistake.

use std::process::ExitCode;

use hoopoe_model::explore::explore;
use hoopoe_model::protocol::{Protocol, Variant};

fn main() -> ExitCode {
    let mut sound = true;
    for (messages, faults) in [(1, 6), (2, 4), (3, 3)] {
        match explore(&Protocol { variant: Variant::Right, messages, faults }) {
            Ok(extent) => println!(
                "{messages} messages, up to {faults} faults: holds; {} states, {} steps, depth {}, {} ends",
                extent.states, extent.steps, extent.depth, extent.settled
            ),
            Err(violation) => {
                println!("{messages} messages, up to {faults} faults: DOES NOT HOLD: {violation:#?}");
                sound = false;
            }
        }
    }
    for variant in Variant::MISTAKES {
        match explore(&Protocol { variant, messages: 2, faults: 3 }) {
            Ok(_) => {
                println!("{variant:?}: NOT FOUND");
                sound = false;
            }
            Err(violation) => println!("{variant:?}: not so: {}; by {:?}", violation.property, violation.way),
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
