//! What is asked for, in the schema's words: kinds of operations, root fields and codes. Names that callers choose (of
//! operations, aliases, variables) are not among them.

use std::collections::{BTreeSet, HashSet};
use std::sync::OnceLock;
use std::time::Instant;

use ::metrics::{counter, histogram};
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection};

use crate::graphql::ApiSchema;

/// More root fields than this are not named one by one.
const NAMED: usize = 10;
/// Every code of a top-level error.
const CODES: [&str; 10] = [
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "BAD_ARGUMENT",
    "TOO_COMPLEX",
    "RATE_LIMITED",
    "TENANT_SUSPENDED",
    "UNAVAILABLE",
    "INTERNAL",
    "PERSISTED_QUERY_NOT_FOUND",
    "PERSISTED_QUERY_NOT_SUPPORTED",
];

/// One operation that is about to be executed.
pub struct Asked<'d> {
    operation: &'static str,
    fields: BTreeSet<&'d str>,
    begun: Instant,
}

impl<'d> Asked<'d> {
    /// Of a document that was not validated yet: what the schema does not know is left out. The request's span names it from
    /// here on.
    pub fn note(schema: &ApiSchema, document: &'d ExecutableDocument, operation_name: Option<&str>) -> Self {
        static NAMES: OnceLock<HashSet<String>> = OnceLock::new();
        let names = NAMES.get_or_init(|| schema.names().into_iter().collect());
        let mut operations = document.operations.iter();
        let operation = operations.find(|(name, _)| operation_name.is_none() || name.map(|n| n.as_str()) == operation_name);
        let items = operation.map_or(&[][..], |(_, o)| &o.node.selection_set.node.items);
        let fields = items.iter().filter_map(|item| match &item.node {
            Selection::Field(field) => Some(field.node.name.node.as_str()),
            _ => None,
        });
        let it = Self {
            operation: operation.map_or("none", |(_, o)| kind(o.node.ty)),
            fields: fields.filter(|f| names.contains(*f)).take(NAMED).collect(),
            begun: Instant::now(),
        };
        let fields = it.fields.iter().copied().collect::<Vec<_>>().join(" ");
        let span = tracing::Span::current();
        tracing::record_all!(span, operation = it.operation, fields = fields);
        it
    }

    /// It was valid and could be paid for, and was executed.
    pub fn executed(self, without_error: bool) {
        let outcome = if without_error { "ok" } else { "errors" };
        histogram!("trunkline_graphql_duration_seconds", "operation" => self.operation, "outcome" => outcome)
            .record(self.begun.elapsed());
        for field in self.fields {
            counter!("trunkline_graphql_fields_total", "field" => field.to_owned()).increment(1);
        }
    }
}

fn kind(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}

/// Counts a top-level error that is answered.
pub fn error(code: &str) {
    let code = CODES.into_iter().find(|c| *c == code).unwrap_or("other");
    counter!("trunkline_graphql_errors_total", "code" => code).increment(1);
}
