//! An automaton of `regex-automata` whose states are made when a line first leads to them.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

/// What the states may take that lines lead to. When it is full, all are forgotten.
pub(super) const STATES_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What compiles expressions, as bytes.
pub(super) fn compiler() -> thompson::Compiler {
    let mut compiler = thompson::Compiler::new();
    compiler.syntax(syntax::Config::new().unicode(false).utf8(false));
    // No group is asked for.
    compiler.configure(thompson::Config::new().utf8(false).which_captures(WhichCaptures::None));
    compiler
}

/// An automaton with the states that it has made so far.
#[derive(Debug)]
pub(super) struct LazyAutomaton {
    pub(super) automaton: DFA,
    pub(super) states: Cache,
}

impl LazyAutomaton {
    pub(super) fn new(nfa: NFA) -> LazyAutomaton {
        let config =
            DFA::config().match_kind(MatchKind::All).cache_capacity(STATES_BYTES_MAX).skip_cache_capacity_check(true);
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa).expect("each expression was compiled");
        let states = automaton.create_cache();
        LazyAutomaton { automaton, states }
    }

    /// Tells whether a match is found.
    pub(super) fn finds(&mut self, input: Input<'_>) -> bool {
        let found = self.automaton.try_search_fwd(&mut self.states, &input.earliest(true));
        found.expect("no byte stops it, and it forgets as often as it must").is_some()
    }

    /// Notes each of the `count` expressions that matches.
    pub(super) fn find_all(&mut self, line: &[u8], count: usize, matching: &mut [u64]) {
        let LazyAutomaton { automaton, states } = self;
        let mut left = count;
        let mut state = automaton.start_state_forward(states, &Input::new(line)).expect("no byte stops it");
        for &byte in line {
            state = automaton.next_state(states, state, byte).expect("it forgets as often as it must");
            if state.is_tagged() {
                if state.is_match() {
                    left -= note(automaton, states, state, matching);
                }
                if left == 0 || state.is_dead() {
                    return;
                }
            }
        }
        state = automaton.next_eoi_state(states, state).expect("it forgets as often as it must");
        if state.is_match() {
            note(automaton, states, state, matching);
        }
    }

    pub(super) fn forget_states(&mut self) {
        self.states = self.automaton.create_cache();
    }
}

/// Notes the expressions that match in a state, and says how many of them are new.
fn note(automaton: &DFA, states: &Cache, state: LazyStateID, matching: &mut [u64]) -> usize {
    let mut new = 0;
    for number in 0..automaton.match_len(states, state) {
        let expression = automaton.match_pattern(states, state, number).as_usize();
        let (word, bit) = (&mut matching[expression / 64], 1 << (expression % 64));
        new += usize::from(*word & bit == 0);
        *word |= bit;
    }
    new
}
