//! The ledger with the documents that stand behind it: statements of account, and journals for other programs. Owns nothing.

mod documents;
pub mod export;
mod journal;
mod printed;
mod statement;

pub use export::{Export, ExportFormat, Scribe};
pub use journal::{JournalEntry, JournalPosting, PAGE, Position, begin_export, count, page};
pub use printed::statement_printable;
pub use statement::{Statement, StatementEntry, statement};

pub use documents::{Document, DocumentKind, documents};
