//! What GraphQL asks of a nullable field that fails: it is null, its error stands beside the data, and the fields around it
//! are answered. async-graphql lets a resolver's `Err` pass through nullable fields up to the next object; this stops it
//! at the first field that may be null.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo};
use async_graphql::{Response, ServerError, ServerResult, Value};

pub struct PartialResults;

impl ExtensionFactory for PartialResults {
    /// One for each request.
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Caught::default())
    }
}

#[derive(Default)]
struct Caught(Mutex<Vec<ServerError>>);

#[async_trait::async_trait]
impl Extension for Caught {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let nullable = !info.return_type.ends_with('!');
        match next.run(ctx, info).await {
            Err(error) if nullable => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push(error);
                Ok(Some(Value::Null))
            }
            other => other,
        }
    }

    async fn execute(&self, ctx: &ExtensionContext<'_>, operation: Option<&str>, next: NextExecute<'_>) -> Response {
        let mut response = next.run(ctx, operation).await;
        let mut caught = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        response.errors.append(&mut caught);
        response
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema, SimpleObject};
    use serde_json::{Value as Json, json};
    use trunkline_domain::Error;

    use super::*;
    use crate::graphql::error::ApiResult;

    struct Query;

    #[derive(SimpleObject)]
    #[graphql(complex)]
    struct Thing {
        name: &'static str,
    }

    #[async_graphql::ComplexObject]
    impl Thing {
        async fn secret(&self) -> ApiResult<Option<i32>> {
            Err(Error::Forbidden.into())
        }

        async fn needed(&self) -> ApiResult<i32> {
            Err(Error::Forbidden.into())
        }
    }

    #[Object]
    impl Query {
        async fn refused(&self) -> ApiResult<Option<Thing>> {
            Err(Error::Forbidden.into())
        }

        async fn thing(&self) -> Thing {
            Thing { name: "x" }
        }

        async fn maybe(&self) -> Option<Thing> {
            Some(Thing { name: "y" })
        }

        async fn things(&self) -> Vec<Option<Thing>> {
            vec![Some(Thing { name: "z" }), None]
        }
    }

    /// Data, and the paths of the errors.
    async fn ask(query: &str) -> (Json, Vec<String>) {
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
            .extension(PartialResults)
            .finish();
        let answer = serde_json::to_value(schema.execute(query).await).unwrap();
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        for error in &errors {
            assert_eq!(error["extensions"]["code"], "FORBIDDEN");
        }
        let path = |e: &Json| serde_json::to_string(&e["path"]).unwrap();
        (answer["data"].clone(), errors.iter().map(path).collect())
    }

    #[tokio::test]
    async fn a_nullable_field_that_fails_is_null_and_its_neighbours_stand() {
        let (data, errors) = ask("{ thing { name secret } refused { name } again: refused { name } }").await;
        assert_eq!(
            data,
            json!({ "thing": { "name": "x", "secret": null }, "refused": null, "again": null })
        );
        assert_eq!(errors.len(), 3);
        assert!(errors.contains(&r#"["thing","secret"]"#.to_owned()), "{errors:?}");
    }

    #[tokio::test]
    async fn a_failure_that_may_not_be_null_goes_up_to_what_may() {
        let (data, errors) = ask("{ maybe { name needed } things { needed } }").await;
        assert_eq!(data, json!({ "maybe": null, "things": [null, null] }));
        assert_eq!(errors.len(), 2);
        let (data, errors) = ask("{ maybe { name } thing { needed } }").await;
        assert_eq!((data, errors), (Json::Null, vec![r#"["thing","needed"]"#.to_owned()]));
    }
}
