//! Brings the Python part into the core: its source, and its bytecode for each CPython of this machine. To compile the source takes
//! a twelfth of the time of the import of NumPy, at each start of a program (`make bench`, cold start).

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Where the Python part is.
const PART: &str = "python/gophersnake";
/// Prints the executable of each CPython that is here.
const FIND: &str = "scripts/pythons.sh";

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::current_dir()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let bytecode = out.join("bytecode");
    if bytecode.exists() {
        fs::remove_dir_all(&bytecode)?;
    }
    for python in pythons()? {
        compile(&python, &root.join(PART), &bytecode);
    }

    let mut code = String::from("const SOURCES: &[(&str, &str)] = &[\n");
    for file in files(&root.join(PART), "py")? {
        println!("cargo:rerun-if-changed={}", file.display());
        if !file.ends_with("__init__.py") {
            writeln!(code, "    ({:?}, include_str!({file:?})),", name(&file))?;
        }
    }
    code.push_str("];\nconst BYTECODE: &[(&str, &[u8])] = &[\n");
    // Below a folder that stands for all of the file system, as everywhere.
    for file in files(&bytecode.join(root.strip_prefix("/")?).join(PART), "pyc")? {
        writeln!(code, "    ({:?}, include_bytes!({file:?})),", name(&file))?;
    }
    code.push_str("];\n");
    fs::write(out.join("package.rs"), code)?;
    for file in [PART, FIND, "build.rs"] {
        println!("cargo:rerun-if-changed={file}");
    }
    Ok(())
}

/// The executables of the CPython that make was told to use, and of one of each version that is here.
fn pythons() -> Result<Vec<String>, Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=PYTHON");
    let mut pythons = vec![env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())];
    let found = String::from_utf8(Command::new("bash").arg(FIND).output()?.stdout)?;
    let executables = found.lines().filter_map(|line| line.split('|').nth(1));
    pythons.extend(executables.filter(|path| !path.is_empty()).map(str::to_owned));
    Ok(pythons)
}

/// Lets a CPython compile all modules. If it cannot, there is no bytecode for its version, and a program that starts compiles the source.
fn compile(python: &str, part: &Path, bytecode: &Path) {
    let mut prefix = std::ffi::OsString::from("pycache_prefix=");
    prefix.push(bytecode);
    let compiled = Command::new(python)
        .args(["-I".as_ref(), "-X".as_ref(), prefix.as_os_str()])
        .args([
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            "-d",
            "<gophersnake>",
        ])
        .arg(part)
        .stdin(Stdio::null())
        .output();
    if !compiled.is_ok_and(|compiled| compiled.status.success()) {
        println!("cargo:warning={python} cannot compile {PART}; programs start with it more slowly");
    }
}

/// The files of a folder, if there is one, that end so, in the order of their names.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|is| is == extension));
    files.sort();
    Ok(files)
}

/// The module's: `errors` for `errors.cpython-311.pyc`.
fn name(file: &Path) -> &str {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('.').next().unwrap_or_default()
}
