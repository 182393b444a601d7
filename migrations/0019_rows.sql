-- What the statements of a message's way are given: one array of rows each, in place of an array per column. Postgres takes
-- that apart in a fifth of the time, which for a single message is a fifth of the whole statement. The fields are in the
-- order in which they are sent (structs of the same names in runtime/store). A statement that needs another field gets
-- another type: processes of the release before go on with theirs.

create type new_lane as (tenant_id uuid, contact_id uuid, own boolean);

create type new_event as (
    tenant_id       uuid,
    channel_id      uuid,
    conversation_id uuid,
    contact_id      uuid,
    kind            text,
    external_id     text,
    raw             text,
    note            text,
    occurred_at     timestamptz,
    received_at     timestamptz,
    traceparent     text,
    -- Of its message, if it has one.
    message_id      uuid,
    message_kind    text,
    body            text
);

create type new_message as (
    tenant_id       uuid,
    id              uuid,
    conversation_id uuid,
    contact_id      uuid,
    channel_id      uuid,
    kind            text,
    body            text,
    payload         text,
    idempotency_key text,
    event_id        bigint,
    send_at         timestamptz,
    expires_at      timestamptz,
    max_attempts    integer,
    traceparent     text,
    marketing       boolean,
    -- It is held against the 24-hour window.
    free_form       boolean,
    -- Its lane shall belong to who opens it.
    own             boolean,
    priority        smallint,
    -- Its time is to come.
    is_later        boolean,
    -- The number of the flow's lane that it is written with; 0: of none.
    lane            integer
);

create type lane_end as (
    lane       integer,
    tenant_id  uuid,
    contact_id uuid,
    token      bigint,
    touched    integer,
    more       boolean,
    again      timestamptz,
    attempts   integer,
    done_event bigint
);

create type new_run as (
    lane            integer,
    tenant_id       uuid,
    event_id        bigint,
    attempt         integer,
    plugin          text,
    digest          text,
    result          text,
    reason          text,
    actions         integer,
    fuel            bigint,
    micros          bigint,
    memory_bytes    bigint,
    logs            text,
    conversation_id uuid,
    context         text,
    config_id       bigint,
    state           bytea,
    outcome         text
);

create type next_state as (
    lane            integer,
    tenant_id       uuid,
    conversation_id uuid,
    changed         boolean,
    state           bytea,
    plugin          text,
    digest          text,
    hand_off        text
);

create type settlement as (
    tenant_id     uuid,
    contact_id    uuid,
    token         bigint,
    touched       integer,
    more          boolean,
    message_id    uuid,
    again         timestamptz,
    status        text,
    wa_message_id text,
    error         text,
    attempts      integer,
    state         text,
    uncounted     integer
);

create type new_status as (
    tenant_id     uuid,
    id            uuid,
    wa_message_id text,
    status        text,
    occurred_at   timestamptz,
    detail        text,
    step          text,
    error         text
);
