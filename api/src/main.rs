use std::path::PathBuf;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("embedded-postgres") => trunkline_api::embedded::keep(&PathBuf::from(&args[2]), args.len() > 3).await,
        Some("tether") => trunkline_api::tether::keep(&PathBuf::from(&args[2]), &args[3..]).await,
        Some("try") => {
            let t = std::time::Instant::now();
            let e = trunkline_api::embedded::Embedded::start(&PathBuf::from(&args[1]), args.len() > 2).await?;
            eprintln!("{} {:?}", e.url, t.elapsed());
            let dir = PathBuf::from(&args[1]).join("freeradius");
            let r = trunkline_api::freeradius::FreeRadius::start(&trunkline_api::freeradius::Settings{dir:&dir, auth_port:1812, acct_port:1813, database_url:&e.url, user:"x", password:"y"}).await?;
            eprintln!("{} {} {:?}", r.auth_port, r.acct_port, t.elapsed());
            tokio::signal::ctrl_c().await?;
            r.stop().await?;
            e.stop().await
        }
        _ => {
            print!("{}", trunkline_api::graphql::sdl());
            Ok(())
        }
    }
}
