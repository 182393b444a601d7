//! Meta fails: under load with everything that ends well if it is handled as Meta's error table says; and beside the
//! load, to single messages, with each row of that table, each checked for what was repeated and what was not.

mod table;

use std::time::Duration;

use anyhow::Result;
use meta_sim::Fault;

use crate::ground::{ALL_ROLES, Ground};
use crate::load::{PEOPLE, wa_id};
use crate::options::Options;
use crate::report::Report;

/// Longer than any client waits.
const LONG: Duration = Duration::from_secs(30);
/// People whose next message meets each fault of a wave.
const VICTIMS: usize = 2;
/// Of so many waves one has faults that make a number rest: refused again soon, it rests twice as long, up to a minute.
const WAVES_TO_A_REST: u32 = 9;
/// How long Meta is down.
const DOWN: Duration = Duration::from_millis(700);

pub async fn run(options: &Options) -> Result<Report> {
    let mut ground = Ground::prepare(options).await?;
    // Bad luck is not what this is about: a message may meet several waves.
    ground.set("DELIVERY_RETRIES", "12");
    let node = ground.node(ALL_ROLES).await;
    ground.front.lead_to(vec![node.address()]);
    let load = ground.begin().await;
    let apart = ground.api.register("Apart", "106000009999", "token").await;
    let table = table::Table::begin(&ground, &apart).await?;
    let mut victim = 0;
    for fault in 0..options.faults(3, 40) {
        tokio::time::sleep(options.pause(fault)).await;
        // To people, not to whoever comes next: the table's messages meet no fault but their own.
        if fault % 3 == 1 {
            (0..PEOPLE).for_each(|person| ground.sim.fail_to(&wa_id(person), Fault::ServerError(503), u32::MAX));
            tokio::time::sleep(DOWN).await;
            ground.sim.clear_faults();
            ground.book.fault("every send answered 503 for 0.7 s");
        } else {
            for passing in passing(fault) {
                for _ in 0..VICTIMS {
                    ground.sim.fail_to(&wa_id(victim % PEOPLE), passing.clone(), 1);
                    victim += 1;
                }
            }
            ground.book.fault("a wave of refusals, lost answers and silence");
        }
    }
    tokio::time::sleep(options.pause(0)).await;
    // Whose number rests would meet the rest of the last wave long after the load.
    ground.sim.clear_faults();
    let (mut report, ground) = ground.finish("graph", load, vec![node], &[&apart]).await?;
    table.judge(&ground, &apart, &mut report).await?;
    Ok(report)
}

/// Faults after which a message still arrives.
fn passing(wave: u32) -> Vec<Fault> {
    let mut faults = vec![
        Fault::ServerError(500),
        Fault::ServerError(503),
        Fault::code(131056),
        Fault::code(131000),
        Fault::ResetAfterBody,
        Fault::ResetAfterBodyLost,
        Fault::AcceptThenHang(LONG),
        Fault::Hang(LONG),
        Fault::Garbage200,
    ];
    if wave.is_multiple_of(WAVES_TO_A_REST) {
        faults.extend([Fault::TooManyRequests, Fault::code(130429)]);
    }
    faults
}
