-- Where a trace goes on in another process: the W3C traceparent of the span that an event came with, and of the one that
-- queued a message. Null unless tracing is on and the trace is sampled.
alter table events   add column traceparent text;
alter table messages add column traceparent text;
