//! Steps that need not be looked at, for their results are known by name.
//!
//! A cache elsewhere with `mode=min` has the layers of the images, and of all other steps the name of
//! what they made. A name is enough for the keys of later steps, and these may be known with their
//! layers. Only where a step has to run must what it needs be there: if that is but a name, the step
//! with that name runs too, and what comes after it is not known before it has run.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
};

use super::{Exec, Made, Record, StepResult};
use crate::{
    events::Event,
    plan::{Op, StepId},
    problem::BuildError,
};

/// The result of a step that need not run, and whether its layer is nowhere but in its name.
struct Known {
    result: StepResult,
    is_name: bool,
}

impl Exec<'_> {
    /// Takes the results of steps from what is known elsewhere; says whether these are all. What is in
    /// the way, such as a file that isn't there, is for the execution to tell.
    pub fn take_known(&self) -> Result<bool, BuildError> {
        let steps = 0..self.plan.steps.len();
        // Who wants all layers written elsewhere is not helped by names.
        if !self.imported.has_promises() || self.request.cache_to.iter().any(|to| to.max) {
            return Ok(false);
        }
        let mut names = BTreeSet::new();
        for id in steps.clone() {
            match self.known_result(id) {
                Ok(Some(known)) => {
                    if known.is_name {
                        names.insert(id);
                    }
                    self.set_result(id, Some(known.result));
                }
                Err(error) if error.is_interrupt() => return Err(error),
                Ok(None) | Err(_) => {}
            }
        }
        self.forget_names_in_use(&names);
        let known: Vec<StepId> = steps.filter(|id| self.result(*id).is_some()).collect();
        let all = known.len() == self.plan.steps.len();
        for step in known {
            self.events.event(Event::Cached { step });
        }
        Ok(all)
    }

    /// Of what a step needs that has to run, a name is not enough; and what is made after the one that
    /// runs for it may have other names.
    fn forget_names_in_use(&self, names: &BTreeSet<StepId>) {
        loop {
            let unknown = |id: &StepId| self.result(*id).is_none();
            let steps = 0..self.plan.steps.len();
            let mut forgotten: BTreeSet<StepId> = steps
                .clone()
                .filter(unknown)
                .flat_map(|id| self.plan.steps[id].needs())
                .flat_map(|need| self.plan.chain(Some(need)))
                .filter(|id| names.contains(id) && !unknown(id))
                .collect();
            if forgotten.is_empty() {
                return;
            }
            for id in steps {
                if self.plan.steps[id].needs().iter().any(|need| forgotten.contains(need)) {
                    forgotten.insert(id);
                }
            }
            for id in forgotten {
                self.set_result(id, None);
            }
        }
    }

    fn set_result(&self, id: StepId, result: Option<StepResult>) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results[id] = result.map(Arc::new);
    }

    fn known_result(&self, id: StepId) -> Result<Option<Known>, BuildError> {
        let step = &self.plan.steps[id];
        if step.needs().iter().any(|need| self.result(*need).is_none()) {
            return Ok(None);
        }
        let parent = self.snapshot(step.parent);
        let (kind, key) = match &step.op {
            Op::Base(number) => {
                return Ok(Some(Known { result: self.base_result(*number), is_name: false }));
            }
            _ if self.afresh(id) => return Ok(None),
            Op::Run(op) => ("run", self.run_key(op, &parent)?),
            Op::Copy(op) => ("copy", self.copy_key(op, &parent)?),
            Op::Workdir(op) => ("workdir", self.workdir_key(op, &parent)),
        };
        let recorded =
            self.store.record::<Record>(kind, &key).filter(|r| self.store.has_layer(&r.layer));
        let (Record { layer, created, content, .. }, is_name) = match recorded {
            Some(record) => (record, false),
            None => match (self.imported.step(kind, &key), self.imported.promise(kind, &key)) {
                (Some(step), _) => {
                    let record = Record::from(step.clone());
                    self.store.put_record(kind, &key, &record)?;
                    (record, false)
                }
                (None, Some(step)) => (Record::from(step.clone()), true),
                (None, None) => return Ok(None),
            },
        };
        // What images have must be here, or somewhere to be fetched from.
        if is_name && self.shipped.contains(&id) {
            return Ok(None);
        }
        let key = (kind, key);
        let made = Made { layer, created, cached: true, settled: true, key, content };
        let (snapshot, created, cached, key, content) = self.grown(id, &parent, Ok(made))?;
        let result = StepResult { snapshot, created, seconds: 0.0, cached, key, content };
        Ok(Some(Known { result, is_name }))
    }
}
