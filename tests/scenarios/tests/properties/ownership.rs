//! Memory transactions at random: manager, a simple account of pages, and a walk of the tables agree after each step, and
//! a refused step changes nothing.

use std::sync::LazyLock;

use proptest::prelude::*;
use scenarios::ownership::{Run, Step};
use scenarios::{Plan, Sources};

static AT_EL1: LazyLock<Plan> = LazyLock::new(|| Plan::new(&Sources::new()));
static AT_EL0: LazyLock<Plan> = LazyLock::new(|| {
    let mut sources = Sources::new();
    sources.relay_at_el0();
    Plan::new(&sources)
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn manager_account_and_tables_agree_on_who_has_which_page(
        relay_is_at_el0: bool,
        steps in prop::collection::vec(any::<[u8; 16]>().prop_map(Step::decode), 1..200),
    ) {
        let plan = if relay_is_at_el0 { &*AT_EL0 } else { &*AT_EL1 };
        let mut run = Run::new(plan.world().booted_pe(0));
        for step in steps {
            run.step(&step);
        }
        run.end();
    }
}
