//! What each query and mutation needs, declared in `permissions.txt` and proved by the server: with exactly that a member of
//! staff is served, and without any one of it refused. A field that is not declared fails the test.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;
use sqlx::PgConnection;
use trunkline_domain::kernel::Permission;
use trunkline_domain::kernel::db::Tenant;
use trunkline_domain::kernel::ids::StaffId;
use trunkline_domain::tenants::template::Template;

use super::inputs::Inputs;
use super::matrix::{outcome, reopen};
use super::schema::{RootField, Schema};
use super::world::World;
use crate::harness::{Ask, TestApp, execute, id};

const DECLARED: &str = include_str!("permissions.txt");

/// What a line of `permissions.txt` says that a field needs.
#[derive(Debug, PartialEq)]
enum Need {
    /// Nothing at all.
    Public,
    /// To be signed in on an ISP's host.
    SignedIn,
    /// To be signed in on the platform's host; staff of an ISP have no part in it.
    Platform,
    /// All of these.
    Permissions(Vec<String>),
}

fn declared() -> BTreeMap<&'static str, Need> {
    let lines = DECLARED.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines
        .map(|line| {
            let (field, need) = line.split_once(": ").unwrap_or_else(|| panic!("permissions.txt: {line}"));
            let need = match need {
                "public" => Need::Public,
                "signed in" => Need::SignedIn,
                "platform" => Need::Platform,
                names => Need::Permissions(names.split(' ').map(str::to_owned).collect()),
            };
            (field, need)
        })
        .collect()
}

fn label(root: &RootField) -> String {
    format!("{} {}", if root.mutation { "mutation" } else { "query" }, root.name())
}

/// A member of staff whose permissions are changed at will.
struct Probe<'a> {
    app: &'a TestApp,
    admin: PgConnection,
    world: &'a World,
    tenant: Tenant,
    id: StaffId,
    ask: Ask<'a>,
}

impl<'a> Probe<'a> {
    async fn of(app: &'a TestApp, world: &'a World) -> Self {
        let slug = &world.tenant.slug;
        let mut admin = app.db.admin().await;
        let role = &world.tenant.role;
        execute(
            &mut admin,
            format!(
                "INSERT INTO {role}.role (code, name, permissions) VALUES ('probe', 'Probe', '{{}}');
                 UPDATE {role}.staff SET role_code = 'probe' WHERE email = 'support@{slug}.example'"
            ),
        )
        .await;
        let ask = app.on(slug).as_login(&format!("support@{slug}.example"));
        let viewer = ask.gql("{ viewer { id } }", json!({})).await.at("viewer");
        Self {
            app,
            admin,
            world,
            tenant: app.app.directory.by_slug(slug).await.unwrap().unwrap(),
            id: id(&viewer).parse().unwrap(),
            ask,
        }
    }

    /// `+`, `-` or `?`, with these permissions.
    async fn with(&mut self, permissions: &[String], schema: &Schema, root: &RootField) -> &'static str {
        let role = &self.world.tenant.role;
        let list = permissions.join(",");
        execute(
            &mut self.admin,
            format!("UPDATE {role}.role SET permissions = '{{{list}}}' WHERE code = 'probe'"),
        )
        .await;
        self.app.app.authenticator.forget_staff(&self.tenant, self.id).await;
        let document = document(self.world, schema, root);
        outcome(&self.ask.gql(&document, json!({})).await, &document)
    }
}

/// One that asks for nothing that only more permissions could give: roles are given that allow nothing.
fn document(world: &World, schema: &Schema, root: &RootField) -> String {
    let mut inputs = Inputs::of(schema).with_ids(world.ids_for(schema, root, None));
    for (place, _) in schema.positions(root) {
        if place == "input.role" {
            inputs = inputs.with_literal(&place, "\"nothing\"");
        }
    }
    schema.document(root, &inputs.arguments(root))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_need_what_is_declared_and_no_more() {
    let app = TestApp::new().await;
    let world = World::fill(&app, "chandra").await;
    let schema = Schema::served();
    let mut probe = Probe::of(&app, &world).await;
    let nobody = app.on("chandra");
    let staff = app.on_platform().as_platform_staff();
    let all: Vec<String> = Permission::names().iter().map(|p| (*p).to_owned()).collect();
    let mut declared = declared();
    let mut wrong = Vec::new();
    for root in schema.roots() {
        let label = label(&root);
        let Some(need) = declared.remove(label.as_str()) else {
            wrong.push(format!(
                "{label}: declare in tests/src/isolation/permissions.txt what it needs"
            ));
            continue;
        };
        let plain = document(&world, &schema, &root);
        let anonymous = outcome(&nobody.gql(&plain, json!({})).await, &plain);
        let mut expect = |found: &str, expected: &str, who: &str| {
            if found != expected {
                wrong.push(format!("{label}: {who} is answered {found}, expected {expected}"));
            }
        };
        expect(anonymous, if need == Need::Public { "+" } else { "?" }, "nobody");
        match &need {
            Need::Public => {}
            Need::SignedIn => expect(probe.with(&[], &schema, &root).await, "+", "staff without permissions"),
            Need::Platform => {
                expect(probe.with(&all, &schema, &root).await, "-", "staff with all permissions");
                expect(outcome(&staff.gql(&plain, json!({})).await, &plain), "+", "platform staff");
            }
            Need::Permissions(needed) => {
                expect(probe.with(needed, &schema, &root).await, "+", "who has exactly that");
                for missing in needed {
                    assert!(all.contains(missing), "{label}: there is no permission {missing}");
                    let others: Vec<String> = all.iter().filter(|p| *p != missing).cloned().collect();
                    let who = format!("who has all but {missing}");
                    expect(probe.with(&others, &schema, &root).await, "-", &who);
                }
            }
        }
        reopen(&app, &world, &root).await;
    }
    wrong.extend(declared.keys().map(|gone| format!("{gone}: is declared and not served")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.jobs_may_remain();
}

/// Roles and their permissions, as both templates give them: whoever changes what a new ISP's people may do is seen to.
#[test]
fn roles_of_the_templates_and_their_permissions() {
    let mut text = String::new();
    for name in ["in-broadband", "ke-hotspot"] {
        let template = Template::load(name).unwrap();
        let roles = template.roles();
        writeln!(text, "{name}").unwrap();
        for (n, role) in roles.keys().enumerate() {
            writeln!(text, "{:1$}{role}", "", n * 3).unwrap();
        }
        let every = roles.values().flatten().map(String::as_str);
        let every: std::collections::BTreeSet<&str> = every.chain(Permission::names().iter().copied()).collect();
        for permission in every {
            let marks = roles
                .values()
                .map(|given| if given.iter().any(|p| p == permission) { "+  " } else { "-  " });
            let note = if Permission::names().contains(&permission) {
                ""
            } else {
                " (of a later version)"
            };
            writeln!(text, "{}{permission}{note}", marks.collect::<String>()).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}
