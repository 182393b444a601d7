//! The only process is killed under load, again and again, and started anew at once.

use anyhow::Result;

use crate::ground::{ALL_ROLES, Ground};
use crate::options::Options;
use crate::report::Report;

pub async fn run(options: &Options) -> Result<Report> {
    let mut ground = Ground::prepare(options).await?;
    let mut node = ground.node(ALL_ROLES).await;
    ground.front.lead_to(vec![node.address()]);
    let load = ground.begin().await;
    for fault in 0..options.faults(4, 100) {
        tokio::time::sleep(options.pause(fault)).await;
        ground.book.fault("kill -9 of the process");
        let killed = node.kill().await;
        ground.ended(killed);
        node = ground.node(ALL_ROLES).await;
        ground.front.lead_to(vec![node.address()]);
    }
    tokio::time::sleep(options.pause(0)).await;
    let (report, _) = ground.finish("kill", load, vec![node], &[]).await?;
    Ok(report)
}
