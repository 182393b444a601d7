//! The protocol holds in every interleaving, and each mistake that one could make in it is found.

#![allow(missing_docs)]

use hoopoe_model::explore::explore;
use hoopoe_model::protocol::{Protocol, Step, Variant};

#[test]
fn the_protocol_holds_in_every_interleaving() {
    for (messages, faults) in [(1, 6), (2, 4), (3, 2)] {
        let protocol = Protocol { variant: Variant::Right, messages, faults };
        match explore(&protocol) {
            Ok(extent) => {
                println!("{messages} messages, {faults} faults: {extent:?}");
                assert!(extent.states > 1_000 && extent.settled > 1, "it explores nothing: {extent:?}");
            }
            Err(violation) => panic!("{messages} messages, {faults} faults: {violation:#?}"),
        }
    }
}

#[test]
fn without_faults_there_is_one_end() {
    let protocol = Protocol { variant: Variant::Right, messages: 3, faults: 0 };
    let extent = explore(&protocol).expect("it holds");
    println!("{extent:?}");
    assert_eq!(extent.settled, 1, "{extent:?}");
}

#[test]
fn each_mistake_is_found() {
    let twice = "nothing is accepted twice unless a status was withheld";
    let former = "a former owner changes nothing";
    for variant in Variant::MISTAKES {
        let properties: &[&str] = match variant {
            Variant::NoFencing | Variant::NoLeaseCheck => &[former],
            Variant::TouchIgnored => &["no work is without a lane"],
            _ => &[twice],
        };
        let found = explore(&Protocol { variant, messages: 2, faults: 3 });
        let violation = found.err().unwrap_or_else(|| panic!("{variant:?} is taken for right"));
        println!("{variant:?}: not so: {}, by {:?}", violation.property, violation.way);
        assert!(properties.contains(&violation.property), "{variant:?}: {violation:#?}");
        // A counterexample that a person can follow.
        assert!(violation.way.len() < 20, "{variant:?}: {violation:#?}");
        let added = matches!(violation.way.first(), Some(Step::Add | Step::AddOwned { .. } | Step::AddOwnedUnheard));
        assert!(added, "{variant:?}: {violation:#?}");
    }
}
