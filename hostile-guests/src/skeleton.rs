//! What a guest needs besides its attack: memory, the exports of the contract, and words to write outcomes with.
//!
//! Layouts are those of the component model's canonical ABI for `wit/flow-0.1.0`.

use crate::strings;

/// Functions that are exported. A guest that has one of this name has it in place of this.
const EXPORTS: [(&str, &str, &str); 4] = [
    ("describe", "hoopoe:flow/handler@0.1.0#describe", "(result i32) (i32.const 512)"),
    ("on_event", "hoopoe:flow/handler@0.1.0#on-event", "(param i32) (result i32) (call $done)"),
    (
        "migrate_state",
        "hoopoe:flow/handler@0.1.0#migrate-state",
        // The same state: ok, address, length.
        "(param $v i32) (param $v_len i32) (param $at i32) (param $len i32) (result i32)
            (i32.store8 (i32.const 256) (i32.const 0))
            (i32.store (i32.const 260) (local.get $at))
            (i32.store (i32.const 264) (local.get $len))
            (i32.const 256)",
    ),
    (
        "realloc",
        "cabi_realloc",
        "(param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
            (global.set $free (i32.add (local.get $at) (local.get $size)))
            (loop $more
                (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
                    (then
                        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
                        (br $more))))
            (local.get $at)",
    ),
];

/// Fields that a guest may have in its own words: what tells that it has them, and what there is otherwise.
const FIELDS: [(&str, &str); 2] = [
    // 1 MiB and 64 KiB: the actions end at 1 MiB, and the heap begins there.
    ("(memory ", "(memory (export \"memory\") 17)"),
    ("(table ", "(table $table 1 funcref)"),
];

/// Exports that a guest has only when it writes them.
const OPTIONAL: [(&str, &str); 1] = [("post_on_event", "cabi_post_hoopoe:flow/handler@0.1.0#on-event")];

/// The manifest at 512: `guest`, `1.0.0`, wants messages, timers and answers of HTTP.
const MANIFEST: &str = r#"
    (data (i32.const 512)
        "\00\03\00\00\05\00\00\00" "\10\03\00\00\05\00\00\00" "\20\03\00\00\03\00\00\00"
        "\00\00\00\00" "\00\00\00\00\00\00\00\00")
    (data (i32.const 0x300) "guest")
    (data (i32.const 0x310) "1.0.0")
    (data (i32.const 0x320) "\00\02\03")"#;

