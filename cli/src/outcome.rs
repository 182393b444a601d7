//! Outcomes of runs, as the API writes them (names of the contract), for people to read.

use serde_json::Value;

use crate::output::text;

/// An action per line, and what becomes of the state.
pub fn lines(outcome: &Value) -> Vec<String> {
    let mut lines: Vec<String> = outcome["actions"].as_array().into_iter().flatten().map(action).collect();
    match &outcome["state"] {
        Value::String(state) if state == "clear" => lines.push("state: cleared".to_owned()),
        Value::Object(state) => lines.push(format!("state: replaced ({} bytes)", base64_bytes(&state["replace"]))),
        _ => {}
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}

fn action(action: &Value) -> String {
    let Some((kind, value)) = action.as_object().and_then(|object| object.iter().next()) else {
        return action.to_string();
    };
    match kind.as_str() {
        "send" => format!("send {}", content(&value["content"])),
        "mark-read" => "mark-read".to_owned(),
        "http-request" => format!("http-request {} {}", text(&value["method"]), text(&value["url"])),
        "schedule" => format!("schedule {} for {}", text(&value["name"]), due(&value["due"])),
        "tag" if value["present"] == false => format!("untag {}", text(&value["name"])),
        "tag" => format!("tag {}", text(&value["name"])),
        _ => format!("{kind} {}", text(value)),
    }
}

fn content(content: &Value) -> String {
    let Some((kind, value)) = content.as_object().and_then(|object| object.iter().next()) else {
        return content.to_string();
    };
    match (kind.as_str(), value["body"].as_str()) {
        ("text", Some(body)) => format!("{body:?}"),
        ("buttons", Some(body)) => format!("{body:?} {}", titles(value["buttons"].as_array())),
        ("list", Some(body)) => format!("{body:?} [{}]", text(&value["button"])),
        ("stored", _) => format!("stored template {}", text(&value["key"])),
        ("template", _) => format!("template {} ({})", text(&value["name"]), text(&value["language"])),
        ("reaction", _) => format!("reaction {}", text(&value["emoji"])),
        _ => format!("{kind} {}", text(value)),
    }
}

fn titles(buttons: Option<&Vec<Value>>) -> String {
    let title = |button: &Value| format!("[{}]", text(&button["title"]));
    buttons.into_iter().flatten().map(title).collect::<Vec<_>>().join(" ")
}

fn due(value: &Value) -> String {
    let at = value.as_i64().and_then(chrono::DateTime::from_timestamp_millis);
    at.map_or_else(|| text(value), |at| at.with_timezone(&chrono::Local).format("%Y-%m-%d %H:%M:%S").to_string())
}

fn base64_bytes(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count().min(text.len() / 4 * 3)
}

/// The log lines of a run.
pub fn logs(logs: &Value) -> Vec<String> {
    let line = |line: &Value| format!("{}: {}", text(&line["level"]), text(&line["message"]));
    logs.as_array().into_iter().flatten().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outcome_is_read_line_by_line() {
        let outcome = json!({
            "actions": [
                { "send": { "content": { "text": { "body": "hi", "preview-url": false } } } },
                { "send": { "content": { "buttons": { "body": "Sure?", "buttons": [{ "id": "y", "title": "Yes" }] } } } },
                { "send": { "content": { "stored": { "key": "welcome" } } } },
                { "http-request": { "method": "GET", "url": "https://x/y" } },
                { "tag": { "name": "vip", "present": false } },
                { "cancel": "t" },
                { "hand-off": "angry" },
            ],
            "state": { "replace": "e30=" },
        });
        assert_eq!(
            lines(&outcome),
            [
                "send \"hi\"",
                "send \"Sure?\" [Yes]",
                "send stored template welcome",
                "http-request GET https://x/y",
                "untag vip",
                "cancel t",
                "hand-off angry",
                "state: replaced (2 bytes)",
            ]
        );
        assert_eq!(lines(&json!({ "actions": [], "state": "keep" })), ["nothing"]);
        assert_eq!(lines(&json!({ "actions": [], "state": "clear" })), ["state: cleared"]);
        assert_eq!(lines(&json!({ "actions": [], "state": { "replace": "" } })), ["state: replaced (0 bytes)"]);
        assert_eq!(logs(&json!([{ "level": "info", "message": "x" }])), ["info: x"]);
    }
}
