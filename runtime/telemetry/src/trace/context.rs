//! What names a span to other processes: W3C Trace Context, the header `traceparent`.

use std::fmt;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// A sampled span of some process. As text it is a `traceparent` of version 00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
}

impl TraceContext {
    /// Reads a `traceparent`. Nothing when it is malformed, or says that the trace is not sampled.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text).and_then(|(context, sampled)| sampled.then_some(context))
    }

    /// Reads a `traceparent`, and whether it says that the trace is sampled. Nothing when it is malformed.
    /// Source: <https://www.w3.org/TR/trace-context/#traceparent-header>.
    pub(super) fn read(text: &str) -> Option<(Self, bool)> {
        let mut parts = text.trim().split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let sized = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
        // Later versions may have more parts.
        let known = version == "00" && parts.next().is_none() || version != "00" && version != "ff";
        if !known || !sized.into_iter().all(|(part, length)| part.len() == length && lower(part)) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some((Self { trace_id, span_id }, sampled))
    }

    pub(super) fn of(span: &SpanContext) -> Option<Self> {
        (span.is_valid() && span.is_sampled()).then(|| Self {
            trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(span.span_id().to_bytes()),
        })
    }

    pub(super) fn remote(self) -> SpanContext {
        SpanContext::new(
            TraceId::from_bytes(self.trace_id.to_be_bytes()),
            SpanId::from_bytes(self.span_id.to_be_bytes()),
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        )
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace_id, self.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(text).expect("it is well-formed");
        assert_eq!(context.to_string(), text);
        assert_eq!(TraceContext::of(&context.remote()), Some(context));
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more";
        assert_eq!(TraceContext::parse(later), Some(context));
    }

    #[test]
    fn what_is_malformed_or_not_sampled_is_nothing() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text:?}");
        }
    }
}
