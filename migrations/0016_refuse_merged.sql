-- Whoever adds work for contacts asks this under the locks of their lanes, in the statement that adds it: none of them has
-- been merged into another, or nothing of the statement happens. A condition in the statement itself would look at the
-- table as it was before the statement waited for a lane; a function looks at it as it is.
create function refuse_merged(tenant_ids uuid[], contact_ids uuid[]) returns boolean language plpgsql volatile as $$
begin
    -- Primary key.
    if exists (select from unnest(tenant_ids, contact_ids) as k (tenant_id, contact_id)
               join merged_contacts g on g.tenant_id = any (array[k.tenant_id]) and g.contact_id = k.contact_id) then
        raise exception 'a contact was merged into another meanwhile' using errcode = 'HP001';
    end if;
    return true;
end
$$;
