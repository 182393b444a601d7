//! What can go wrong with the database, told apart by what the caller should do.

use std::io;
use std::sync::Arc;

use crate::identity;

/// Why a read or write did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Too much is waiting: come back later.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The process is stopping.
    #[error("the store is stopping")]
    Stopped,
    /// The database is away or not answering: come back later.
    #[error("the database is not available: {0}")]
    Unavailable(Arc<sqlx::Error>),
    /// The database refused what was given.
    #[error("the database refused it: {0}")]
    Refused(Arc<sqlx::Error>),
}

impl Error {
    /// Whether the same call can succeed later.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Error::Refused(_))
    }

    /// Whether a text was refused for the one character that Postgres does not store, U+0000.
    pub fn is_nul(&self) -> bool {
        let Error::Refused(error) = self else { return false };
        // character_not_in_repertoire
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "22021")
    }
}

impl From<Arc<sqlx::Error>> for Error {
    fn from(error: Arc<sqlx::Error>) -> Self {
        match Fault::of(&error) {
            Fault::Away | Fault::Conflict => Error::Unavailable(error),
            Fault::Data => Error::Refused(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Arc::new(error).into()
    }
}

/// There is no server, one that is only coming up, or one that is silent.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                // Without a server there is no file of its socket.
                | io::ErrorKind::NotFound
                | io::ErrorKind::TimedOut
        ),
        // cannot_connect_now
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "57P03"),
        _ => false,
    }
}

/// Kinds of database errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection, or the server is going down or coming up.
    Away,
    /// Another transaction was in the way; the same batch will do on another try.
    Conflict,
    /// Something in the data.
    Data,
}

/// The indexes of contacts by Meta's ids.
const CONTACTS_IDS: [&str; 2] = ["contacts_wa_id", "contacts_user_id"];

/// Classes of errors that the rows themselves cause: cardinality, values, constraints, sizes, what a function raises.
const OF_ROWS: [&str; 5] = ["21", "22", "23", "54", "P0"];

impl Fault {
    /// By SQLSTATE class (PostgreSQL documentation, appendix A).
    pub(crate) fn of(error: &sqlx::Error) -> Fault {
        match error {
            error if identity::is_merged(error) => Fault::Conflict,
            sqlx::Error::Database(database) => match database.code().as_deref().unwrap_or_default() {
                "40001" | "40P01" => Fault::Conflict,
                // unique_violation: somebody has told an id of the same person meanwhile. A second look finds the contact.
                "23505" if database.constraint().is_some_and(|of| CONTACTS_IDS.contains(&of)) => Fault::Conflict,
                code if OF_ROWS.iter().any(|class| code.starts_with(class)) => Fault::Data,
                // The server, the connection, the login, the state of a transaction, the statement, the schema: none of it is
                // the rows' fault, and what is refused for its rows is not tried again.
                _ => Fault::Away,
            },
            sqlx::Error::Encode(_)
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::RowNotFound => Fault::Data,
            _ => Fault::Away,
        }
    }
}
