//! A request made from the schema by the decisions of a tape: mostly what the schema allows, with mistakes strewn in at every
//! level: the JSON around it, the text, the grammar, types, names, values and variables.

use std::fmt::Write;

use async_graphql::Positioned;
use async_graphql::parser::types::{BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind};
use serde_json::{Map, Value, json};

use super::tape::Tape;
use crate::isolation::schema::Schema;

/// Literals that fit somewhere and most often not here.
const ODD: &[&str] = &[
    "null",
    "0",
    "-1",
    "1",
    "101",
    "2147483647",
    "2147483648",
    "-2147483649",
    "99999999999999999999999999",
    "1e400",
    "-0.0",
    "1.5",
    "true",
    r#""""#,
    r#""x""#,
    r#""\u0000""#,
    r#""\ud800""#,
    r#""\uD83D\uDE00""#,
    "\"\u{202e}😀é\"",
    "\"\"\"\n block \\\"\"\" \"\"\"",
    "[]",
    "[null]",
    "[[1]]",
    "{}",
    "{x: 1, x: 2}",
    "ENUM",
    "__typename",
    "$undefined",
];

const TEXTS: &[&str] = &[
    "Asha",
    "",
    " ",
    "asha@example.net",
    "+919845012345",
    "32AAFCT4821K1ZD",
    "'; DROP TABLE plan; --",
    "\u{0}",
    "a\u{0}b",
    "\u{202e}\u{feff}😀",
    "%s%n\\",
    "{{7*7}}",
    "10.1.2.3",
    "FF",
    "#aabbcc",
    "in-broadband",
];

const NUMBERS: &[i64] = &[
    1,
    0,
    5,
    100,
    2,
    101,
    -1,
    65_535,
    2_147_483_647,
    2_147_483_648,
    i64::MAX,
    i64::MIN,
];

pub struct Maker<'m, 't> {
    schema: &'m Schema,
    ids: &'m [(&'static str, String)],
    tape: &'m mut Tape<'t>,
    declared: Vec<String>,
    variables: Map<String, Value>,
    fragments: Vec<String>,
}

