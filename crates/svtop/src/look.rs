//! What a look at a service asks for. The rows on the screen are looked at each time; the others take turns, because each
//! question costs, and there may be a thousand.

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// What the logger does and has logged, and whether it is stopped.
    pub(crate) is_turn: bool,
    /// How much waits in the log pipe.
    pub(crate) asks_for_pipe: bool,
    /// All of the service is read again. This finds what nothing tells of: a log, a file `down`, a supervisor that was killed.
    pub(crate) is_thorough: bool,
}

/// How many looks a service that is not on the screen waits for its turn: what is urgent is to be seen within two looks.
const BETWEEN_TURNS: usize = 2;
const BETWEEN_PIPE: usize = 20;
/// The same for a thorough look, and for one of the rows on the screen.
const BETWEEN_THOROUGH: usize = 60;
const BETWEEN_THOROUGH_ON_SCREEN: usize = 4;

impl Look {
    /// The first look at a service.
    pub(crate) const FIRST: Look = Look { is_turn: true, asks_for_pipe: true, is_thorough: true };

    /// A look at the logger alone.
    pub(crate) const DUE: Look = Look { is_turn: true, asks_for_pipe: false, is_thorough: false };

    /// The look that is due. `turn` grows by one with each look, and is different for each service.
    pub(crate) fn due(turn: usize, is_on_screen: bool, needs_pipe: bool) -> Look {
        let between_thorough = if is_on_screen { BETWEEN_THOROUGH_ON_SCREEN } else { BETWEEN_THOROUGH };
        Look {
            is_turn: is_on_screen || turn.is_multiple_of(BETWEEN_TURNS),
            asks_for_pipe: is_on_screen || needs_pipe || turn.is_multiple_of(BETWEEN_PIPE),
            is_thorough: turn.is_multiple_of(between_thorough),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_turn_for_everything() {
        let looks: Vec<Look> = (0..60).map(|turn| Look::due(turn, false, false)).collect();

        let count = |asks: fn(&Look) -> bool| looks.iter().filter(|look| asks(look)).count();
        assert_eq!(count(|look| look.is_turn), 30);
        assert_eq!(count(|look| look.asks_for_pipe), 3);
        assert_eq!(count(|look| look.is_thorough), 1);
        assert!((0..60).all(|turn| Look::due(turn, true, false).is_turn));
    }
}
