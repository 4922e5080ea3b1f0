//! Documents as callers send them. Whatever a document can be made to blow up (tokens, brackets, fragments that spread
//! fragments, introspection that walks in circles) is bounded here, in time linear in its length, before anything that
//! visits it field by field.

mod measure;
mod scan;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{ErrorExtensionValues, Pos, ServerError};

pub use measure::Size;

/// Levels of fields that one document may nest, introspection aside.
pub const MAX_DEPTH: u32 = 10;

/// A document that was parsed and is not too large.
pub struct Document {
    pub ast: ExecutableDocument,
    pub size: Size,
    /// Bytes of its text.
    pub length: usize,
}

/// Parses a document that keeps the limits.
pub fn read(text: &str) -> Result<Document, ServerError> {
    scan::check(text).map_err(too_complex)?;
    let ast = parse_query(text)?;
    let size = measure::measure(&ast)?;
    let length = text.len();
    Ok(Document { ast, size, length })
}

/// A refusal with the code TOO_COMPLEX.
pub fn too_complex(message: impl Into<String>) -> ServerError {
    refusal("TOO_COMPLEX", message)
}

/// An error of the whole request.
pub fn refusal(code: &str, message: impl Into<String>) -> ServerError {
    let mut error = ServerError::new(message, None::<Pos>);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    error.extensions = Some(extensions);
    error
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn code(text: &str) -> Option<String> {
        let error = read(text).err()?;
        match error.extensions.as_ref().and_then(|e| e.get("code")) {
            Some(async_graphql::Value::String(code)) => Some(code.clone()),
            _ => Some(format!("none: {}", error.message)),
        }
    }

    /// What GraphiQL and code generators ask.
    fn introspection() -> String {
        let of_type = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
        let value = format!("name description type {{ {of_type} }} defaultValue isDeprecated deprecationReason");
        format!(
            "{{ __schema {{ description queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
             types {{ kind name description specifiedByURL isOneOf
                 fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ {value} }}
                     type {{ {of_type} }} isDeprecated deprecationReason }}
                 inputFields(includeDeprecated: true) {{ {value} }} interfaces {{ {of_type} }}
                 enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
                 possibleTypes {{ {of_type} }} }}
             directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ {value} }} }} }} }}"
        )
    }

    #[test]
    fn what_people_write_is_read() {
        for text in [
            "{ a }",
            "query Q($x: Int = 1) { a(x: $x, s: \"}}}{{{\", t: \"\"\"} \\\"\"\" {\"\"\") { b c } } # {{{{",
            "{ ...F } fragment F on Query { a { b { c { d { e { f { g { h { i { j } } } } } } } } } }",
            &introspection(),
            "{ __schema { types { fields { args { type { ofType { ofType { ofType { name } } } } } } } } }",
        ] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    /// Each of these would take a naive visitor ages or its whole stack.
    #[test]
    fn bombs_are_refused_at_once() {
        let doubling = |n: usize| {
            let parts: Vec<String> = (0..n)
                .map(|i| format!("fragment F{i} on Query {{ ...F{0} ...F{0} }}", i + 1))
                .collect();
            format!("{{ ...F0 }} {} fragment F{n} on Query {{ a }}", parts.join(" "))
        };
        let circles = |n: usize| {
            let inner = (0..n).fold("name".to_owned(), |inner, _| format!("fields {{ type {{ {inner} }} }}"));
            format!("{{ __schema {{ types {{ {inner} }} }} }}")
        };
        let bombs = [
            format!("{{ {} }}", "a:b ".repeat(1_000_000)),
            "{a".repeat(300_000),
            format!("{{ a(x: {}) }}", "[".repeat(300_000)),
            format!("{{ a(x: {}) }}", "{y:".repeat(300_000)),
            format!("{{ a {} }}", "@skip(if: true) ".repeat(60_000)),
            doubling(20),
            doubling(60),
            circles(4),
            circles(12),
            format!("{{ {} }}", "a { ".repeat(11) + "b" + &" }".repeat(11)),
            format!("query({}) {{ a }}", "$a: Int ".repeat(300_000)),
            format!("{{ a(s: \"{}", "\\\"".repeat(400_000)),
        ];
        for bomb in &bombs {
            let begun = Instant::now();
            let code = code(bomb).unwrap_or_else(|| panic!("passed: {bomb:.100}"));
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}: {bomb:.100}", begun.elapsed());
            assert!(code == "TOO_COMPLEX" || bomb.starts_with("{ a(s:"), "{code}: {bomb:.100}");
        }
    }

    #[test]
    fn fragments_in_a_circle_are_a_mistake() {
        assert_eq!(
            code("{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }").as_deref(),
            Some("BAD_ARGUMENT")
        );
        assert_eq!(
            code("{ a { ...A } } fragment A on T { a { ...A } }").as_deref(),
            Some("BAD_ARGUMENT")
        );
    }
}
