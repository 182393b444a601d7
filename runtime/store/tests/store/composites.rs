//! Rows that statements are given: a struct in Rust and a type of the database, field by field in the same order. What is
//! sent knows no names, and two texts that change places would be told by nobody.

use hoopoe_testing::Database;

use crate::queries::sources;

const MACRO: &str = "composite!(";

/// The structs that are sent, by the names of their types, with their fields.
fn sent() -> Vec<(String, Vec<String>)> {
    let mut sent = Vec::new();
    for source in sources() {
        for (place, _) in source.match_indices(MACRO) {
            let Some((names, _)) = source[place + MACRO.len()..].split_once(");") else { continue };
            // The macro's own text names none.
            let Some((row, of_database)) = names.split_once(", ") else { continue };
            let row = row.trim_end_matches("<'_>");
            let (_, body) = source.split_once(&format!("struct {row}")).unwrap();
            let body = body.split_once("{\n").unwrap().1.split_once("\n}").unwrap().0;
            let field = |line: &str| Some(line.trim().trim_start_matches("pub ").split_once(": ")?.0.to_owned());
            sent.push((of_database.trim_matches('"').to_owned(), body.lines().filter_map(field).collect()));
        }
    }
    sent
}

#[tokio::test]
async fn what_is_sent_has_the_fields_of_its_type_in_their_order() {
    let db = Database::create().await;
    let sent = sent();
    for (name, fields) in &sent {
        let attributes = "select a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid
                          where c.relname = $1 and c.relkind = 'c' order by a.attnum";
        let real: Vec<String> = sqlx::query_scalar(attributes).bind(name).fetch_all(&db.pool).await.unwrap();
        assert_eq!(fields, &real, "{name}");
    }
    let types = "select count(*) from pg_class c where c.relkind = 'c' and c.relnamespace = 'public'::regnamespace";
    assert_eq!(db.count(types).await, i64::try_from(sent.len()).unwrap(), "types, and structs: {sent:?}");
}
