//! Runs steps as soon as what they need is there: several at a time, native ones before emulated.

use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Exec;
use crate::{
    events::Event,
    fallen::Fallen,
    plan::{Op, StepId},
    problem::{BuildError, Problem},
};

struct State<'f> {
    /// Steps that may start, the most urgent first.
    ready: BTreeSet<(bool, StepId)>,
    /// For each step, how many it still waits for.
    waits: Vec<usize>,
    running: usize,
    left: usize,
    failed: BTreeSet<StepId>,
    failure: Option<BuildError>,
    fallen: &'f mut Fallen,
}

/// Executes all steps of the plan whose results are not known. If the build keeps going, a step that fails takes down the
/// platforms that it is for, and what is for them alone is not begun. Gives the number of steps that
/// were left out.
pub fn execute(exec: &Exec<'_>, jobs: usize, fallen: &mut Fallen) -> Result<usize, BuildError> {
    let steps = &exec.plan.steps;
    let mut waiters: Vec<Vec<StepId>> = vec![Vec::new(); steps.len()];
    let mut state = State {
        ready: BTreeSet::new(),
        waits: vec![0; steps.len()],
        running: 0,
        left: 0,
        failed: BTreeSet::new(),
        failure: None,
        fallen,
    };
    for (id, step) in steps.iter().enumerate().filter(|(id, _)| exec.result(*id).is_none()) {
        state.left += 1;
        let needs = step.needs().into_iter().filter(|need| exec.result(*need).is_none());
        let needs: BTreeSet<StepId> = needs.collect();
        state.waits[id] = needs.len();
        for need in &needs {
            waiters[*need].push(id);
        }
        if needs.is_empty() {
            state.ready.insert((is_emulated(exec, id), id));
        }
    }
    let left = state.left;
    let shared = (Mutex::new(state), Condvar::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, left.max(1)) {
            scope.spawn(|| worker(exec, &shared.0, &shared.1, &waiters));
        }
    });
    let state = shared.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    let left_out = |id: &StepId| exec.result(*id).is_none() && !state.failed.contains(id);
    let mut skipped = 0;
    for step in (0..steps.len()).filter(left_out) {
        exec.events.event(Event::Skipped { step });
        skipped += 1;
    }
    Ok(skipped)
}

fn worker(exec: &Exec<'_>, state: &Mutex<State<'_>>, changed: &Condvar, waiters: &[Vec<StepId>]) {
    let mut held = lock(state);
    loop {
        if held.left == 0 || held.failure.is_some() {
            return;
        }
        let Some((_, id)) = held.ready.pop_first() else {
            if held.running == 0 {
                changed.notify_all();
                return;
            }
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        // What waits for this step is for the same platforms, or fewer.
        if held.fallen.has_all(&exec.plan.steps[id].targets) {
            continue;
        }
        held.running += 1;
        drop(held);
        let alarm = Alarm { exec, state, changed };
        let result = exec.step(id);
        std::mem::forget(alarm);
        held = lock(state);
        held.running -= 1;
        match result {
            Ok(()) => {
                held.left -= 1;
                for waiter in &waiters[id] {
                    held.waits[*waiter] -= 1;
                    if held.waits[*waiter] == 0 {
                        held.ready.insert((is_emulated(exec, *waiter), *waiter));
                    }
                }
            }
            Err(error) => {
                exec.events.event(Event::Failed { step: id });
                let targets = &exec.plan.steps[id].targets;
                let stopped = exec.interrupted();
                let failed = Err::<(), _>(error);
                // Of what fails once the build is being stopped, nobody is to blame.
                let rest = match stopped {
                    true => failed.map(Some),
                    false => held.fallen.take(targets, failed),
                };
                let Err(error) = rest else {
                    held.failed.insert(id);
                    changed.notify_all();
                    continue;
                };
                // What fails because the build is being stopped is not why it is stopped.
                let first = held
                    .failure
                    .as_ref()
                    .is_none_or(|known| known.is_interrupt() || known.is_removed_damage());
                // What else runs is worth ending: the build begins again, and takes it from the cache.
                if !error.is_removed_damage() {
                    exec.session.cancel().cancel();
                }
                if first {
                    held.failure = Some(error);
                }
            }
        }
        changed.notify_all();
    }
}

/// Dropped if a step panics: the other workers end, and the panic is seen, rather than waited for.
struct Alarm<'a, 'e, 'f> {
    exec: &'a Exec<'e>,
    state: &'a Mutex<State<'f>>,
    changed: &'a Condvar,
}

impl Drop for Alarm<'_, '_, '_> {
    fn drop(&mut self) {
        lock(self.state).failure = Some(Problem::Interrupted.into());
        self.exec.session.cancel().cancel();
        self.changed.notify_all();
    }
}

fn is_emulated(exec: &Exec<'_>, id: StepId) -> bool {
    let step = &exec.plan.steps[id];
    let kind = exec.emulation.as_ref().and_then(|e| e.kind(&step.platform));
    matches!(step.op, Op::Run(_)) && kind.is_some_and(|k| k.is_emulated())
}

fn lock<'s, 'f>(state: &'s Mutex<State<'f>>) -> MutexGuard<'s, State<'f>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
