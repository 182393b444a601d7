-- What Meta approves is sent again, whichever table it is stopped in: a process of the release before, which has nothing
-- to delete in its own, says so by the template's state alone.
create function lift_approved_template() returns trigger language plpgsql as $$
begin
    delete from suspended_templates s
    where s.tenant_id = new.tenant_id and s.waba_id = new.waba_id and s.name = new.name and s.language = new.language;
    delete from template_suspensions s
    where s.tenant_id = new.tenant_id and s.name = new.name and s.language = new.language;
    return null;
end
$$;
create trigger lift after update on meta_templates
    for each row when (new.status = 'APPROVED' and old.status <> 'APPROVED') execute function lift_approved_template();

delete from suspended_templates s using meta_templates m
where m.tenant_id = s.tenant_id and m.waba_id = s.waba_id and m.name = s.name and m.language = s.language
  and m.status = 'APPROVED' and m.status_at > s.at;
