-- Messages that are to be sent at a later time.

-- OUT: not before this moment; null: as soon as it was queued.
alter table messages add column send_at timestamptz;

-- Messages whose time is to come. They wait here, in no lane, and so hold nothing back; one that is due goes into the
-- outbox, behind what waits for its contact by then. No foreign keys, as for `outbox`.
create table scheduled (
    tenant_id  uuid not null,
    message_id uuid not null,
    contact_id uuid not null,
    channel_id uuid not null,
    send_at    timestamptz not null,
    -- That of its lane, when it is due.
    priority   smallint not null,
    primary key (tenant_id, message_id)
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
-- When the next is due.
create index scheduled_next on scheduled (send_at);
-- Those of a tenant that are due, in their order.
create index scheduled_due on scheduled (tenant_id, send_at, message_id);