impl<'m, 't> Maker<'m, 't> {
    pub fn new(schema: &'m Schema, ids: &'m [(&'static str, String)], tape: &'m mut Tape<'t>) -> Self {
        Self {
            schema,
            ids,
            tape,
            declared: Vec::new(),
            variables: Map::new(),
            fragments: Vec::new(),
        }
    }

    /// The bytes of a request.
    pub fn body(mut self) -> Vec<u8> {
        let mut text = self.document();
        if self.tape.chance(8) {
            text = self.bent(text);
        }
        let mut body = json!({ "query": text });
        if !self.variables.is_empty() {
            body["variables"] = Value::Object(std::mem::take(&mut self.variables));
        }
        if self.tape.chance(4) {
            let (name, value) = self
                .tape
                .pick(&[
                    ("operationName", json!("Other")),
                    ("operationName", json!("")),
                    ("operationName", json!(1)),
                    ("variables", json!(null)),
                    ("variables", json!([])),
                    ("variables", json!({ "v0": { "a": [[[[null]]]] } })),
                    ("extensions", json!(null)),
                    (
                        "extensions",
                        json!({ "persistedQuery": { "version": 1, "sha256Hash": "00" } }),
                    ),
                    ("extensions", json!({ "persistedQuery": null })),
                    ("unknown", json!(true)),
                ])
                .clone();
            body[name] = value;
        }
        let mut bytes = body.to_string().into_bytes();
        if self.tape.chance(3) {
            let at = self.tape.below(bytes.len());
            bytes[at] = self.tape.byte();
        }
        bytes
    }

    fn document(&mut self) -> String {
        let kind = *self
            .tape
            .pick(&["query", "query", "query", "mutation", "mutation", "subscription"]);
        let root = match kind {
            "mutation" => "Mutation",
            _ => "Query",
        };
        let selection = self.selection(root, 5);
        let name = *self.tape.pick(&["", " Q", " Q", " __x"]);
        let declared = match self.declared.is_empty() {
            true => String::new(),
            false => format!("({})", self.declared.join(" ")),
        };
        let directive = self.directive();
        let mut text = match (kind, name, declared.as_str()) {
            ("query", "", "") => selection,
            _ => format!("{kind}{name}{declared}{directive} {selection}"),
        };
        for (n, fragment) in self.fragments.iter().enumerate() {
            let _ = write!(text, " fragment F{n} {fragment}");
        }
        if self.tape.chance(3) {
            text.push_str(" query Other { __typename }");
        }
        text
    }

    /// The text with one thing done to it that no grammar knows of.
    fn bent(&mut self, text: String) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let at = self.tape.below(chars.len());
        match self.tape.below(6) {
            0 => chars.truncate(at),
            1 => drop(chars.remove(at)),
            2 => chars.insert(
                at,
                *self
                    .tape
                    .pick(&['{', '}', '(', '"', '\u{0}', '$', '@', '\u{feff}', '😀', '#', '\u{7f}', '!']),
            ),
            3 => {
                let tail: Vec<char> = chars[at..].to_vec();
                chars.extend(tail);
            }
            4 => chars[at] = char::from(self.tape.byte()),
            _ => chars.swap(at, 0),
        }
        chars.into_iter().collect()
    }

    fn selection(&mut self, type_name: &str, levels: usize) -> String {
        let (fields, objects): (Vec<FieldDefinition>, Vec<String>) = match self.schema.kind(type_name) {
            Some(TypeKind::Object(o)) => (o.fields.iter().map(|f| f.node.clone()).collect(), vec![]),
            Some(TypeKind::Interface(i)) => (
                i.fields.iter().map(|f| f.node.clone()).collect(),
                ["Plan", "Subscriber", "Service", "Invoice", "Payment", "Tenant", "Nas"]
                    .map(str::to_owned)
                    .to_vec(),
            ),
            _ => return String::new(),
        };
        let mut parts = Vec::new();
        for _ in 0..=self.tape.below(if levels == 5 { 3 } else { 5 }) {
            parts.push(match self.tape.below(100) {
                0..80 => {
                    let field = fields[self.tape.below(fields.len())].clone();
                    self.field(&field, levels)
                }
                80..86 => "__typename".to_owned(),
                86..91 => {
                    let on = match objects.is_empty() {
                        true => type_name.to_owned(),
                        false => self.tape.pick(&objects).clone(),
                    };
                    let inner = self.selection(&on, levels.saturating_sub(1));
                    format!("... on {on} {}", or_typename(inner))
                }
                91..94 if self.fragments.len() < 4 => {
                    let n = self.fragments.len();
                    self.fragments.push(String::new());
                    let inner = self.selection(type_name, levels.saturating_sub(1));
                    self.fragments[n] = format!("on {type_name} {}", or_typename(inner));
                    format!("...F{n}")
                }
                94..96 => format!("...F{}", self.tape.below(5)),
                96..97 => "unknownField".to_owned(),
                97..98 => "__schema { types { name } }".to_owned(),
                _ => format!("... {} {{ __typename }}", self.directive()),
            });
        }
        format!("{{ {} }}", parts.join(" "))
    }

    fn field(&mut self, field: &FieldDefinition, levels: usize) -> String {
        let name = field.name.node.as_str();
        let of = base(&field.ty.node);
        let composite = matches!(self.schema.kind(of), Some(TypeKind::Object(_) | TypeKind::Interface(_)));
        if composite && levels == 0 {
            return "__typename".to_owned();
        }
        let alias = match self.tape.chance(10) {
            true => format!("a{}: ", self.tape.below(3)),
            false => String::new(),
        };
        let mut arguments = Vec::new();
        for argument in &field.arguments {
            if let Some(value) = self.given(argument) {
                arguments.push(value);
            }
        }
        if self.tape.chance(1) {
            arguments.push(format!("unknown: {}", self.tape.pick(ODD)));
        }
        let arguments = match arguments.is_empty() {
            true => String::new(),
            false => format!("({})", arguments.join(", ")),
        };
        let directive = self.directive();
        // Now and then a selection where none belongs, or none where one does.
        let inner = match (composite, self.tape.chance(1)) {
            (true, false) => self.selection(of, levels - 1),
            (false, true) => "{ id }".to_owned(),
            _ => String::new(),
        };
        format!("{alias}{name}{arguments}{directive} {inner}")
    }

    fn directive(&mut self) -> String {
        if !self.tape.chance(4) {
            return String::new();
        }
        let all = [
            " @include(if: true)",
            " @skip(if: false)",
            " @skip(if: true)",
            " @include(if: true) @include(if: true)",
            " @include(if: \"x\")",
            " @include",
            " @unknown(x: 1)",
            " @deprecated",
            " @skip(if: $undefined)",
        ];
        (*self.tape.pick(&all)).to_owned()
    }

    /// `name: value`, or nothing for what may be left out.
    fn given(&mut self, argument: &Positioned<InputValueDefinition>) -> Option<String> {
        let argument = &argument.node;
        let required = !argument.ty.node.nullable && argument.default_value.is_none();
        if (!required && self.tape.chance(60)) || (required && self.tape.chance(1)) {
            return None;
        }
        let name = &argument.name.node;
        if self.tape.chance(15) {
            let value = self.json(&argument.ty.node, 4);
            let n = self.declared.len();
            let ty = match self.tape.chance(5) {
                true => (*self
                    .tape
                    .pick(&["Int!", "String", "[ID!]!", "Nothing", "Subscriber", "[[[Int]]]"]))
                .to_owned(),
                false => argument.ty.node.to_string(),
            };
            self.declared.push(format!("$v{n}: {ty}"));
            if !self.tape.chance(3) {
                self.variables.insert(format!("v{n}"), value);
            }
            return Some(format!("{name}: $v{n}"));
        }
        let value = self.json(&argument.ty.node, 4);
        let literal = match self.tape.chance(4) {
            true => (*self.tape.pick(ODD)).to_owned(),
            false => self.literal(&argument.ty.node, &value),
        };
        Some(format!("{name}: {literal}"))
    }

    /// A value as GraphQL writes it: names of members and enum values stand without quotes.
    fn literal(&self, ty: &Type, value: &Value) -> String {
        match (value, &ty.base) {
            (Value::Array(items), BaseType::List(of)) => {
                let items: Vec<String> = items.iter().map(|v| self.literal(of, v)).collect();
                format!("[{}]", items.join(", "))
            }
            (Value::Object(members), BaseType::Named(name)) => {
                let Some(TypeKind::InputObject(input)) = self.schema.kind(name) else {
                    return "{}".to_owned();
                };
                let member = |(key, value): (&String, &Value)| {
                    let field = input.fields.iter().find(|f| f.node.name.node == key.as_str());
                    let written = field.map_or_else(|| value.to_string(), |f| self.literal(&f.node.ty.node, value));
                    format!("{key}: {written}")
                };
                let members: Vec<String> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(", "))
            }
            (Value::String(text), BaseType::Named(name)) if matches!(self.schema.kind(name), Some(TypeKind::Enum(_))) => {
                text.clone()
            }
            _ => value.to_string(),
        }
    }

