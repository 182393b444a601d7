//! Which tenants' tables a query uses, and which of these it does not tie to a tenant.
//!
//! A table is tied by `=` between its `tenant_id` and a parameter, a column of what is no tenant's table, or the
//! `tenant_id` of a table that is tied itself. Only `where` and `on` tie, at their own level and without an `or` beside
//! it. A row that is put in is tied when its columns name the tenant. This is no parser of SQL: what it does not
//! understand it takes for untied.

use std::collections::HashSet;

/// Where a clause begins.
const CLAUSES: &str = "select insert delete with values from using join left right inner full cross natural on where \
                       set into group having window order limit offset for returning";
/// What a query in brackets begins with.
const QUERIES: [&str; 6] = ["select", "insert", "update", "delete", "with", "values"];
/// What operators consist of.
const SIGNS: &str = "=<>!|+-*/%";

/// What was found in a query.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// How often tenants' tables are used.
    pub uses: usize,
    /// The uses that name no tenant, by the table's name there.
    pub untied: Vec<String>,
}

/// Looks at a query; `owned` are the tables with a column `tenant_id`.
pub fn ties(query: &str, owned: &HashSet<String>) -> Ties {
    let query = query.to_lowercase();
    let mut reader = Reader { owned, found: Ties::default() };
    reader.query(&tokens(&mut query.as_str()));
    reader.found
}

/// A word or an operator, or what stands in brackets.
enum Token<'q> {
    Word(&'q str),
    Group(Vec<Token<'q>>),
}

impl<'q> Token<'q> {
    fn word(&self) -> &'q str {
        match self {
            Token::Word(word) => word,
            Token::Group(_) => "(",
        }
    }
}

/// Up to the bracket that closes, or the end. Texts are one word each, comments are left out.
fn tokens<'q>(rest: &mut &'q str) -> Vec<Token<'q>> {
    let is_of_word = |c: char| c.is_alphanumeric() || "_.$:".contains(c);
    let mut found = Vec::new();
    loop {
        let text: &'q str = rest.trim_start();
        let Some(first) = text.chars().next() else {
            *rest = text;
            return found;
        };
        if text.starts_with("--") {
            *rest = text.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let length = match first {
            '\'' | '"' => text[1..].find(first).map_or(text.len(), |end| end + 2),
            _ if is_of_word(first) => text.find(|c: char| !is_of_word(c)).unwrap_or(text.len()),
            _ => text.find(|c: char| !SIGNS.contains(c)).unwrap_or(text.len()).max(first.len_utf8()),
        };
        let (word, after) = text.split_at(length);
        *rest = after;
        match word {
            "(" | "[" => found.push(Token::Group(tokens(rest))),
            ")" | "]" => return found,
            _ => found.push(Token::Word(word)),
        }
    }
}

fn is_query(tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|first| QUERIES.contains(&first.word()))
}

/// Each clause with the word that it begins with; what stands before all of them counts as `first`.
fn clauses<'t, 'q>(tokens: &'t [Token<'q>], first: &'q str) -> Vec<(&'q str, &'t [Token<'q>])> {
    let begins = |place: usize| {
        let before = place.checked_sub(1).map_or("", |before| tokens[before].word());
        match tokens[place].word() {
            "from" => before != "distinct",
            "update" => !["for", "key", "do"].contains(&before),
            word => CLAUSES.split_whitespace().any(|clause| clause == word),
        }
    };
    let starts: Vec<usize> = (0..tokens.len()).filter(|place| begins(*place)).collect();
    let ends = starts.iter().skip(1).copied().chain([tokens.len()]);
    let begun = starts.iter().zip(ends).map(|(start, end)| (tokens[*start].word(), &tokens[start + 1..end]));
    let head = &tokens[..starts.first().copied().unwrap_or(tokens.len())];
    [(first, head)].into_iter().chain(begun).collect()
}

fn items<'t, 'q>(tokens: &'t [Token<'q>]) -> impl Iterator<Item = &'t [Token<'q>]> {
    tokens.split(|token| token.word() == ",")
}

/// One `select`, `update` or `delete`.
#[derive(Default)]
struct Block<'q> {
    /// What tenants' tables are called in it.
    names: Vec<&'q str>,
    /// Both sides of what must be equal.
    equal: Vec<(&'q str, &'q str)>,
}

