//! Redis is shared memory and no truth: it is flushed, killed and started again under the load of two nodes that use
//! it, and nobody outside may notice.

use anyhow::Result;
use hoopoe_testing::RedisServer;

use crate::ground::{ALL_ROLES, Ground};
use crate::options::Options;
use crate::report::Report;

/// Lines about Redis that a node may write for each fault: more of them are no news.
const LINES: usize = 2;

/// None when no Redis is installed.
pub async fn run(options: &Options) -> Result<Option<Report>> {
    let Some(mut redis) = RedisServer::start().await else { return Ok(None) };
    let mut ground = Ground::prepare(options).await?;
    ground.set("REDIS_URL", &redis.url());
    let nodes = vec![ground.node(ALL_ROLES).await, ground.node(ALL_ROLES).await];
    let most = nodes.len() * LINES;
    ground.front.lead_to(nodes.iter().map(|node| node.address()).collect());
    let load = ground.begin().await;
    let mut kills = 0;
    for fault in 0..options.faults(3, 30) {
        tokio::time::sleep(options.pause(fault)).await;
        if fault % 3 == 0 {
            redis.flush();
            ground.book.fault("Redis flushed");
            continue;
        }
        ground.book.fault("Redis killed");
        kills += 1;
        redis.stop().await;
        tokio::time::sleep(options.pause(fault)).await;
        redis.restart().await;
        ground.book.fault("Redis started again, empty");
    }
    tokio::time::sleep(options.pause(0)).await;
    let (mut report, ground) = ground.finish("redis", load, nodes, &[]).await?;
    let refused = report.notes.answers.get("webhook 503").copied().unwrap_or_default();
    report.check(refused == 0, "no webhook was refused for want of Redis");
    let (errors, warnings) = (ground.lines("ERROR", "redis"), ground.lines("WARN", "redis"));
    report.check(errors == 0, format!("no error was logged for want of Redis ({errors} were)"));
    let most = most * report.notes.faults.len();
    report.check(warnings <= most, format!("the log is calm: {warnings} warnings about Redis, at most {most}"));
    report.check(warnings > 0 || kills == 0, "the log tells that Redis was away");
    Ok(Some(report))
}
