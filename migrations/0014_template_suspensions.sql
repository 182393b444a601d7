-- Templates that Meta has paused or disabled: their messages are not tried before `until`. A template belongs to a
-- business account: another account of the same tenant may have one of the same name, which is sent.
create table suspended_templates (
    tenant_id uuid not null references tenants (id),
    -- Meta's id of the account. Empty: of the tenant's numbers whose account nobody knows, as if they shared one.
    waba_id   text not null,
    -- As Meta knows the template.
    name      text not null,
    language  text not null,
    reason    text not null,
    at        timestamptz not null,
    until     timestamptz not null,
    primary key (tenant_id, waba_id, name, language)
);

-- template_suspensions, which knows no account, is what processes of the release before look at. The release after this
-- one drops it, and the function with its triggers. What one side suspends the other learns from Meta, by one message
-- that is refused. But what one side lets go out the other has to let go out too: it might be stopped for years.
create function lift_template_suspension() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'template_suspensions' then
        delete from suspended_templates s
        where s.tenant_id = old.tenant_id and s.name = old.name and s.language = old.language;
    else
        delete from template_suspensions s
        where s.tenant_id = old.tenant_id and s.name = old.name and s.language = old.language;
    end if;
    return null;
end
$$;
-- The depth: what this deletes from the other table does not come back as a deletion for all accounts.
create trigger lift after delete on template_suspensions
    for each row when (pg_trigger_depth() = 0) execute function lift_template_suspension();
create trigger lift after delete on suspended_templates
    for each row when (pg_trigger_depth() = 0) execute function lift_template_suspension();

-- Meta's webhooks and lists have told which account's a suspension is. Where they have not, it is left behind: this
-- costs one refused message, where a wrong account would be stopped until Meta happens to approve once more.
insert into suspended_templates (tenant_id, waba_id, name, language, reason, at, until)
select s.tenant_id, t.waba_id, s.name, s.language, s.reason, s.at, s.until
from template_suspensions s
join meta_templates t on t.tenant_id = s.tenant_id and t.name = s.name and t.language = s.language
where t.status in ('ARCHIVED', 'DELETED', 'DISABLED', 'IN_APPEAL', 'PAUSED', 'PENDING', 'PENDING_DELETION', 'REJECTED');
