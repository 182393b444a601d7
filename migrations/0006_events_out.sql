-- Tenants' own endpoints, told what happens to their messages and flows, and alerts.

create table webhooks (
    tenant_id         uuid not null references tenants (id),
    id                uuid not null,
    url               text not null,
    -- What it wants to be told: names of types, `message.*`, or `*`.
    types             text[] not null,
    description       text,
    -- AES-256-GCM; key_id names the key, which is derived from MASTER_KEY. The former secret signs along until `until`.
    secret_sealed     bytea not null,
    secret_key_id     text not null,
    former_sealed     bytea,
    former_key_id     text,
    former_until      timestamptz,
    -- Since when it is told nothing, and why.
    disabled_at       timestamptz,
    disabled_reason   text,
    -- Since when every attempt has failed, and the last of those that did.
    failing_since     timestamptz,
    last_failure      text,
    last_failure_at   timestamptz,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    primary key (tenant_id, id)
) with (fillfactor = 80);

-- Notices on their way, one row per endpoint; deleted when settled. A row is its own place in the queue: a claim moves
-- ready_at to the end of a lease.
create table webhook_queue (
    tenant_id   uuid not null,
    webhook_id  uuid not null,
    -- The header webhook-id: derived from the cause.
    notice_id   text not null,
    type        text not null,
    -- What is signed and sent, as it is.
    body        text not null,
    attempts    integer not null default 0,
    ready_at    timestamptz not null,
    lease_token bigint not null default 0,
    -- Of the last attempt that was answered or failed.
    response_status smallint,
    response    text,
    created_at  timestamptz not null
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
-- The primary key comes after the other indexes: to a planner that does not know the table yet they look alike, and it
-- takes the last.
create index webhook_queue_ready on webhook_queue (tenant_id, webhook_id, ready_at);
alter table webhook_queue add primary key (tenant_id, webhook_id, notice_id);

-- What became of notices. Removed after RUN_RETENTION.
create table webhook_deliveries (
    tenant_id   uuid not null,
    webhook_id  uuid not null,
    notice_id   text not null,
    type        text not null,
    body        text not null,
    delivered   boolean not null,
    attempts    integer not null,
    response_status smallint,
    response    text,
    created_at  timestamptz not null,
    settled_at  timestamptz not null
);
create index webhook_deliveries_made on webhook_deliveries (tenant_id, webhook_id, created_at);
create index webhook_deliveries_failed on webhook_deliveries (tenant_id, webhook_id, created_at) where not delivered;
alter table webhook_deliveries add primary key (tenant_id, webhook_id, notice_id);

-- A tenant's alerts: bounds of its own, and whether one is raised. Without a row nothing is, and the defaults count.
create table alerts (
    tenant_id      uuid not null references tenants (id),
    kind           text not null check (kind in ('dead_letters', 'queue_age')),
    -- dead_letters: more than so many within the period. queue_age: older than so many seconds. Null: the default.
    threshold      integer check (threshold >= 0),
    -- Null: the default.
    period_seconds integer check (period_seconds > 0),
    raised_at      timestamptz,
    -- Null while it is raised.
    resolved_at    timestamptz,
    primary key (tenant_id, kind)
);

-- Dead letters are counted by when they died. The other index of dead letters comes last again, for the reason above.
create index messages_died on messages (tenant_id, dead_at) where dead_at is not null;
drop index messages_dead;
create index messages_dead on messages (tenant_id, id) where dead_at is not null;
