-- no-transaction
-- What Meta tells besides messages and their progress, as the API lists it: calls, history, groups, accounts, echoes. It
-- is little among much, and no other index finds it.
create index concurrently events_told on events (tenant_id, id)
    where conversation_id is null and kind not in ('status', 'delivery', 'read');
