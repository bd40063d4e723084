//! PEs that PSCI turns off and on again (FF-A 1.2, chapter 18).

use crate::demo::{self, ECHO, Form, command, expect_answer};
use crate::outcome::{Outcome, expect};
use crate::pe;
use crate::random;

pub fn pes_go_off_and_come_back() -> Outcome {
    fn echo_answers() -> Outcome {
        let value = random::next();
        let answer = demo::ask(Form::Direct64, ECHO.id, &[command::ECHO, value]);
        expect_answer("word 1", Form::Direct64, ECHO.id, &answer, !value)
    }
    fn echo_has_restarted() -> Outcome {
        echo_answers()?;
        let answer = demo::ask(Form::Direct64, ECHO.id, &[command::WHO]);
        // The context of a PE that was off begins anew; the first PE was not.
        expect("requests served", u64::from(answer[6] == 2 || pe::index() == 0), 1)
    }
    for _ in 0..3 {
        for other in 1..pe::count() {
            pe::turn_off(other);
            let meanwhile = echo_answers();
            pe::turn_on(other);
            meanwhile?;
        }
        pe::on_all(echo_has_restarted)?;
    }
    // All off at once.
    (1..pe::count()).for_each(pe::turn_off);
    let meanwhile = echo_answers();
    (1..pe::count()).for_each(pe::turn_on);
    meanwhile?;
    pe::on_all(echo_has_restarted)
}
