//! Several processes on one database: one of two equal ones is killed, one of several with a part of the roles each is
//! killed, and all are replaced one after the other as in an upgrade.

use anyhow::Result;
use hoopoe_testing::Process;

use crate::ground::{ALL_ROLES, Ground};
use crate::options::Options;
use crate::report::Report;

/// Two of each role: whichever is killed, the other goes on.
const SPLIT: [&str; 6] = ["api", "api", "flows", "flows", "delivery", "delivery"];

pub async fn run(options: &Options) -> Result<Report> {
    let mut ground = Ground::prepare(options).await?;
    let mut nodes = Nodes(vec![(ALL_ROLES, ground.node(ALL_ROLES).await), (ALL_ROLES, ground.node(ALL_ROLES).await)]);
    nodes.lead(&ground);
    let load = ground.begin().await;
    for fault in 0..options.faults(2, 20) {
        tokio::time::sleep(options.pause(fault)).await;
        nodes.kill(&mut ground, fault as usize % 2, "kill -9 of one of two equal nodes").await;
    }

    // An upgrade that also splits the roles: what is new comes first, what is old goes when it has no callers.
    let mut orderly = true;
    let mut old = std::mem::take(&mut nodes.0);
    for roles in SPLIT {
        nodes.0.push((roles, ground.node(roles).await));
    }
    nodes.lead(&ground);
    ground.book.fault("two equal nodes replaced by six with split roles");
    for (_, node) in old.drain(..) {
        orderly &= stop(&mut ground, node).await;
    }
    for fault in 0..options.faults(3, 20) {
        tokio::time::sleep(options.pause(fault)).await;
        // One of each role after the other.
        let victim = (fault as usize * 2 + fault as usize / 3) % SPLIT.len();
        nodes.kill(&mut ground, victim, "kill -9 of a node with split roles").await;
    }

    // A rolling restart, of as many nodes as the form has time for.
    for place in 0..if options.short { 2 } else { SPLIT.len() } {
        tokio::time::sleep(options.pause(0)).await;
        let place = place * (SPLIT.len() - 1) % SPLIT.len();
        let roles = nodes.0[place].0;
        let new = ground.node(roles).await;
        let (_, old) = std::mem::replace(&mut nodes.0[place], (roles, new));
        nodes.lead(&ground);
        ground.book.fault("rolling restart of a node");
        orderly &= stop(&mut ground, old).await;
    }
    tokio::time::sleep(options.pause(0)).await;
    let nodes = nodes.0.into_iter().map(|(_, node)| node).collect();
    let (mut report, _) = ground.finish("nodes", load, nodes, &[]).await?;
    report.check(orderly, "every replaced node finished its work and stopped in order");
    Ok(report)
}

/// Asks a node to stop; tells whether it did so in order.
async fn stop(ground: &mut Ground, node: Process) -> bool {
    let ended = node.terminate().await;
    let orderly = ended.status.success();
    ground.ended(ended);
    orderly
}

/// Running nodes with their roles.
struct Nodes(Vec<(&'static str, Process)>);

impl Nodes {
    /// Lets the front know those that have the API.
    fn lead(&self, ground: &Ground) {
        let with_api = self.0.iter().filter(|(roles, _)| roles.contains("api"));
        ground.front.lead_to(with_api.map(|(_, node)| node.address()).collect());
    }

    /// Kills one and starts another in its place.
    async fn kill(&mut self, ground: &mut Ground, victim: usize, what: &'static str) {
        let (roles, node) = self.0.remove(victim);
        ground.book.fault(what);
        let killed = node.kill().await;
        ground.ended(killed);
        self.0.insert(victim, (roles, ground.node(roles).await));
        self.lead(ground);
    }
}
