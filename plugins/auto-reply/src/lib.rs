//! The default flow: every message gets one friendly answer, whatever it contains. Not those of groups: what people say
//! to each other is not for us to answer, least of all to each of them privately.
//!
//! The key makes the answer one per message, even when Meta delivers the message again.

use hoopoe_sdk::prelude::*;

#[flow]
fn auto_reply(ctx: &Context, event: &Event) -> FlowResult {
    let Event::Message(message) = event else { return Outcome::nothing() };
    if ctx.group_id().is_some() {
        return Outcome::nothing();
    }
    Outcome::reply(format!("thanks for reaching us\n- team {}", ctx.tenant.name))
        .idempotency_key(format!("auto-reply:{}", message.id))
}

#[cfg(test)]
mod tests {
    use hoopoe_sdk::{EventKind, StatusKind};

    use super::*;

    #[test]
    fn every_kind_of_message_is_answered_once() {
        let mut chat = testing::Harness::<auto_reply>::new();
        for (index, content) in testing::content::every_kind().into_iter().enumerate() {
            let key = format!("auto-reply:wamid.TEST{}", index + 1);
            chat.sends(content).expect_reply("thanks for reaching us\n- team Hoopoe Demo").expect_key(&key);
        }
    }

    #[test]
    fn the_team_is_the_tenants() {
        let mut chat = testing::Harness::<auto_reply>::new();
        chat.context_mut().tenant.name = "Caf\u{e9} \u{2615}".to_owned();
        chat.says("hi").expect_reply("thanks for reaching us\n- team Caf\u{e9} \u{2615}");
    }

    #[test]
    fn what_is_said_in_a_group_is_not_answered() {
        let mut chat = testing::Harness::<auto_reply>::new();
        chat.context_mut().attributes.push(("message.group-id".to_owned(), "\"g1\"".to_owned()));
        chat.says("hi, all").expect_silence();
        chat.context_mut().attributes.clear();
        chat.says("hi").expect_reply("thanks for reaching us\n- team Hoopoe Demo");
    }

    #[test]
    fn everything_else_is_met_with_silence() {
        assert_eq!(auto_reply::manifest().events, [EventKind::Message]);
        for event in [
            testing::status(StatusKind::Delivered),
            testing::timer("t", ""),
            testing::http_response("r", 200, "ok"),
            testing::other("call"),
        ] {
            testing::Harness::<auto_reply>::new().handles(&event).expect_silence();
            assert_eq!(auto_reply(&testing::context(), &event), Outcome::nothing());
        }
    }
}
