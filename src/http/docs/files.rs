//! The files of Swagger UI that are served, and the style sheets and the script of this server's own.

use super::kept::Kept;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file that is this server's own, or by its name one of Swagger UI's.
enum Source {
    Own(&'static str),
    SwaggerUi,
}

/// What `/docs/` has; Swagger UI brings more than its page needs.
const OF_UI: &[(&str, &str, Source)] = &[
    ("swagger-ui.css", STYLE, Source::SwaggerUi),
    ("swagger-ui-bundle.js", SCRIPT, Source::SwaggerUi),
    ("oauth2-redirect.html", "text/html; charset=utf-8", Source::SwaggerUi),
    ("oauth2-redirect.js", SCRIPT, Source::SwaggerUi),
    ("favicon-32x32.png", "image/png", Source::SwaggerUi),
    ("start.js", SCRIPT, Source::Own(include_str!("../../../templates/docs/start.js"))),
    ("ui.css", STYLE, Source::Own(include_str!("../../../templates/docs/ui.css"))),
];

const OF_REFERENCE: &[(&str, &str, Source)] =
    &[("reference.css", STYLE, Source::Own(include_str!("../../../templates/docs/reference.css")))];

/// What was asked for once.
static KEPT: LazyLock<Mutex<HashMap<&'static str, Arc<Kept>>>> = LazyLock::new(Mutex::default);

pub fn of_ui(name: &str) -> Option<Arc<Kept>> {
    file(OF_UI, name)
}

pub fn of_reference(name: &str) -> Option<Arc<Kept>> {
    file(OF_REFERENCE, name)
}

fn file(table: &'static [(&str, &str, Source)], name: &str) -> Option<Arc<Kept>> {
    let (name, content_type, source) = table.iter().find(|row| row.0 == name)?;
    let mut kept = KEPT.lock().ok()?;
    if let Some(kept) = kept.get(name) {
        return Some(Arc::clone(kept));
    }
    let bytes = match source {
        Source::Own(text) => text.as_bytes().to_vec(),
        Source::SwaggerUi => {
            let config = Arc::new(utoipa_swagger_ui::Config::from("openapi.json"));
            utoipa_swagger_ui::serve(name, config).ok().flatten()?.bytes.into_owned()
        }
    };
    let made = Arc::new(Kept::new(content_type, bytes));
    kept.insert(name, Arc::clone(&made));
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_pages_is_there() {
        for (name, _, _) in OF_UI {
            assert!(of_ui(name).is_some(), "{name}");
        }
        assert!(of_reference("reference.css").is_some());
        for name in ["index.html", "swagger-initializer.js", "../Cargo.toml", ""] {
            assert!(of_ui(name).is_none() && of_reference(name).is_none(), "{name}");
        }
    }
}
