//! Relay connections over the domain's keyset pages.

use async_graphql::{Context, SimpleObject};

/// Where a page stands in its list.
#[derive(SimpleObject, Clone)]
pub struct PageInfo {
    pub has_next_page: bool,
    pub has_previous_page: bool,
    pub start_cursor: Option<String>,
    pub end_cursor: Option<String>,
}

/// Whether the caller asked for `totalCount`, which costs a count.
pub fn wants_total(ctx: &Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

/// Cost of a list field: its page size times the cost of one node.
pub fn cost(first: i32, child: usize) -> usize {
    usize::try_from(first.clamp(1, 100))
        .unwrap_or(1)
        .saturating_mul(child)
        .saturating_add(1)
}

/// Declares a connection and its edge: `connection!(PlanConnection, PlanEdge, Plan);`
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        #[derive(async_graphql::SimpleObject)]
        pub struct $connection {
            pub nodes: Vec<$node>,
            pub edges: Vec<$edge>,
            pub page_info: $crate::graphql::page::PageInfo,
            /// Counted only when asked for.
            pub total_count: Option<i32>,
        }

        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Pass it as `after` to go on behind this node.
            pub cursor: String,
            pub node: $node,
        }

        impl $connection {
            /// From a page, with each row's sort key for its cursor.
            pub fn of<T: Clone, K: serde::Serialize>(
                page: trunkline_domain::kernel::page::Page<T>,
                total: Option<i64>,
                key: impl Fn(&T) -> K,
            ) -> Self
            where
                $node: From<T>,
            {
                let cursors: Vec<String> = page
                    .items
                    .iter()
                    .map(|t| trunkline_domain::kernel::page::cursor(&key(t)))
                    .collect();
                let page_info = $crate::graphql::page::PageInfo {
                    has_next_page: page.has_next,
                    has_previous_page: page.has_previous,
                    start_cursor: cursors.first().cloned(),
                    end_cursor: cursors.last().cloned(),
                };
                let edges = page
                    .items
                    .iter()
                    .cloned()
                    .zip(cursors)
                    .map(|(t, cursor)| $edge { cursor, node: t.into() })
                    .collect();
                let nodes = page.items.into_iter().map(Into::into).collect();
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
