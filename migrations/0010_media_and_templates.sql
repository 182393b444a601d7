-- Files of messages, and what Meta says of a tenant's templates.

-- A file that came in waits here to be fetched: a row is its own place in the queue, a claim moves ready_at to the end of a
-- lease. Removed, with its bytes, after MEDIA_RETENTION.
create table media (
    tenant_id   uuid not null references tenants (id),
    -- Meta's id of a file that came in; `media_...` for one that was uploaded here.
    id          text not null,
    origin      text not null check (origin in ('inbound', 'upload')),
    -- The number that it came to.
    channel_id  uuid,
    mime_type   text,
    filename    text,
    -- As the message says it, until it is stored.
    sha256      bytea,
    size        bigint,
    state       text not null check (state in ('pending', 'stored', 'failed')),
    -- Why it failed, or was not fetched yet.
    reason      text,
    attempts    integer not null default 0,
    ready_at    timestamptz not null,
    lease_token bigint not null default 0,
    created_at  timestamptz not null,
    stored_at   timestamptz,
    primary key (tenant_id, id),
    check (origin = 'upload' or channel_id is not null)
);
create index media_waiting on media (ready_at) where state = 'pending' and origin = 'inbound';
create index media_age on media (tenant_id, created_at);
-- What a tenant's files take.
create index media_stored on media (tenant_id) include (size) where state = 'stored';

-- Under which id Meta knows an uploaded file, by number.
create table media_uploads (
    tenant_id   uuid not null,
    media_id    text not null,
    channel_id  uuid not null,
    meta_id     text not null,
    -- Meta forgets it then.
    expires_at  timestamptz not null,
    primary key (tenant_id, media_id, channel_id),
    foreign key (tenant_id, media_id) references media (tenant_id, id) on delete cascade
);

-- Templates as Meta has them. Each part goes with the moment at which Meta told it: what is older changes nothing.
create table meta_templates (
    tenant_id     uuid not null references tenants (id),
    waba_id       text not null,
    name          text not null,
    language      text not null,
    meta_id       text,
    -- Meta's word: APPROVED, PENDING, REJECTED, PAUSED, DISABLED, ...
    status        text not null,
    reason        text,
    status_at     timestamptz not null,
    category      text,
    -- The category that will count, when Meta announced a change.
    next_category text,
    category_at   timestamptz not null,
    quality       text,
    quality_at    timestamptz not null,
    -- Meta's list; null until it was read.
    components    json,
    -- Meta said that they have changed since.
    stale         boolean not null,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    primary key (tenant_id, waba_id, name, language)
);
