fn main() {
    #[expect(clippy::print_stdout, reason = "the schema is what this command prints")]
    {
        print!("{}", trunkline_api::graphql::sdl());
    }
}
