//! Relay connections over the domain's keyset pages.

use async_graphql::{Context, SimpleObject};

/// Where a page stands in its list.
#[derive(SimpleObject, Clone)]
pub struct PageInfo {
    /// Whether more objects follow; pass `endCursor` as `after` to get them.
    pub has_next_page: bool,
    /// Whether this page was asked for with `after`.
    pub has_previous_page: bool,
    /// Names the first object of this page; null when the page is empty.
    pub start_cursor: Option<String>,
    /// Names the last object of this page; null when the page is empty.
    pub end_cursor: Option<String>,
}

/// Whether the caller asked for `totalCount`, which costs a count.
pub fn wants_total(ctx: &Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

/// Cost of a list field: a statement, and its page size times the cost of one node.
pub fn cost(first: i32, child: usize) -> usize {
    let page = usize::try_from(first.clamp(1, 100)).unwrap_or(1);
    page.saturating_mul(child).saturating_add(10).min(super::cost::CAP)
}

/// Which parts of a connection the caller asked for: the others are not built.
#[derive(Clone, Copy)]
pub struct Asked {
    pub nodes: bool,
    pub edges: bool,
    pub page_info: bool,
}

impl Asked {
    pub fn of(ctx: &Context<'_>) -> Self {
        let ahead = ctx.look_ahead();
        Self {
            nodes: ahead.field("nodes").exists(),
            edges: ahead.field("edges").exists(),
            page_info: ahead.field("pageInfo").exists(),
        }
    }
}

/// Declares a connection and its edge: `connection!(PlanConnection, PlanEdge, Plan);`
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        /// A page of a list.
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            /// The objects of this page.
            pub nodes: Vec<$node>,
            /// The same objects, each with the cursor that names it.
            pub edges: Vec<$edge>,
            /// Where this page stands in the list.
            pub page_info: $crate::graphql::page::PageInfo,
            /// How many objects the whole list has; counted only when asked for.
            pub total_count: Option<i32>,
        }

        /// An object of a page, with its place in the list.
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Pass it as `after` to go on behind this node.
            pub cursor: String,
            /// The object.
            pub node: $node,
        }

        impl $connection {
            /// From a page, with each row's sort key for its cursor.
            pub fn of<T: Clone, K: serde::Serialize>(
                ctx: &async_graphql::Context<'_>,
                page: trunkline_domain::kernel::page::Page<T>,
                total: Option<i64>,
                key: impl Fn(&T) -> K,
            ) -> Self
            where
                $node: From<T>,
            {
                let asked = $crate::graphql::page::Asked::of(ctx);
                let cursor = |t: &T| trunkline_domain::kernel::page::cursor(&key(t));
                let end = |t: Option<&T>| t.filter(|_| asked.page_info).map(cursor);
                let page_info = $crate::graphql::page::PageInfo {
                    has_next_page: page.has_next,
                    has_previous_page: page.has_previous,
                    start_cursor: end(page.items.first()),
                    end_cursor: end(page.items.last()),
                };
                let edge = |t: &T| $edge {
                    cursor: cursor(t),
                    node: t.clone().into(),
                };
                let edges = match asked.edges {
                    true => page.items.iter().map(edge).collect(),
                    false => Vec::new(),
                };
                let nodes = match asked.nodes {
                    true => page.items.into_iter().map(Into::into).collect(),
                    false => Vec::new(),
                };
                Self {
                    nodes,
                    edges,
                    page_info,
                    total_count: total.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
                }
            }
        }
    };
}
pub(crate) use connection;
