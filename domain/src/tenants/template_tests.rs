use strum::VariantNames;

use super::*;
use crate::kernel::Permission;

fn files(name: &str) -> TemplateFiles {
    let found = TEMPLATES.iter().find(|(known, _)| *known == name);
    found.expect("a template").1
}

fn leaked(text: &str, from: &str, to: &str) -> &'static str {
    assert!(text.contains(from), "{from}");
    Box::leak(text.replacen(from, to, 1).into_boxed_str())
}

#[test]
fn both_templates_parse() {
    for (name, country, currency, timezone) in [
        ("in-broadband", "IN", "INR", "Asia/Kolkata"),
        ("ke-hotspot", "KE", "KES", "Africa/Nairobi"),
    ] {
        let template = Template::load(name).expect(name);
        let profile = template.profile();
        assert_eq!(profile.country, country);
        assert_eq!(profile.currency.code(), currency);
        assert_eq!(profile.timezone.name(), timezone);
        assert_eq!(template.plans().len(), 3);
        let roles: Vec<_> = template.roles().keys().map(String::as_str).collect();
        assert_eq!(roles, ["admin", "billing", "network", "owner", "read-only", "support"]);
    }
    assert!(matches!(Template::load("xx"), Err(TemplateError::Unknown(_))));
}

#[test]
fn errors_name_file_and_key() {
    let good = files("in-broadband");
    for (files, expected) in [
        (
            TemplateFiles {
                template: leaked(good.template, "currency =", "curency ="),
                ..good
            },
            ["template.toml", "curency"],
        ),
        (
            TemplateFiles {
                template: leaked(good.template, "\"INR\"", "\"RUPEE\""),
                ..good
            },
            ["template.toml", "RUPEE"],
        ),
        (
            TemplateFiles {
                template: leaked(good.template, "\"IN\"", "\"India\""),
                ..good
            },
            ["template.toml", "profile.country"],
        ),
        (
            TemplateFiles {
                plans: leaked(good.plans, "\"499.00\"", "\"499.001\""),
                ..good
            },
            ["plans.toml", "plan.HOME-50.price"],
        ),
        (
            TemplateFiles {
                plans: leaked(good.plans, "\"499.00\"", "499.00"),
                ..good
            },
            ["plans.toml", "price"],
        ),
        (
            TemplateFiles {
                roles: leaked(good.roles, "\"plan:read\"", "\"plan\""),
                ..good
            },
            ["roles.toml", "roles.owner"],
        ),
    ] {
        let error = Template::parse(&files).expect_err("refused").to_string();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    }
}

#[test]
fn an_owner_may_do_everything() {
    for (name, _) in TEMPLATES {
        let template = Template::load(name).expect(name);
        let owner = &template.roles()["owner"];
        for permission in Permission::VARIANTS {
            assert!(owner.iter().any(|given| given == permission), "{name}: {permission}");
        }
        let everything = |permissions: &Vec<String>| permissions.iter().all(|p| owner.contains(p));
        assert!(template.roles().values().all(everything), "{name}");
    }
}
