//! All attempts about memory transactions, and that this partition is none the worse for them.

use partition::buffers::PAGE;
use partition::memory::Kind;
use partition::service::Vcpu;

use crate::borrow::{self, Sent};
use crate::call::Conduit;
use crate::series::{BUFFERS, SPARE, SPARES, Series, TO, spare};
use crate::verdict::Verdict;
use crate::{lend, malformed, owned};

/// Tries them all, with buffers that are mapped meanwhile.
pub fn all(vcpu: &Vcpu, conduit: Conduit, sent: &Sent) -> Verdict {
    BUFFERS.map(1).expect("buffers are the partition's own memory");
    let last = |page: usize| (page + 1) * PAGE - 8;
    (0..SPARES).for_each(|page| SPARE.set_word(last(page), last(page) as u64));
    let mut series = Series::new(vcpu.endpoint, conduit);
    lend::all(&mut series);
    malformed::all(&mut series);
    borrow::all(&mut series, sent);
    owned::all(&mut series);
    // 0xf00 and more: everything is its own as before.
    series.chapter(0xf00);
    for kind in Kind::ALL {
        for page in 0..SPARES {
            series.verdict.judge(0xf00, SPARE.word(last(page)), last(page) as u64);
            let (receivers, ranges) = ([(TO, kind.permissions())], [(spare(page), 1)]);
            series.admit(kind, &series.sound(kind, &receivers, &ranges));
        }
    }
    BUFFERS.unmap().expect("they are mapped");
    series.verdict
}
