//! Arguments that the served API accepts, generated from their types. Only what is required is filled in, and the ids that
//! a test wants at certain places.

use std::collections::BTreeMap;

use async_graphql::Positioned;
use async_graphql::parser::types::{BaseType, InputValueDefinition, Type, TypeKind};
use uuid::Uuid;

use super::schema::{RootField, Schema, base, place};

/// Ids by the place where they go, as [`Schema::id_positions`] names it.
pub type Ids = BTreeMap<String, String>;

pub struct Inputs<'a> {
    schema: &'a Schema,
    ids: Ids,
    required_ids: bool,
    /// What stands at a place instead of a sound value.
    literals: BTreeMap<String, String>,
}

impl<'a> Inputs<'a> {
    pub fn of(schema: &'a Schema) -> Self {
        Self {
            schema,
            ids: Ids::new(),
            required_ids: false,
            literals: BTreeMap::new(),
        }
    }

    /// Uses these ids; a required place without one fails the test.
    pub fn with_ids(self, ids: Ids) -> Self {
        Self {
            ids,
            required_ids: true,
            ..self
        }
    }

    /// Puts this text of a document at a place, whatever belongs there.
    pub fn with_literal(mut self, place: &str, literal: &str) -> Self {
        self.literals.insert(place.to_owned(), literal.to_owned());
        self
    }

    /// `(…)` for a root field.
    pub fn arguments(&self, root: &RootField) -> String {
        self.list(&root.definition.arguments)
    }

    /// `(…)` for a field below the root: what it must have.
    pub fn inner(&self, arguments: &[Positioned<InputValueDefinition>]) -> String {
        self.list(arguments)
    }

    fn list(&self, arguments: &[Positioned<InputValueDefinition>]) -> String {
        let given = self.given(arguments, "");
        if given.is_empty() {
            String::new()
        } else {
            format!("({})", given.join(", "))
        }
    }

    fn given(&self, definitions: &[Positioned<InputValueDefinition>], path: &str) -> Vec<String> {
        definitions
            .iter()
            .filter_map(|d| {
                let d = &d.node;
                let place = place(path, d);
                let below = format!("{place}.");
                let tried = self.ids.keys().chain(self.literals.keys());
                let wanted = tried.into_iter().any(|p| *p == place || p.starts_with(&below));
                let required = !d.ty.node.nullable && d.default_value.is_none();
                let asked = required || wanted || useful(&d.name.node);
                asked.then(|| format!("{}: {}", d.name.node, self.value(&d.ty.node, &d.name.node, &place)))
            })
            .collect()
    }

    fn value(&self, ty: &Type, name: &str, place: &str) -> String {
        if let BaseType::List(inner) = &ty.base {
            return format!("[{}]", self.value(inner, name, place));
        }
        if let Some(literal) = self.literals.get(place) {
            return literal.clone();
        }
        let type_name = base(ty);
        match type_name {
            "ID" => match self.ids.get(place) {
                Some(id) => quoted(id),
                None if self.required_ids => panic!("no id for {place}"),
                None => panic!("an argument of an inner field takes an id: {place}"),
            },
            "String" => quoted(&text(name)),
            "Int" => number(name).to_string(),
            "Boolean" => "true".into(),
            "Decimal" => quoted("10.00"),
            "Date" => quoted("2026-04-01"),
            "DateTime" => quoted("2026-04-01T00:00:00Z"),
            "UUID" => quoted(&Uuid::now_v7().to_string()),
            "BigInt" => quoted("1000000"),
            "CurrencyCode" => quoted("INR"),
            "JSON" => "{}".into(),
            _ => match self.schema.kind(type_name) {
                Some(TypeKind::Enum(e)) => e.values[0].node.value.node.to_string(),
                Some(TypeKind::InputObject(o)) => format!("{{ {} }}", self.given(&o.fields, place).join(", ")),
                _ => panic!("{place}: a value of type {type_name} is not known to isolation/inputs.rs"),
            },
        }
    }
}

/// Optional arguments without which a mutation would be refused for another reason than the one that is tried.
fn useful(name: &str) -> bool {
    ["username", "password", "filter", "started"].contains(&name)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn number(name: &str) -> i32 {
    match name {
        "first" => 2,
        "coaPort" => 3799,
        _ => 1,
    }
}

/// A text that a field of this name accepts.
fn text(name: &str) -> String {
    let unique = Uuid::now_v7().simple().to_string();
    match name {
        "email" | "login" => format!("{unique}@probe.example"),
        "slug" => format!("probe-{}", &unique[20..]),
        "hostname" => format!("{unique}.probe.example"),
        "password" | "secret" => "a-long-enough-secret".into(),
        "template" => "in-broadband".into(),
        "role" | "roleCode" => "support".into(),
        "taxId" => "29AAGCB7383J1Z4".into(),
        "country" => "IN".into(),
        "region" => "KA".into(),
        "timezone" => "Asia/Kolkata".into(),
        "primaryColor" | "accentColor" => "#112233".into(),
        "address" => "10.20.30.40".into(),
        "upiId" => "probe@upi".into(),
        _ => format!("probe-{}", &unique[20..]),
    }
}
