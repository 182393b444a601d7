//! The migrations are embedded by a macro, which cannot tell cargo to look at their folder.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
