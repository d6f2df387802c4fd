//! Small groups, systematically.

use tertulia_sim::conformance::FullMesh;
use tertulia_sim::explore::{Explorer, explore};

#[test]
fn small_meshes_settle_whatever_the_order() {
    let explorer = Explorer { stride: 8, ..Explorer::default() };
    let found = explore(&explorer, 2, &|_, _| Box::new(FullMesh::default()));
    println!("{found}");
    assert_eq!(found.failed, 0, "{found}");
}
