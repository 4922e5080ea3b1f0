//! The served schema as data: root fields, their arguments, and documents that ask for all that they can give.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition};

use super::inputs::Inputs;

pub struct Schema {
    types: BTreeMap<String, TypeKind>,
}

/// A field of `Query` or `Mutation`.
#[derive(Clone, Debug)]
pub struct RootField {
    pub mutation: bool,
    pub definition: FieldDefinition,
}

impl RootField {
    pub fn name(&self) -> &str {
        &self.definition.name.node
    }
}

/// Levels below the root field that a document asks for.
const LEVELS: usize = 4;

impl Schema {
    pub fn served() -> Self {
        let document = parse_schema(trunkline_api::graphql::sdl()).expect("the served SDL");
        let types = document
            .definitions
            .into_iter()
            .filter_map(|d| match d {
                TypeSystemDefinition::Type(t) => Some((t.node.name.node.to_string(), t.node.kind)),
                _ => None,
            })
            .collect();
        Self { types }
    }

    pub fn kind(&self, name: &str) -> Option<&TypeKind> {
        self.types.get(name)
    }

    pub fn is_object(&self, type_name: &str) -> bool {
        matches!(self.types.get(type_name), Some(TypeKind::Object(_) | TypeKind::Interface(_)))
    }

    /// A field of an object or interface.
    pub fn field(&self, type_name: &str, name: &str) -> Option<&FieldDefinition> {
        let fields = match self.types.get(type_name)? {
            TypeKind::Object(o) => &o.fields,
            TypeKind::Interface(i) => &i.fields,
            _ => return None,
        };
        fields.iter().map(|f| &f.node).find(|f| f.name.node == name)
    }

    pub fn roots(&self) -> Vec<RootField> {
        let fields = |root: &str| match self.types.get(root) {
            Some(TypeKind::Object(o)) => o.fields.iter().map(|f| f.node.clone()).collect(),
            _ => Vec::new(),
        };
        let with = |mutation: bool| move |definition| RootField { mutation, definition };
        let mut all: Vec<RootField> = fields("Query").into_iter().map(with(false)).collect();
        all.extend(fields("Mutation").into_iter().map(with(true)));
        assert!(all.len() > 20, "the SDL was read: {} fields", all.len());
        all
    }

    /// A document for one root field with these literal arguments, asking for everything down to some depth.
    pub fn document(&self, root: &RootField, arguments: &str) -> String {
        let operation = if root.mutation { "mutation" } else { "query" };
        let selection = self.selection(base(&root.definition.ty.node), LEVELS);
        format!("{operation} {{ answer: {}{arguments}{selection} }}", root.name())
    }

    fn selection(&self, type_name: &str, levels: usize) -> String {
        match self.types.get(type_name) {
            Some(TypeKind::Object(o)) => format!(" {{ __typename {} }}", self.fields(&o.fields, levels, "")),
            Some(TypeKind::Interface(_)) => {
                let parts: Vec<String> = self
                    .types
                    .iter()
                    .filter_map(|(name, kind)| match kind {
                        TypeKind::Object(o) if o.implements.iter().any(|i| i.node == type_name) => Some((name, o)),
                        _ => None,
                    })
                    // A level less, for all of them together cost too much; each type has a query of its own beside.
                    // Aliases, for the same field has another type in another object.
                    .map(|(name, o)| {
                        format!(
                            "... on {name} {{ {} }}",
                            self.fields(&o.fields, levels.saturating_sub(1), name)
                        )
                    })
                    .collect();
                format!(" {{ __typename id {} }}", parts.join(" "))
            }
            Some(TypeKind::Scalar | TypeKind::Enum(_)) => String::new(),
            None if is_builtin(type_name) => String::new(),
            other => panic!("{type_name}: the selection of {other:?} is not known to isolation/schema.rs"),
        }
    }

    fn fields(&self, fields: &[async_graphql::Positioned<FieldDefinition>], levels: usize, alias: &str) -> String {
        let mut out = Vec::new();
        for field in fields {
            let field = &field.node;
            let composite = matches!(
                self.types.get(base(&field.ty.node)),
                Some(TypeKind::Object(_) | TypeKind::Interface(_))
            );
            // An edge's node is the same as the connection's.
            if composite && (levels == 0 || field.name.node == "edges" || field.name.node == "node") {
                continue;
            }
            let name = &field.name.node;
            let label = if alias.is_empty() {
                String::new()
            } else {
                format!("{alias}_{name}: ")
            };
            let arguments = Inputs::of(self).inner(&field.arguments);
            let inner = self.selection(base(&field.ty.node), levels.saturating_sub(1));
            out.push(format!("{label}{name}{arguments}{inner}"));
        }
        if out.is_empty() { "__typename".into() } else { out.join(" ") }
    }

    /// Every place in a root field's arguments where an id is taken, as a dotted path; `[]` marks a list.
    pub fn id_positions(&self, root: &RootField) -> Vec<String> {
        let ids = self.positions(root).into_iter().filter(|(_, ty)| ty == "ID");
        ids.map(|(place, _)| place).collect()
    }

    /// Every place where a scalar or enum is taken, and its type.
    pub fn positions(&self, root: &RootField) -> Vec<(String, String)> {
        let mut out = Vec::new();
        self.walk(&root.definition.arguments, "", &mut out);
        out
    }

    fn walk(&self, arguments: &[async_graphql::Positioned<InputValueDefinition>], path: &str, out: &mut Vec<(String, String)>) {
        for argument in arguments {
            let a = &argument.node;
            let here = place(path, a);
            let type_name = base(&a.ty.node);
            match self.types.get(type_name) {
                Some(TypeKind::InputObject(o)) => self.walk(&o.fields, &here, out),
                _ => out.push((here, type_name.to_owned())),
            }
        }
    }
}

/// The path of an argument or input field below `path`.
pub fn place(path: &str, argument: &InputValueDefinition) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    let list = if matches!(argument.ty.node.base, BaseType::List(_)) {
        "[]"
    } else {
        ""
    };
    format!("{path}{dot}{}{list}", argument.name.node)
}

/// The named type inside lists and non-nulls.
pub fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

pub fn is_builtin(name: &str) -> bool {
    ["ID", "String", "Int", "Float", "Boolean"].contains(&name)
}