impl<'q> Block<'q> {
    /// Takes the equalities of a condition, unless something else would do as well.
    fn condition(&mut self, tokens: &[Token<'q>]) {
        if tokens.iter().any(|token| token.word() == "or") {
            return;
        }
        for place in 1..tokens.len() {
            if tokens[place].word() == "=" {
                self.equal.push((tokens[place - 1].word(), compared(&tokens[place + 1..])));
            }
        }
    }

    /// The name of the table whose tenant a column is.
    fn owner(&self, column: &'q str) -> Option<&'q str> {
        let name = match (column.split_once('.'), self.names.as_slice()) {
            (Some((name, "tenant_id")), _) => name,
            (None, [only]) if column == "tenant_id" => *only,
            _ => return None,
        };
        self.names.contains(&name).then_some(name)
    }

    fn untied(&self) -> Vec<&'q str> {
        let mut tied: HashSet<&str> = HashSet::new();
        loop {
            let before = tied.len();
            for (one, other) in self.equal.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]) {
                if let Some(name) = self.owner(one)
                    && self.owner(other).is_none_or(|other| tied.contains(other))
                {
                    tied.insert(name);
                }
            }
            if tied.len() == before {
                return self.names.iter().copied().filter(|name| !tied.contains(name)).collect();
            }
        }
    }
}

/// The right side of a comparison: of `any (array[k.tenant_id])` what stands inside.
fn compared<'q>(tokens: &[Token<'q>]) -> &'q str {
    match tokens {
        [Token::Word("any" | "array"), Token::Group(inner), ..] => compared(inner),
        [first, ..] => first.word(),
        [] => "",
    }
}

struct Reader<'o> {
    owned: &'o HashSet<String>,
    found: Ties,
}

impl Reader<'_> {
    /// A query, or several that `union` puts together, with all that are nested in them.
    fn query(&mut self, tokens: &[Token]) {
        for part in tokens.split(|token| ["union", "except", "intersect"].contains(&token.word())) {
            let mut block = Block::default();
            self.clauses(part, "", &mut block);
            self.nested(part);
            self.found.uses += block.names.len();
            self.found.untied.extend(block.untied().into_iter().map(str::to_owned));
        }
    }

    fn nested(&mut self, tokens: &[Token]) {
        for token in tokens {
            if let Token::Group(inner) = token {
                if is_query(inner) { self.query(inner) } else { self.nested(inner) }
            }
        }
    }

    fn clauses<'q>(&mut self, tokens: &[Token<'q>], first: &'q str, block: &mut Block<'q>) {
        for (word, clause) in clauses(tokens, first) {
            match word {
                "from" | "using" | "join" | "update" => items(clause).for_each(|item| self.table(item, block)),
                "on" => {
                    // A comma behind the condition of a join leads to the next table.
                    let mut items = items(clause);
                    block.condition(items.next().unwrap_or_default());
                    items.for_each(|item| self.table(item, block));
                }
                "where" => block.condition(clause),
                "into" => self.row(clause),
                _ => {}
            }
        }
    }

    /// A table with its name, or tables in brackets.
    fn table<'q>(&mut self, item: &[Token<'q>], block: &mut Block<'q>) {
        match item {
            [Token::Word("lateral" | "only"), item @ ..] => self.table(item, block),
            [Token::Group(inner), ..] if !is_query(inner) => self.clauses(inner, "from", block),
            [table, behind @ ..] if self.owns(table.word()) => {
                let mut names = behind.iter().map(Token::word).filter(|word| *word != "as");
                block.names.push(names.next().unwrap_or_else(|| bare(table.word())));
            }
            _ => {}
        }
    }

    fn row(&mut self, clause: &[Token]) {
        let Some(table) = clause.first().map(Token::word).filter(|table| self.owns(table)) else { return };
        self.found.uses += 1;
        let columns = clause.iter().find_map(|token| match token {
            Token::Group(inner) => Some(inner),
            Token::Word(_) => None,
        });
        if !columns.is_some_and(|columns| columns.iter().any(|column| column.word() == "tenant_id")) {
            self.found.untied.push(bare(table).to_owned());
        }
    }

    fn owns(&self, table: &str) -> bool {
        self.owned.contains(bare(table))
    }
}

