-- Most lanes belong to somebody from their birth to their end. An index of all of them would be made of entries of lanes
-- long gone, which claims step over; and while a long query on the history keeps Postgres from cleaning up, it would only
-- grow. So claims look at lanes without an owner, and what an owner that is gone has left is looked for apart, each second.
-- The casts are there for the reason in 0001.
create index lanes_waiting on lanes ((stage::integer), tenant_id, priority, ready_at) where lease_token = 0;
create index lanes_leased on lanes ((stage::integer), ready_at) where lease_token <> 0;
drop index lanes_fair;
