use super::*;

#[test]
fn an_errand_keeps_its_order_of_places() {
    let order = |errand| {
        let mut places: Vec<usize> = (0..8).collect();
        places.sort_by_key(|p| suits(errand, *p));
        places
    };
    assert_eq!(order(7), order(7));
    let homes: std::collections::BTreeSet<usize> = (1..200).filter_map(|e| order(e).last().copied()).collect();
    assert_eq!(homes.len(), 8, "errands are spread over all places");
}

#[test]
fn whoever_comes_often_is_known_and_displaced_by_whoever_comes_more_often() {
    let familiar = &mut [(0, 0); FAMILIAR];
    let mut meet = |errand| vote(familiar, errand);
    assert!(!meet(5) && !meet(5) && !meet(5) && meet(5));
    // the same place in the table
    let other = 5 + FAMILIAR as i32;
    for _ in 0..4 {
        assert!(!meet(other));
    }
    assert!(!meet(other) && !meet(other) && !meet(other) && meet(other));
    assert!(!meet(5));
}

#[tokio::test]
async fn who_waits_is_given_what_comes_back_and_who_has_gone_is_passed_over() {
    let pool = Pool::new(PgConnectOptions::new(), 1, true);
    let Ok(Turn::Now(held)) = pool.0.turn(1) else {
        panic!("it was free")
    };
    let Ok(Turn::Later(gone)) = pool.0.turn(2) else {
        panic!("it was taken")
    };
    let Ok(Turn::Later(mut waits)) = pool.0.turn(3) else {
        panic!("it was taken")
    };
    drop(gone);
    drop(held);
    let given = waits.try_recv().expect("it came back");
    assert!(given.live.is_none(), "nothing was opened, so the right to open was handed on");
    drop(given);
    assert!(matches!(pool.0.turn(4), Ok(Turn::Now(_))));
}

#[tokio::test]
async fn what_was_given_to_somebody_who_left_at_that_moment_is_not_lost() {
    let pool = Pool::new(PgConnectOptions::new(), 1, true);
    let Ok(Turn::Now(held)) = pool.0.turn(1) else {
        panic!("it was free")
    };
    let Ok(Turn::Later(given)) = pool.0.turn(2) else {
        panic!("it was taken")
    };
    drop(held);
    drop(given);
    assert!(matches!(pool.0.turn(3), Ok(Turn::Now(_))));
}

#[tokio::test]
async fn a_closed_pool_turns_everybody_away() {
    let pool = Pool::new(PgConnectOptions::new(), 1, true);
    let Ok(Turn::Now(held)) = pool.0.turn(1) else {
        panic!("it was free")
    };
    let Ok(Turn::Later(given)) = pool.0.turn(2) else {
        panic!("it was taken")
    };
    let closing = tokio::spawn({
        let pool = pool.clone();
        async move { pool.close().await }
    });
    assert!(given.await.is_err());
    drop(held);
    closing.await.expect("it ends when all has come back");
    assert!(pool.0.turn(3).is_err());
}
