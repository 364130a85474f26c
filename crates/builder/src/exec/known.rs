//! A build of which every step is known.
//!
//! A cache elsewhere with `mode=min` has the layers of the images, and of all other steps the name of
//! what they made. That is enough if nothing changed: the keys of later steps are made of names. As
//! soon as one step has to run, what it needs must be there, and the names alone are no help: then
//! all is executed as if they weren't known.

use std::sync::{Arc, PoisonError};

use super::{Exec, Made, Record, StepResult};
use crate::{
    events::Event,
    plan::{Op, StepId},
    problem::BuildError,
};

impl Exec<'_> {
    /// Takes the results of all steps from what is known, if all are; says whether. What is in the
    /// way, such as a file that isn't there, is for the execution to tell.
    pub fn all_known(&self) -> Result<bool, BuildError> {
        let steps = 0..self.plan.steps.len();
        if !self.imported.has_promises() || steps.clone().any(|id| self.afresh(id)) {
            return Ok(false);
        }
        // Who wants all layers written elsewhere is not helped by names.
        if self.request.cache_to.iter().any(|to| to.max) {
            return Ok(false);
        }
        for id in steps.clone() {
            let result = match self.known_result(id) {
                Ok(Some(result)) => Arc::new(result),
                Err(error) if error.is_interrupt() => return Err(error),
                Ok(None) | Err(_) => {
                    self.results.lock().unwrap_or_else(PoisonError::into_inner).fill(None);
                    return Ok(false);
                }
            };
            self.results.lock().unwrap_or_else(PoisonError::into_inner)[id] = Some(result);
        }
        for step in steps {
            self.events.event(Event::Cached { step });
        }
        Ok(true)
    }

    fn known_result(&self, id: StepId) -> Result<Option<StepResult>, BuildError> {
        let step = &self.plan.steps[id];
        if step.needs().iter().any(|need| self.result(*need).is_none()) {
            return Ok(None);
        }
        let parent = self.snapshot(step.parent);
        let (kind, key) = match &step.op {
            Op::Base(number) => return Ok(Some(self.base_result(*number))),
            Op::Run(op) => ("run", self.run_key(op, &parent)?),
            Op::Copy(op) => ("copy", self.copy_key(op, &parent)?),
            Op::Workdir(op) => ("workdir", self.workdir_key(op, &parent)),
        };
        let recorded =
            self.store.record::<Record>(kind, &key).filter(|r| self.store.has_layer(&r.layer));
        let (Record { layer, created, content, .. }, promised) = match recorded {
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
        if promised && self.shipped.contains(&id) {
            return Ok(None);
        }
        let key = (kind, key);
        let made = Made { layer, created, cached: true, settled: true, key, content };
        let (snapshot, created, cached, key, content) = self.grown(id, &parent, Ok(made))?;
        Ok(Some(StepResult { snapshot, created, seconds: 0.0, cached, key, content }))
    }
}
