use std::collections::HashMap;

use serde_json::json;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart, Value};
use typst::syntax::{DiagSpan, FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, WorldExt};
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

use crate::pipe::{Answer, Request};

/// SIL Open Font License; `fonts/OFL.txt`.
const FONTS: [&[u8]; 4] = [
    include_bytes!("../fonts/NotoSans-Regular.ttf"),
    include_bytes!("../fonts/NotoSans-Bold.ttf"),
    include_bytes!("../fonts/NotoSansDevanagari-Regular.ttf"),
    include_bytes!("../fonts/NotoSansDevanagari-Bold.ttf"),
];

/// What is remembered of earlier documents is dropped once so many have not needed it.
const KEPT_FOR: usize = 5;

/// All that a template can see: the request's files and our fonts.
pub struct World {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    /// The template.
    main: FileId,
    sources: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
}

impl World {
    /// None only if Typst would not take a plain name for a path.
    pub fn new() -> Option<Self> {
        let main = id(VirtualPath::new("invoice.typ").ok()?);
        let fonts: Vec<Font> = FONTS.into_iter().flat_map(|data| Font::iter(Bytes::new(data))).collect();
        Some(Self {
            library: LazyHash::new(library()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            main,
            sources: HashMap::new(),
            files: HashMap::new(),
        })
    }

    pub fn render(&mut self, request: Request) -> Answer {
        if let Err(refused) = self.take(request) {
            return refused;
        }
        let answer = self.pdf();
        comemo::evict(KEPT_FOR);
        answer
    }

    /// Replaces the files. A source that has not changed keeps its parse.
    fn take(&mut self, request: Request) -> Result<(), Answer> {
        self.files.clear();
        let mut sources = HashMap::new();
        for (n, (name, content)) in request.0.into_iter().enumerate() {
            let path = VirtualPath::new(&name).map_err(|_| Answer::refused("A file has an impossible name."))?;
            let id = id(path);
            if n == 0 {
                self.main = id;
            }
            if n == 0 || name.ends_with(".typ") {
                let text = String::from_utf8(content).map_err(|_| Answer::refused("The template is not UTF-8 text."))?;
                let source = match self.sources.remove(&id) {
                    Some(known) if known.text() == text => known,
                    _ => Source::new(id, text),
                };
                sources.insert(id, source);
            } else {
                self.files.insert(id, Bytes::new(content));
            }
        }
        self.sources = sources;
        Ok(())
    }

    fn pdf(&self) -> Answer {
        let compiled = typst::compile::<PagedDocument>(self).output;
        let options = PdfOptions {
            creator: Smart::Custom(Some("Trunkline".into())),
            ..PdfOptions::default()
        };
        match compiled.and_then(|document| typst_pdf::pdf(&document, &options)) {
            Ok(pdf) => Answer::Pdf(pdf),
            Err(errors) => match errors.first() {
                Some(first) => self.explain(first),
                None => Answer::refused("The template could not be typeset."),
            },
        }
    }

    /// The first error, with the line in the template that led to it where there is one.
    fn explain(&self, error: &SourceDiagnostic) -> Answer {
        let calls = error.trace.iter().map(|call| DiagSpan::from(call.span));
        let spans: Vec<DiagSpan> = std::iter::once(error.span).chain(calls).collect();
        let own = spans.iter().find(|span| span.id() == Some(self.main));
        let place = own.or(spans.first()).and_then(|span| self.place(*span));
        let hints: Vec<&str> = error.hints.iter().map(|hint| hint.v.as_str()).collect();
        let (file, line, column) = match place {
            Some((file, line, column)) => (Some(file), Some(line), Some(column)),
            None => (None, None, None),
        };
        let told = json!({ "file": file, "line": line, "column": column, "message": error.message.as_str(), "hints": hints });
        Answer::Refused(told.to_string().into_bytes())
    }

    /// File, line and column, counted from 1.
    fn place(&self, span: DiagSpan) -> Option<(String, usize, usize)> {
        let id = span.id()?;
        let range = self.range(span)?;
        let source = self.sources.get(&id)?;
        let (line, column) = source.lines().byte_to_line_column(range.start)?;
        Some((id.vpath().get_without_slash().to_owned(), line + 1, column + 1))
    }
}

/// Typst's own, without plugins, which are programs.
fn library() -> Library {
    let mut library = Library::default();
    library.global.scope_mut().define("plugin", Value::None);
    library.std = typst::foundations::Binding::detached(library.global.clone());
    library
}

fn id(path: VirtualPath) -> FileId {
    RootedPath::new(VirtualRoot::Project, path).intern()
}

impl typst::World for World {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        self.sources.get(&id).cloned().ok_or_else(|| refusal(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let source = || {
            self.sources
                .get(&id)
                .map(|source| Bytes::from_string(source.text().to_owned()))
        };
        self.files.get(&id).cloned().or_else(source).ok_or_else(|| refusal(id))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    /// A document is about its own dates, so the same data always gives the same document.
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

fn refusal(id: FileId) -> FileError {
    let what = match id.root() {
        VirtualRoot::Package(_) => "packages are not available here",
        VirtualRoot::Project => "a template reads the files of its document and no others",
    };
    FileError::Other(Some(what.into()))
}
