//! Arbitrary bytes, and sound descriptors of which bytes are changed, as what is sent and what is asked for in a memory
//! transaction: what is refused has changed nothing, and what is taken can be had back.
#![no_main]

use std::cell::RefCell;
use std::sync::LazyLock;

use fuzz::descriptor::{HEAD, How, machine, run};
use libfuzzer_sys::{Corpus, fuzz_target};
use scenarios::{Pe, Plan, Sources, VERSIONS};

static PLANS: LazyLock<[Plan; 3]> =
    LazyLock::new(|| VERSIONS.map(|version| Plan::new(&Sources::speaking(version))));

thread_local! {
    /// A machine for each version: nearly every input leaves it as it was.
    static MACHINES: RefCell<[Pe; 3]> = RefCell::new([0, 1, 2].map(another));
}

fn another(version: usize) -> Pe {
    machine(&PLANS[version], VERSIONS[version])
}

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((head, rest)) = input.split_first_chunk::<HEAD>() else { return Corpus::Reject };
    let how = How::decode(*head);
    MACHINES.with_borrow_mut(|machines| {
        if !run(&mut machines[how.version()], how, rest) {
            machines[how.version()] = another(how.version());
        }
    });
    Corpus::Keep
});