/// Words to write outcomes with. Actions lie from 64 KiB on, 96 bytes each; headers at 2 KiB.
const WORDS: &str = r#"
    (global $free (mut i32) (i32.const 0x100000))
    (global $actions (mut i32) (i32.const 0))
    (global $headers (mut i32) (i32.const 0))
    (global $state (mut i32) (i32.const 0))
    (global $state_at (mut i32) (i32.const 0))
    (global $state_len (mut i32) (i32.const 0))
    ;; The outcome with all actions so far.
    (func $done (result i32)
        (memory.fill (i32.const 1024) (i32.const 0) (i32.const 24))
        (i32.store (i32.const 1028) (i32.const 65536))
        (i32.store (i32.const 1032) (global.get $actions))
        (i32.store (i32.const 1036) (global.get $state))
        (i32.store (i32.const 1040) (global.get $state_at))
        (i32.store (i32.const 1044) (global.get $state_len))
        (i32.const 1024))
    ;; The next state.
    (func $keep (param $at i32) (param $len i32)
        (global.set $state (i32.const 1))
        (global.set $state_at (local.get $at))
        (global.set $state_len (local.get $len)))
    ;; flow-error: 0 retry, 1 reject.
    (func $fail (param $kind i32) (param $at i32) (param $len i32) (result i32)
        (i32.store (i32.const 1024) (i32.const 1))
        (i32.store (i32.const 1028) (local.get $kind))
        (i32.store (i32.const 1032) (local.get $at))
        (i32.store (i32.const 1036) (local.get $len))
        (i32.const 1024))
    ;; A new action of this kind, all zero; gives where its fields begin.
    (func $act (param $kind i32) (result i32) (local $at i32)
        (local.set $at (i32.add (i32.const 65536) (i32.mul (global.get $actions) (i32.const 96))))
        (global.set $actions (i32.add (global.get $actions) (i32.const 1)))
        (memory.fill (local.get $at) (i32.const 0) (i32.const 96))
        (i32.store8 (local.get $at) (local.get $kind))
        (i32.add (local.get $at) (i32.const 8)))
    ;; Send something whose content begins with a string: 0 text, 8 buttons, 9 list, 10 template, 11 stored, 12 raw.
    (func $send (param $kind i32) (param $at i32) (param $len i32) (result i32) (local $send i32)
        (local.set $send (call $act (i32.const 0)))
        (i32.store8 (local.get $send) (local.get $kind))
        (i32.store offset=8 (local.get $send) (local.get $at))
        (i32.store offset=12 (local.get $send) (local.get $len))
        (local.get $send))
    (func $reply (param $at i32) (param $len i32)
        (drop (call $send (i32.const 0) (local.get $at) (local.get $len))))
    ;; The idempotency key of a send.
    (func $key (param $send i32) (param $at i32) (param $len i32)
        (i32.store8 offset=76 (local.get $send) (i32.const 1))
        (i32.store offset=80 (local.get $send) (local.get $at))
        (i32.store offset=84 (local.get $send) (local.get $len)))
    (func $header (param $name i32) (param $name_len i32) (param $value i32) (param $value_len i32) (local $at i32)
        (local.set $at (i32.add (i32.const 2048) (i32.mul (global.get $headers) (i32.const 16))))
        (global.set $headers (i32.add (global.get $headers) (i32.const 1)))
        (i32.store (local.get $at) (local.get $name))
        (i32.store offset=4 (local.get $at) (local.get $name_len))
        (i32.store offset=8 (local.get $at) (local.get $value))
        (i32.store offset=12 (local.get $at) (local.get $value_len)))
    ;; GET, with all headers so far.
    (func $http (param $url i32) (param $url_len i32) (local $at i32)
        (local.set $at (call $act (i32.const 2)))
        (i32.store (local.get $at) (i32.const 1536))
        (i32.store offset=4 (local.get $at) (i32.const 4))
        (i32.store offset=8 (local.get $at) (i32.const 1540))
        (i32.store offset=12 (local.get $at) (i32.const 3))
        (i32.store offset=16 (local.get $at) (local.get $url))
        (i32.store offset=20 (local.get $at) (local.get $url_len))
        (i32.store offset=24 (local.get $at) (i32.const 2048))
        (i32.store offset=28 (local.get $at) (global.get $headers))
        (i32.store offset=40 (local.get $at) (i32.const 5000)))
    (data (i32.const 1536) "callGET")
    (func $schedule (param $name i32) (param $name_len i32) (param $due i64) (local $at i32)
        (local.set $at (call $act (i32.const 3)))
        (i32.store (local.get $at) (local.get $name))
        (i32.store offset=4 (local.get $at) (local.get $name_len))
        (i64.store offset=8 (local.get $at) (local.get $due)))
    ;; A string that is all there is of an action: 4 cancel, 5 hand-off, 6 tag.
    (func $plain (param $kind i32) (param $string i32) (param $len i32) (local $at i32)
        (local.set $at (call $act (local.get $kind)))
        (i32.store (local.get $at) (local.get $string))
        (i32.store offset=4 (local.get $at) (local.get $len))
        (i32.store8 offset=8 (local.get $at) (i32.const 1)))
    ;; What the parameters of on-event hold: kind of event, text of a message, reason of an HTTP call without answer.
    (func $kind (param $event i32) (result i32) (i32.load8_u offset=168 (local.get $event)))
    (func $text (param $event i32) (result i32 i32)
        (i32.load offset=200 (local.get $event)) (i32.load offset=204 (local.get $event)))
    (func $now (param $event i32) (result i64) (i64.load offset=128 (local.get $event)))
    ;; Reply with the reason why an HTTP call has no answer, or `answered`.
    (func $tell (param $event i32)
        (if (i32.load8_u offset=184 (local.get $event))
            (then (call $reply (i32.load offset=188 (local.get $event)) (i32.load offset=192 (local.get $event))))
            (else (call $reply (i32.const 1552) (i32.const 8)))))
    (data (i32.const 1552) "answered")"#;

/// The whole core module.
pub(crate) fn module(fields: &str) -> String {
    let (fields, strings) = strings::place(fields);
    let has = |function: &str| {
        fields.contains(&format!("(func ${function} ")) || fields.contains(&format!("(func ${function}\n"))
    };
    let mut module = String::from(
        r#"(module
    (import "hoopoe:flow/host@0.1.0" "log" (func $log (param i32 i32 i32)))
    (import "hoopoe:flow/host@0.1.0" "abort" (func $abort (param i32 i32)))
"#,
    );
    for (sign, field) in FIELDS {
        if !fields.contains(sign) {
            module.push_str(field);
        }
    }
    for (function, export, body) in EXPORTS {
        module.push_str(&format!("(export \"{export}\" (func ${function}))\n"));
        if !has(function) {
            module.push_str(&format!("(func ${function} {body})\n"));
        }
    }
    for (function, export) in OPTIONAL {
        if has(function) {
            module.push_str(&format!("(export \"{export}\" (func ${function}))\n"));
        }
    }
    if !fields.contains("(data (i32.const 512)") {
        module.push_str(MANIFEST);
    }
    module + WORDS + &strings + &fields + ")"
}
