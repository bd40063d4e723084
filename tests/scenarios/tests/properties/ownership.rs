//! Memory transactions at random: manager, a simple account of pages, and a walk of the tables agree after each step, and
//! a refused step changes nothing.

use proptest::prelude::*;
use scenarios::World;
use scenarios::ownership::{Run, Step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn manager_account_and_tables_agree_on_who_has_which_page(
        steps in prop::collection::vec(any::<[u8; 16]>().prop_map(Step::decode), 1..200),
    ) {
        let mut run = Run::new(World::booted());
        for step in steps {
            run.step(&step);
        }
        run.end();
    }
}
