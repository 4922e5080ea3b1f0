//! How large a document is once its fragments are spread. Each fragment is measured once, however often it is spread.

use std::collections::HashMap;

use async_graphql::ServerError;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

use super::{MAX_DEPTH, refusal, too_complex};
use crate::graphql::cost;

/// Fields and spreads, fragments spread.
const MAX_SELECTIONS: u64 = 10_000;
/// Objects and values that introspection may answer with, by a generous estimate of the lists in it. The standard query of
/// tools has about two thirds of it.
const MAX_INTROSPECTION: u64 = 600_000;

/// What a document amounts to, whichever of its operations is run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// Values of introspection.
    pub introspection: u64,
    /// What its root fields cost beside what they answer with.
    pub roots: usize,
}

/// Of one selection set, fragments spread.
#[derive(Clone, Copy, Default)]
struct Extent {
    selections: u64,
    /// Levels of fields outside introspection.
    depth: u32,
    /// Answers of introspection.
    introspection: u64,
    /// What the set would amount to inside introspection.
    inside: u64,
}

impl Extent {
    fn and(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            introspection: self.introspection.saturating_add(other.introspection),
            inside: self.inside.saturating_add(other.inside),
        }
    }
}

/// A fragment that is being measured, or was.
enum Known {
    Open,
    Measured(Extent),
}

pub fn measure(document: &ExecutableDocument) -> Result<Size, ServerError> {
    let mut ruler = Ruler {
        document,
        known: HashMap::new(),
    };
    let mut all = Extent::default();
    // Fragments that nothing spreads are visited by validation too.
    for name in document.fragments.keys() {
        all = all.and(ruler.fragment(name)?);
    }
    let mut size = Size::default();
    for (_, operation) in document.operations.iter() {
        let extent = ruler.set(&operation.node.selection_set.node)?;
        all = all.and(extent);
        size.introspection = size.introspection.max(extent.introspection);
    }
    if all.depth > MAX_DEPTH {
        return Err(too_complex(format!("The document nests deeper than {MAX_DEPTH} levels.")));
    }
    if all.selections > MAX_SELECTIONS {
        return Err(too_complex(format!(
            "The document selects more than {MAX_SELECTIONS} fields."
        )));
    }
    if all.introspection > MAX_INTROSPECTION {
        return Err(too_complex("The document asks too much of the schema at once."));
    }
    size.roots = (document.operations.iter())
        .map(|(_, o)| {
            let cost_of = match o.node.ty {
                OperationType::Mutation => cost::of_mutation,
                _ => cost::of_query,
            };
            roots(document, &o.node.selection_set.node, cost_of)
        })
        .max()
        .unwrap_or(0);
    Ok(size)
}

/// Called once the document is known to be bounded and without circles.
fn roots(document: &ExecutableDocument, set: &SelectionSet, cost_of: fn(&str) -> usize) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(field) => cost_of(&field.node.name.node),
        Selection::InlineFragment(inline) => roots(document, &inline.node.selection_set.node, cost_of),
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |f| roots(document, &f.node.selection_set.node, cost_of))
        }
    };
    set.items.iter().map(|item| of(&item.node)).fold(0, usize::saturating_add)
}

struct Ruler<'d> {
    document: &'d ExecutableDocument,
    known: HashMap<&'d str, Known>,
}

impl<'d> Ruler<'d> {
    fn set(&mut self, set: &'d SelectionSet) -> Result<Extent, ServerError> {
        let mut all = Extent::default();
        for item in &set.items {
            all = all.and(match &item.node {
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    field_of(name, self.set(&field.node.selection_set.node)?)
                }
            });
            all.selections = all.selections.saturating_add(1);
        }
        Ok(all)
    }

    /// One that does not exist is left to validation.
    fn fragment(&mut self, name: &str) -> Result<Extent, ServerError> {
        match self.known.get(name) {
            Some(Known::Measured(extent)) => return Ok(*extent),
            Some(Known::Open) => return Err(refusal("BAD_ARGUMENT", format!("Fragment \"{name}\" spreads itself."))),
            None => {}
        }
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
            return Ok(Extent::default());
        };
        self.known.insert(name, Known::Open);
        let extent = self.set(&fragment.node.selection_set.node)?;
        self.known.insert(name, Known::Measured(extent));
        Ok(extent)
    }
}

fn field_of(name: &str, below: Extent) -> Extent {
    let inside = below.inside.saturating_mul(in_introspection(name)).saturating_add(1);
    match name {
        "__typename" => Extent { inside: 1, ..below },
        "__schema" | "__type" => Extent {
            depth: 0,
            introspection: inside,
            inside,
            ..below
        },
        _ => Extent {
            depth: below.depth + 1,
            inside,
            ..below
        },
    }
}

/// About how many objects a list of introspection has.
fn in_introspection(field: &str) -> u64 {
    match field {
        "types" => 250,
        "possibleTypes" => 15,
        "fields" | "inputFields" | "enumValues" => 8,
        "args" | "directives" | "locations" => 3,
        "interfaces" => 2,
        _ => 1,
    }
}
