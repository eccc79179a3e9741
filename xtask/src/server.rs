//! Serving the site on this machine, for `play` and for the browser's tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use tiny_http::{Header, Method, Request, Response};

/// Only this machine can reach what is served.
const ADDRESS: &str = "127.0.0.1";

/// Requests that are answered at the same time: as many as a browser opens connections to one server.
const THREADS: usize = 6;

/// A server on this machine, until the program ends.
pub struct Server {
    http: Arc<tiny_http::Server>,
    port: u16,
}

impl Server {
    /// Takes `port`, or any that is free where it is 0. Requests wait until there is something to serve.
    pub fn listen(port: u16) -> Result<Self> {
        let http = tiny_http::Server::http((ADDRESS, port)).map_err(|error| anyhow!("{error}"));
        let http = http.with_context(|| {
            format!("can't serve on port {port} of {ADDRESS}; if it is in use, name another with `--port N`")
        })?;
        let port = http.server_addr().to_ip().map_or(port, |address| address.port());
        Ok(Self { http: Arc::new(http), port })
    }

    /// Serves `folder` at `path`, which begins and ends with `/`, and returns the URL of that.
    pub fn serve(&self, folder: &Path, path: &str) -> String {
        for _ in 0..THREADS {
            let (http, folder, path) = (Arc::clone(&self.http), folder.to_owned(), path.to_owned());
            thread::spawn(move || answer_all(&http, &folder, &path));
        }
        format!("http://{ADDRESS}:{}{path}", self.port)
    }
}

fn answer_all(http: &tiny_http::Server, folder: &Path, path: &str) {
    while let Ok(request) = http.recv() {
        // A browser that hangs up while it is answered is no concern of ours.
        let _ = answer(request, folder, path);
    }
}

fn answer(request: Request, folder: &Path, path: &str) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(text("only GET and HEAD are served", 405));
    }
    let content = file_for(request.url(), folder, path).and_then(|file| Some((fs::read(&file).ok()?, file)));
    match content {
        Some((bytes, file)) => request.respond(
            Response::from_data(bytes)
                .with_header(header("Content-Type", media_type(&file)))
                .with_header(never_stale()),
        ),
        None => request.respond(text("there is no such file", 404)),
    }
}

/// The file that `url` names, if it can be one of `folder`'s. Names in the site need no percent encoding, so
/// none is undone, and what is no plain name is refused.
fn file_for(url: &str, folder: &Path, path: &str) -> Option<PathBuf> {
    let name = url.split(['?', '#']).next()?.strip_prefix(path)?;
    let name =
        if name.is_empty() || name.ends_with('/') { format!("{name}index.html") } else { name.to_owned() };
    name.split('/').all(is_plain).then(|| folder.join(name))
}

/// Whether one part of a path is a name: neither a way up nor, on any platform, a way elsewhere.
fn is_plain(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '%'])
}

fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "xz" => "application/x-xz",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "md" => "text/markdown; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn text(message: &str, status: u16) -> Response<std::io::Cursor<Vec<u8>>> {
    Response::from_string(format!("{message}\n")).with_status_code(status).with_header(never_stale())
}

/// What is served changes with every build: it is asked for anew each time.
fn never_stale() -> Header {
    header("Cache-Control", "no-cache")
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("our headers are plain ASCII")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_url_names_a_file_below_the_folder_or_none() {
        let site = Path::new("site");
        let file = |url| file_for(url, site, "/a/sub-path/");
        assert_eq!(file("/a/sub-path/"), Some(site.join("index.html")));
        assert_eq!(file("/a/sub-path/?lesson=1"), Some(site.join("index.html")));
        assert_eq!(file("/a/sub-path/scenarios/one.json?v=2"), Some(site.join("scenarios/one.json")));
        for elsewhere in [
            "/",
            "/boot.js",
            "/a/sub-path",
            "/a/sub-path/../secret",
            "/a/sub-path/x/../../secret",
            "/a/sub-path//etc/passwd",
            "/a/sub-path/%2e%2e/secret",
            "/a/sub-path/..\\secret",
            "/a/sub-path/C:/secret",
        ] {
            assert_eq!(file(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_port_in_use_is_said_to_be_so_and_the_way_out_named() {
        let first = Server::listen(0).expect("some port is free");
        let Err(error) = Server::listen(first.port) else { panic!("two servers on one port") };
        assert!(format!("{error:#}").contains("--port N"), "{error:#}");
    }

    #[test]
    fn a_file_is_served_with_its_media_type_and_never_from_a_stale_cache() {
        let server = Server::listen(0).expect("some port is free");
        server.serve(Path::new(env!("CARGO_MANIFEST_DIR")), "/");
        let mut stream = TcpStream::connect((ADDRESS, server.port)).expect("the server listens");
        stream
            .write_all(b"GET /Cargo.toml HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("Content-Type: application/octet-stream"), "{answer}");
        assert!(answer.contains("Cache-Control: no-cache"), "{answer}");
        assert!(answer.contains("[package]"), "{answer}");
    }
}
