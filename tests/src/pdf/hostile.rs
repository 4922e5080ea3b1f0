use std::time::{Duration, Instant};

use trunkline_api::adapters::render::Limits;

use super::{ENDLESS, good, refused, renderers};

/// Whatever a template reaches for that its document does not bring is refused, with the line; the process goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_reads_its_document_and_nothing_else() {
    let renderers = renderers(Limits::default());
    for (template, expected) in [
        ("\n#read(\"/etc/passwd\")", "Line 2, column 7"),
        ("#read(\"../../../etc/passwd\")", "Line 1"),
        (
            "#image(\"/proc/self/environ\")",
            "a template reads the files of its document and no others",
        ),
        (
            "#include \"other.typ\"",
            "a template reads the files of its document and no others",
        ),
        ("#import \"@preview/cetz:0.3.4\"", "packages are not available here"),
        ("#plugin(\"x.wasm\")", "Line 1"),
        ("#std.plugin(bytes((0, 97, 115, 109)))", "Line 1"),
        ("#datetime.today()", "date"),
        ("#bibliography(\"refs.bib\")", "no others"),
        ("a\nb\n#(1 + \"x\")", "Line 3, column 3: cannot add integer and string"),
        ("#let x = (", "unclosed delimiter"),
        ("#panic(\"told\")", "told"),
    ] {
        let message = refused(&renderers, template).await;
        assert!(message.contains(expected), "{template}: {message}");
    }
    assert_eq!(renderers.idle().len(), 1, "one process has answered all of that");
    good(&renderers).await;
}

/// What would never end, or take all memory, is stopped by the system; the next document is typeset.
#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_takes_too_much_is_stopped() {
    let limited = |cpu_seconds| {
        renderers(Limits {
            cpu_seconds,
            wall: Duration::from_secs(60),
            ..Limits::default()
        })
    };
    // Who is to run into another limit than that of time has enough of it, on a slow machine as well.
    let (hurried, patient) = (limited(1), limited(10));
    for (renderers, template, expected) in [
        (&hurried, ENDLESS, "too long"),
        (
            &patient,
            "x\n#{ let i = 0; while i >= 0 { i = calc.rem(i + 1, 1000) } }",
            "Line 2, column 15: loop seems to be infinite",
        ),
        (
            &patient,
            "#{ let f(n) = if n < 0 { 0 } else { calc.rem(f(n - 1) + f(n - 2), 7) }; f(200) }",
            "",
        ),
        (
            &patient,
            "#let f(x) = f(x + 1)\n#f(1)",
            "maximum function call depth exceeded",
        ),
        (&patient, "#{ let s = \"x\"; for i in range(40) { s = s + s }; s }", "memory"),
        (&patient, "#{ let a = (0,); for i in range(40) { a = a + a }; a.len() }", ""),
        (&hurried, "#for i in range(100000000) [word ]", ""),
        (&hurried, "#lorem(2000000000)", ""),
    ] {
        let begun = Instant::now();
        let message = refused(renderers, template).await;
        assert!(message.contains(expected) && !message.is_empty(), "{template}: {message}");
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{template} took {:?}",
            begun.elapsed()
        );
        good(renderers).await;
    }
}

/// Waiting costs no processor time, so there is a limit of the clock's time as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_limits_what_the_processor_time_does_not() {
    let limits = Limits {
        cpu_seconds: 600,
        wall: Duration::from_secs(8),
        ..Limits::default()
    };
    let renderers = renderers(limits);
    let message = refused(&renderers, ENDLESS).await;
    assert!(message.contains("too long"), "{message}");
    good(&renderers).await;
}

/// What does not fit is not taken in, however much of it there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_has_a_size() {
    let limits = Limits {
        output: 16 << 10,
        ..Limits::default()
    };
    let renderers = renderers(limits);
    let message = refused(&renderers, "#for i in range(3000) [#calc.rem(i * 7919, 10007) ]").await;
    assert_eq!(message, "The document is too large: more than 16 KiB.");
    good(&renderers).await;
}
