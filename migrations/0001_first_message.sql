-- The way of one message. Every tenant-owned table has tenant_id first in its primary key and in its foreign
-- keys: a row of one tenant cannot refer to another's, and the schema can be distributed by tenant.

-- Order is meaning: a message's status only ever moves to the greater of two. `failed` is final.
create type message_status as enum
    ('received', 'queued', 'sending', 'sent', 'delivered', 'read', 'played', 'failed');

create table tenants (
    id          uuid primary key,
    name        text not null check (char_length(name) between 1 and 200),
    -- The plugin that handles this tenant's events, its configuration, and the kinds of events it wants.
    flow        text not null default 'auto-reply',
    flow_config json not null default '{}',
    flow_wants  text[] not null default '{message}',
    created_at  timestamptz not null
);

create table api_keys (
    tenant_id  uuid not null references tenants (id),
    id         uuid not null,
    -- The first characters, so that people can tell keys apart; the key itself is not stored.
    prefix     text not null,
    sha256     bytea not null check (length(sha256) = 32),
    created_at timestamptz not null,
    revoked_at timestamptz,
    primary key (tenant_id, id)
);
create unique index api_keys_sha256 on api_keys (sha256);

create table channels (
    tenant_id            uuid not null references tenants (id),
    id                   uuid not null,
    kind                 text not null default 'whatsapp' check (kind = 'whatsapp'),
    phone_number_id      text not null,
    waba_id              text,
    display_phone_number text,
    -- AES-256-GCM; token_key_id names the key, which is derived from MASTER_KEY.
    token_sealed         bytea not null,
    token_key_id         text not null,
    -- Why Meta refuses this channel, when it does.
    suspended_at         timestamptz,
    suspended_reason     text,
    created_at           timestamptz not null,
    primary key (tenant_id, id)
);
create unique index channels_phone_number_id on channels (phone_number_id);
create index channels_waba_id on channels (waba_id) where waba_id is not null;

create table contacts (
    tenant_id    uuid not null references tenants (id),
    id           uuid not null,
    -- Digits only.
    wa_id        text,
    -- Meta's business-scoped user id.
    user_id      text,
    name         text,
    username     text,
    last_seen_at timestamptz,
    created_at   timestamptz not null,
    primary key (tenant_id, id),
    check (wa_id is not null or user_id is not null)
);
create unique index contacts_wa_id on contacts (tenant_id, wa_id) where wa_id is not null;
create unique index contacts_user_id on contacts (tenant_id, user_id) where user_id is not null;

create table conversations (
    tenant_id       uuid not null,
    id              uuid not null,
    channel_id      uuid not null,
    contact_id      uuid not null,
    -- What the flow left for its next run, and the plugin (name@version) that left it.
    state           bytea,
    state_plugin    text,
    last_inbound_at timestamptz,
    created_at      timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, channel_id, contact_id),
    foreign key (tenant_id, channel_id) references channels (tenant_id, id),
    foreign key (tenant_id, contact_id) references contacts (tenant_id, id)
) with (fillfactor = 80);

-- The journal: every item of every webhook, appended once, never changed.
create table events (
    tenant_id       uuid not null,
    id              bigint generated always as identity,
    channel_id      uuid not null,
    -- Set for what goes through a lane to the flow.
    conversation_id uuid,
    contact_id      uuid,
    -- message | status | the webhook field of anything else
    kind            text not null,
    -- Meta's message id; for other items a digest. Unique per channel: this is what makes a repeat harmless.
    external_id     text not null,
    -- The item exactly as it came.
    raw             json not null,
    -- What could not be read in it.
    note            text,
    occurred_at     timestamptz not null,
    received_at     timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, channel_id, kind, external_id),
    foreign key (tenant_id, channel_id) references channels (tenant_id, id)
);
create index events_lane on events (tenant_id, contact_id, id) where contact_id is not null;

-- Items that belong to no tenant: unknown numbers, unknown accounts.
create table unrouted_items (
    id          bigint generated always as identity primary key,
    route       text,
    field       text not null,
    reason      text not null,
    raw         json not null,
    -- SHA-256 of the item: a repeat is counted, not stored again.
    digest      bytea not null unique,
    times       bigint not null default 1,
    received_at timestamptz not null
);

