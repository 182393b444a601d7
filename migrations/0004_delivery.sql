-- What delivery knows of a message besides its content, and what becomes of those that were given up.

-- Taken back before it was sent.
alter type message_status add value 'canceled' before 'failed';

alter table messages
    -- OUT: not sent after this moment; null: MESSAGE_VALIDITY after it was queued.
    add column expires_at   timestamptz,
    -- OUT: requests at the most; null: DELIVERY_RETRIES and one.
    add column max_attempts integer check (max_attempts > 0);
create index messages_dead on messages (tenant_id, id) where dead_at is not null;

-- Meta's own default when null: NUMBER_RATE.
alter table channels add column messages_per_second double precision check (messages_per_second > 0);

-- Templates that Meta has paused or disabled: their messages are not tried before `until`.
create table template_suspensions (
    tenant_id uuid not null references tenants (id),
    -- As Meta knows the template.
    name      text not null,
    language  text not null,
    reason    text not null,
    at        timestamptz not null,
    until     timestamptz not null,
    primary key (tenant_id, name, language)
);