    /// A value of a type as JSON, now and then one of another.
    fn json(&mut self, ty: &Type, levels: usize) -> Value {
        if self.tape.chance(2) {
            return self
                .tape
                .pick(&[
                    json!(null),
                    json!([]),
                    json!({}),
                    json!(1),
                    json!("x"),
                    json!(1e300),
                    json!([[["x"]]]),
                    json!({ "a": {} }),
                ])
                .clone();
        }
        if ty.nullable && self.tape.chance(8) {
            return Value::Null;
        }
        let name = match &ty.base {
            BaseType::List(of) => {
                let n = self.tape.below(4);
                return (0..n).map(|_| self.json(of, levels.saturating_sub(1))).collect();
            }
            BaseType::Named(name) => name.as_str(),
        };
        match self.schema.kind(name) {
            Some(TypeKind::InputObject(input)) if levels > 0 => {
                let mut members = Map::new();
                for field in &input.fields {
                    let field = &field.node;
                    let required = !field.ty.node.nullable && field.default_value.is_none();
                    if (required && !self.tape.chance(1)) || (!required && self.tape.chance(40)) {
                        members.insert(field.name.node.to_string(), self.json(&field.ty.node, levels - 1));
                    }
                }
                if self.tape.chance(1) {
                    members.insert("unknown".into(), json!(1));
                }
                Value::Object(members)
            }
            Some(TypeKind::Enum(values)) => {
                let values: Vec<String> = values.values.iter().map(|v| v.node.value.node.to_string()).collect();
                self.tape.pick(&values).clone().into()
            }
            _ => self.scalar(name),
        }
    }

    fn scalar(&mut self, name: &str) -> Value {
        match name {
            "ID" if !self.ids.is_empty() && !self.tape.chance(15) => self.tape.pick(self.ids).1.clone().into(),
            "Int" => (*self.tape.pick(NUMBERS)).into(),
            "Float" => json!(1.5),
            "Boolean" => self.tape.chance(50).into(),
            "Decimal" => (*self.tape.pick(&[
                "1.00",
                "0",
                "0.01",
                "-1.00",
                "999999999999999.9999",
                "1e5",
                "NaN",
                "1.00001",
                "",
            ]))
            .into(),
            "BigInt" => (*self
                .tape
                .pick(&["1", "0", "9223372036854775807", "9223372036854775808", "-1", "x"]))
            .into(),
            "Date" => (*self.tape.pick(&[
                "2026-04-01",
                "2024-02-29",
                "2026-02-30",
                "0001-01-01",
                "9999-12-31",
                "-0001-01-01",
                "262142-12-31",
            ]))
            .into(),
            "DateTime" => (*self.tape.pick(&[
                "2026-04-01T04:30:00Z",
                "2026-04-01T04:30:00+05:30",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:60Z",
                "262142-12-31T23:59:59Z",
                "2026-13-01T00:00:00Z",
            ]))
            .into(),
            "UUID" => (*self.tape.pick(&[
                "0192f0c1-0000-7000-8000-000000000001",
                "0192f0c1-0000-7000-8000-000000000002",
                "00000000-0000-0000-0000-000000000000",
                "x",
            ]))
            .into(),
            "CurrencyCode" => (*self.tape.pick(&["INR", "KES", "JPY", "XXX", "inr", ""])).into(),
            "JSON" => json!({ "a": [1, null, "x"] }),
            _ if self.tape.chance(2) => "x".repeat(5_000).into(),
            _ => (*self.tape.pick(TEXTS)).into(),
        }
    }
}

fn or_typename(selection: String) -> String {
    match selection.is_empty() {
        true => "{ __typename }".to_owned(),
        false => selection,
    }
}

fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(of) => base(of),
    }
}