-- One row per contact with work waiting at a stage. Whoever adds work locks the row first; whoever finishes deletes
-- it under its lock when nothing is left. So the table stays small, and no work is without a lane.
-- No foreign keys: they would cost more than the row's whole life.
create table lanes (
    tenant_id   uuid not null,
    contact_id  uuid not null,
    -- 0 flow, 1 delivery
    stage       smallint not null,
    -- When it may be claimed. A claim moves it to the lease's end, a retry to the end of the backoff.
    ready_at    timestamptz not null,
    -- Grows with every claim: what a former owner does is refused.
    lease_token bigint not null default 0,
    -- Flow stage: events up to this id are done. At creation the sequence's place, after the events that were done
    -- before; only when the creator had to wait for the lane may some lie behind it, and those have a final run.
    done_event  bigint not null,
    -- Flow stage: runs of the first event that is not done.
    attempts    integer not null default 0,
    primary key (tenant_id, contact_id, stage)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
-- For claims alone: the cast keeps a planner that does not know the table from reading all lanes of a stage by it
-- where the primary key is meant.
create index lanes_ready on lanes ((stage::integer), ready_at);
create sequence lease_tokens;

-- Every run of a flow: what it decided or why it failed.
create table flow_runs (
    tenant_id    uuid not null,
    event_id     bigint not null,
    attempt      integer not null,
    -- name@version of the plugin, and the SHA-256 of its bytes in hex
    plugin       text not null,
    digest       text not null,
    -- done | retry | the code of the failure
    result       text not null,
    reason       text,
    actions      integer not null,
    fuel         bigint not null,
    micros       bigint not null,
    memory_bytes bigint not null,
    logs         json,
    at           timestamptz not null,
    primary key (tenant_id, event_id, attempt),
    foreign key (tenant_id, event_id) references events (tenant_id, id)
);

create table messages (
    tenant_id       uuid not null,
    id              uuid not null,
    conversation_id uuid not null,
    direction       text not null check (direction in ('IN', 'OUT')),
    status          message_status not null,
    -- Meta's type: text, image, ...
    kind            text not null,
    -- What people read in a list: text, caption, title.
    body            text,
    -- OUT: the Graph API message without recipient and callback data.
    payload         json,
    -- Meta's id.
    wa_message_id   text,
    idempotency_key text,
    -- IN: the event that brought it. OUT: the event that it answers, if any.
    event_id        bigint,
    attempts        integer not null default 0,
    -- OUT: why it failed last, {"class", "code", "message", ...}.
    error           json,
    -- OUT: when it was given up.
    dead_at         timestamptz,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, conversation_id) references conversations (tenant_id, id)
) with (fillfactor = 80);
create unique index messages_idempotency_key on messages (tenant_id, idempotency_key)
    where idempotency_key is not null;
create index messages_wa_message_id on messages (tenant_id, wa_message_id) where wa_message_id is not null;

-- How a message got where it is, one row per step, appended.
create table message_statuses (
    tenant_id   uuid not null,
    message_id  uuid not null,
    id          bigint generated always as identity,
    status      text not null,
    -- Meta's clock for what Meta reports, ours for the rest.
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    -- The status item, or the error.
    detail      json,
    primary key (tenant_id, message_id, id),
    foreign key (tenant_id, message_id) references messages (tenant_id, id)
);
-- A repeated status webhook is stored once.
create unique index message_statuses_once on message_statuses (tenant_id, message_id, status, occurred_at);

-- Messages on their way out, in order per contact; deleted when settled.
create table outbox (
    tenant_id  uuid not null,
    contact_id uuid not null,
    -- Time-ordered (UUIDv7): the order within the lane.
    message_id uuid not null,
    channel_id uuid not null,
    -- queued: not tried, or surely not accepted. sending: a request may be on its way. unknown: a request was
    -- made and nobody knows whether Meta accepted it.
    state      text not null default 'queued' check (state in ('queued', 'sending', 'unknown')),
    attempts   integer not null default 0,
    -- When the request of state sending or unknown was begun.
    sending_at timestamptz,
    primary key (tenant_id, contact_id, message_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
