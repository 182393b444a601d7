//! Rows as parameters: a struct with `#[derive(sqlx::Encode)]` and a type of the database with the same fields, by their
//! order. An array of such rows is taken apart by `unnest`.

/// Names the type that a struct is sent as. Both lie beside each other: the struct with its statement, the type in the
/// migration that came with it.
macro_rules! composite {
    ($row:ty, $name:literal) => {
        impl sqlx::Type<sqlx::Postgres> for $row {
            fn type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::with_name($name)
            }
        }

        impl sqlx::postgres::PgHasArrayType for $row {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo {
                sqlx::postgres::PgTypeInfo::array_of($name)
            }
        }
    };
}

pub(crate) use composite;