/// A table's name without its schema.
fn bare(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table).trim_matches('"')
}

#[test]
fn a_query_that_forgets_a_tenant_is_found() {
    let owned = HashSet::from(["messages".to_owned(), "contacts".to_owned(), "events".to_owned()]);
    let cases: [(&str, usize, &[&str]); 35] = [
        ("select 1 from tenants", 0, &[]),
        ("select 1 from messages where tenant_id = $1", 1, &[]),
        ("select 1 from messages as m where $1 = m.tenant_id and m.id = $2", 1, &[]),
        ("select 1 from messages m join contacts c on c.tenant_id = m.tenant_id where m.tenant_id = $1", 2, &[]),
        ("select 1 from messages m, contacts c where m.tenant_id = $1 and c.tenant_id = m.tenant_id", 2, &[]),
        ("select 1 from (messages m join contacts c on c.tenant_id = m.tenant_id) where m.tenant_id = $1", 2, &[]),
        ("select 1 from unnest($1::uuid[]) as k (tenant_id) join messages m on m.tenant_id = k.tenant_id", 1, &[]),
        ("delete from messages m using gone g where m.tenant_id = any (array[g.tenant_id])", 1, &[]),
        ("update messages set body = $2 where tenant_id = $1 and (id = $3 or id = $4)", 1, &[]),
        ("select 1 from messages where tenant_id = $1 union all select 2 from events where tenant_id = $1", 2, &[]),
        ("insert into messages (tenant_id, id) values ($1, $2) on conflict do nothing", 1, &[]),
        ("select id is distinct from events from messages where tenant_id = $1 for no key update", 1, &[]),
        ("select 1 from messages", 1, &["messages"]),
        ("SELECT 1 FROM public.messages WHERE id = $1", 1, &["messages"]),
        ("select 1 from \"messages\" where id = $1", 1, &["messages"]),
        ("select 1 from messages where id = $1 -- and tenant_id = $2", 1, &["messages"]),
        ("select 1 from messages where body = 'tenant_id = $1'", 1, &["messages"]),
        ("select tenant_id = $1 from messages where id = $2", 1, &["messages"]),
        ("update messages set tenant_id = $1 where id = $2", 1, &["messages"]),
        ("select 1 from messages where tenant_id = $1 or id = $2", 1, &["messages"]),
        ("select 1 from messages where (tenant_id = $1 or id = $2)", 1, &["messages"]),
        ("select 1 from messages where tenant_id <= $1 and tenant_id <> $2", 1, &["messages"]),
        ("select 1 from messages m where m.tenant_id = m.tenant_id", 1, &["m"]),
        ("select 1 from messages m join contacts c on c.id = m.contact_id where m.tenant_id = $1", 2, &["c"]),
        ("select 1 from messages m, contacts c where m.tenant_id = $1 and c.id = m.contact_id", 2, &["c"]),
        ("select 1 from messages m, contacts where m.tenant_id = $1", 2, &["contacts"]),
        ("select 1 from tenants t, lateral (select from messages) m where t.id = $1", 1, &["messages"]),
        ("select 1 from messages m join contacts c on c.tenant_id = m.tenant_id", 2, &["m", "c"]),
        ("select 1 from tenants t join contacts c on c.tenant_id = t.id, messages m", 2, &["m"]),
        ("select 1 from messages m, contacts c where m.tenant_id = $1 and m.tenant_id = $2", 2, &["c"]),
        ("delete from messages m using contacts c where m.tenant_id = $1 and c.id = m.contact_id", 2, &["c"]),
        ("select 1 from messages where tenant_id = $1 and exists (select from events)", 2, &["events"]),
        ("with k as (select id from events) select 1 from contacts where tenant_id = $1", 2, &["events"]),
        ("select 1 from messages where tenant_id = $1 union select 2 from events where id = $2", 2, &["events"]),
        ("insert into messages (id) select id from events where tenant_id = $1", 2, &["messages"]),
    ];
    for (query, uses, untied) in cases {
        let untied = untied.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(ties(query, &owned), Ties { uses, untied }, "{query}");
    }
}
