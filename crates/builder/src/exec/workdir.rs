//! WORKDIR: a layer with the directories that were missing.

use std::io;

use mlint_oci::Digest;

use super::{Exec, Made, Snapshot, cache_key::key, now};
use crate::{
    copy::Placement,
    error::FsError,
    events::Event,
    layer::LayerWriter,
    plan::{StepId, WorkdirOp},
    problem::BuildError,
};

impl Exec<'_> {
    pub(super) fn workdir(
        &self,
        id: StepId,
        op: &WorkdirOp,
        parent: &Snapshot,
    ) -> Result<Made, BuildError> {
        let key = self.workdir_key(op, parent);
        self.cached_or(id, "workdir", &key, || {
            self.events.event(Event::Started { step: id });
            let view = self.view(parent)?;
            let owner = match op.user.as_str() {
                "" => None,
                user => Some(self.owner(user, parent, &view)?),
            };
            let mut placement = Placement::new(view, owner, None, now());
            let target = placement.directory(&op.path)?;
            // What a build that is to be repeated makes is as old as it is told (`dispatchWorkdir` of
            // `dockerfile2llb/convert.go`).
            if let Some(epoch) = self.request.epoch {
                placement.date(&target, epoch);
            }
            let path = self.store.temporary("layer.tar");
            let mut layer = LayerWriter::create(&path, self.compression(id))?;
            for placed in placement.entries() {
                layer.add(&placed.entry, &mut io::empty()).map_err(FsError::new("write", &path))?;
            }
            Ok(self.store.put_layer(layer.finish()?, None)?)
        })
    }

    pub(super) fn workdir_key(&self, op: &WorkdirOp, parent: &Snapshot) -> Digest {
        match self.request.epoch {
            None => key("workdir", &(op, &parent.chain)),
            Some(epoch) => key("workdir", &(op, &parent.chain, epoch)),
        }
    }
}
