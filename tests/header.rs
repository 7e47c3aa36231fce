//! The committed header is what the sources say.
#![expect(clippy::expect_used, reason = "a test that cannot go on should say why")]

use std::path::Path;

#[test]
fn header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("include/gophersnake.h");
    let mut generated = Vec::new();
    cbindgen::generate(root)
        .expect("cbindgen reads src/")
        .write(&mut generated);
    let generated = String::from_utf8(generated).expect("the header is UTF-8");
    if std::env::var_os("GOPHERSNAKE_WRITE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/ can be written");
    }
    let committed = std::fs::read_to_string(&path).expect("include/gophersnake.h can be read");
    similar_asserts::assert_eq!(committed, generated, "run `make header`");
}
