//! The depth limit. async-graphql's own counts introspection, whose standard query is deeper than any limit worth having.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ErrorExtensionValues, Pos, ServerError, ServerResult, Variables};

/// Refuses documents that nest fields deeper than this.
pub struct DepthLimit(pub usize);

impl ExtensionFactory for DepthLimit {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Limit(self.0))
    }
}

struct Limit(usize);

#[async_trait::async_trait]
impl Extension for Limit {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        let too_deep = document
            .operations
            .iter()
            .any(|(_, op)| deeper(&document, &op.node.selection_set.node, self.0, &mut HashSet::new()));
        if too_deep {
            let mut error = ServerError::new(format!("The document nests deeper than {} levels.", self.0), None::<Pos>);
            let mut extensions = ErrorExtensionValues::default();
            extensions.set("code", "TOO_COMPLEX");
            error.extensions = Some(extensions);
            return Err(error);
        }
        Ok(document)
    }
}

/// Whether `set` has fields on more than `left` levels. `open` holds the fragments being walked: a cycle is left to validation.
fn deeper<'d>(document: &'d ExecutableDocument, set: &'d SelectionSet, left: usize, open: &mut HashSet<&'d str>) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) if field.node.name.node.starts_with("__") => false,
        Selection::Field(field) => left == 0 || deeper(document, &field.node.selection_set.node, left - 1, open),
        Selection::InlineFragment(inline) => deeper(document, &inline.node.selection_set.node, left, open),
        Selection::FragmentSpread(spread) => {
            let name = spread.node.fragment_name.node.as_str();
            let Some(fragment) = document.fragments.get(name) else {
                return false;
            };
            if !open.insert(name) {
                return false;
            }
            let found = deeper(document, &fragment.node.selection_set.node, left, open);
            open.remove(name);
            found
        }
    })
}
