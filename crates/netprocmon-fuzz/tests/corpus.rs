//! Replays every input of the corpus, so that what once broke a parser never does again unnoticed.

use std::fs;
use std::path::{Path, PathBuf};

use netprocmon_fuzz::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

#[test]
fn every_input_of_the_corpus_is_survived() {
    for target in TARGETS {
        let directory = fuzz().join("corpus").join(target.name);
        let mut inputs = 0;
        for entry in
            fs::read_dir(&directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"))
        {
            let path = entry.unwrap().path();
            println!("{}", path.display()); // shown when it fails
            let bytes = fs::read(&path).unwrap();
            (target.run)(&bytes);
            // Cut off anywhere, as a short read would be.
            for end in 0..bytes.len() {
                (target.run)(&bytes[..end]);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "{directory:?} is empty: nothing was tested");
    }
}

#[test]
fn every_target_has_a_program_and_every_corpus_a_target() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let name = format!("name = \"{}\"", target.name);
        assert!(manifest.contains(&name), "{}", target.name);
        let program = fuzz().join(format!("fuzz_targets/{}.rs", target.name));
        let text = fs::read_to_string(&program).unwrap();
        assert!(
            text.contains(&format!("run(\"{}\"", target.name)),
            "{program:?}"
        );
    }
    for entry in fs::read_dir(fuzz().join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|target| target.name == name), "{name}");
    }
}
