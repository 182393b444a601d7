//! Looks at every state that a model can reach, breadth first, so that a counterexample is as short as can be.
//!
//! Two kinds of steps: progress, which happens by itself sooner or later, and faults, of which the model bounds the
//! number. "When faults stop, everything is settled in the end" is then a question about the steps of progress alone:
//! no state may be without one unless it is settled, and they must not go round in circles. Tools that look for an
//! `eventually` along whole paths tend to miss one of the two.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;

/// States beyond which a model is taken for unbounded.
const MOST_STATES: usize = 5_000_000;

/// Whether a step needs somebody to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It happens by itself, sooner or later.
    Progress,
    /// Something breaks.
    Fault,
}

/// A state machine with its properties.
pub trait Model {
    /// All there is to know at a moment.
    type State: Clone + Eq + Hash;
    /// A step.
    type Step: Clone + Debug;

    /// Where it begins.
    fn start(&self) -> Self::State;

    /// What can happen next, with what comes of it.
    fn steps(&self, state: &Self::State) -> Vec<(Kind, Self::Step, Self::State)>;

    /// What must hold in every state; the error names the property.
    fn check(&self, state: &Self::State) -> Result<(), &'static str>;

    /// What must hold of every step; the error names the property.
    fn check_step(&self, before: &Self::State, step: &Self::Step, after: &Self::State) -> Result<(), &'static str>;

    /// Whether nothing is left to do.
    fn is_settled(&self, state: &Self::State) -> bool;
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Steps to the farthest state.
    pub depth: usize,
    /// States in which nothing is left to do and nothing can happen but faults.
    pub settled: usize,
}

/// A property that does not hold.
#[derive(Debug, Clone)]
pub struct Violation<S> {
    /// Which.
    pub property: &'static str,
    /// The shortest way there.
    pub way: Vec<S>,
}

struct Visit<S> {
    from: Option<(usize, S)>,
    depth: usize,
}

/// Looks at every state.
pub fn explore<M: Model>(model: &M) -> Result<Extent, Violation<M::Step>> {
    let start = model.start();
    let mut visits: Vec<Visit<M::Step>> = vec![Visit { from: None, depth: 0 }];
    let mut known = HashMap::from([(start.clone(), 0)]);
    let mut waiting = VecDeque::from([(0, start)]);
    let mut progress: Vec<(usize, usize)> = Vec::new();
    let (mut steps, mut settled) = (0, 0);
    while let Some((place, state)) = waiting.pop_front() {
        model.check(&state).map_err(|property| Violation { property, way: way(&visits, place) })?;
        let mut progresses = false;
        for (kind, step, next) in model.steps(&state) {
            steps += 1;
            progresses |= kind == Kind::Progress;
            if let Err(property) = model.check_step(&state, &step, &next) {
                let mut way = way(&visits, place);
                way.push(step);
                return Err(Violation { property, way });
            }
            let number = match known.get(&next) {
                Some(number) => *number,
                None => {
                    let number = visits.len();
                    visits.push(Visit { from: Some((place, step)), depth: visits[place].depth + 1 });
                    known.insert(next.clone(), number);
                    waiting.push_back((number, next));
                    number
                }
            };
            if kind == Kind::Progress {
                progress.push((place, number));
            }
        }
        if !progresses && !model.is_settled(&state) {
            return Err(Violation { property: "when faults stop, everything is settled", way: way(&visits, place) });
        }
        settled += usize::from(!progresses);
        if visits.len() > MOST_STATES {
            return Err(Violation { property: "the model is bounded", way: way(&visits, place) });
        }
    }
    if let Some(place) = on_a_circle(visits.len(), &progress) {
        return Err(Violation { property: "nothing goes round in circles", way: way(&visits, place) });
    }
    let depth = visits.last().map_or(0, |last| last.depth);
    Ok(Extent { states: visits.len(), steps, depth, settled })
}

fn way<S: Clone>(visits: &[Visit<S>], mut place: usize) -> Vec<S> {
    let mut way = Vec::new();
    while let Some((from, step)) = &visits[place].from {
        way.push(step.clone());
        place = *from;
    }
    way.reverse();
    way
}

/// A state that is left over when those without predecessors are taken away again and again: it lies on a circle or
/// behind one.
fn on_a_circle(states: usize, edges: &[(usize, usize)]) -> Option<usize> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); states];
    let mut before = vec![0usize; states];
    for (from, to) in edges {
        after[*from].push(*to);
        before[*to] += 1;
    }
    let mut free: Vec<usize> = (0..states).filter(|state| before[*state] == 0).collect();
    while let Some(state) = free.pop() {
        for next in std::mem::take(&mut after[state]) {
            before[next] -= 1;
            if before[next] == 0 {
                free.push(next);
            }
        }
    }
    before.iter().position(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts from 0; the steps of each number are given.
    struct Numbers(fn(u8) -> Vec<(Kind, u8)>);

    impl Model for Numbers {
        type State = u8;
        type Step = u8;

        fn start(&self) -> u8 {
            0
        }

        fn steps(&self, state: &u8) -> Vec<(Kind, u8, u8)> {
            (self.0)(*state).into_iter().map(|(kind, next)| (kind, next, next)).collect()
        }

        fn check(&self, state: &u8) -> Result<(), &'static str> {
            if *state == 13 { Err("not 13") } else { Ok(()) }
        }

        fn check_step(&self, before: &u8, _: &u8, after: &u8) -> Result<(), &'static str> {
            if *before > 20 && after < before { Err("only up") } else { Ok(()) }
        }

        fn is_settled(&self, state: &u8) -> bool {
            *state == 9
        }
    }

    /// How many states, or what is wrong and the way to it.
    type Expected = Result<usize, (&'static str, Vec<u8>)>;

    #[test]
    fn each_kind_of_wrong_is_found_by_the_shortest_way() {
        use Kind::{Fault, Progress};
        type Steps = fn(u8) -> Vec<(Kind, u8)>;
        let cases: [(Steps, Expected); 6] = [
            (|at| if at < 9 { vec![(Progress, at + 1)] } else { vec![] }, Ok(10)),
            // A fault takes it back; that is no circle of progress.
            (|at| if at < 9 { vec![(Progress, at + 1), (Fault, 0)] } else { vec![(Fault, 5)] }, Ok(10)),
            (|at| if at < 12 { vec![(Progress, at + 1), (Progress, 13)] } else { vec![] }, Err(("not 13", vec![13]))),
            (
                |at| if at < 4 { vec![(Progress, at + 1)] } else { vec![(Fault, 9)] },
                Err(("when faults stop, everything is settled", vec![1, 2, 3, 4])),
            ),
            (
                |at| vec![(Progress, (at + 1) % 3), (Progress, 9)].into_iter().filter(|_| at != 9).collect(),
                Err(("nothing goes round in circles", vec![])),
            ),
            (|at| if at == 0 { vec![(Progress, 22)] } else { vec![(Progress, 9)] }, Err(("only up", vec![22, 9]))),
        ];
        for (number, (steps, expected)) in cases.into_iter().enumerate() {
            let found = explore(&Numbers(steps));
            let found = found.map(|extent| extent.states).map_err(|violation| (violation.property, violation.way));
            assert_eq!(found, expected, "case {number}");
        }
    }
}
