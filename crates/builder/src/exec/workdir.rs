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
        let key = workdir_key(op, parent);
        self.cached_or(id, "workdir", &key, || {
            self.events.event(Event::Started { step: id });
            let view = self.view(parent)?;
            let owner = match op.user.as_str() {
                "" => (0, 0),
                user => self.owner(user, parent, &view)?,
            };
            let mut placement = Placement::new(view, Some(owner), None, now());
            placement.directory(&op.path)?;
            let path = self.store.temporary("layer.tar");
            let mut layer = LayerWriter::create(&path, self.compression(id))?;
            for placed in placement.entries() {
                layer.add(&placed.entry, &mut io::empty()).map_err(FsError::new("write", &path))?;
            }
            Ok(self.store.put_layer(layer.finish()?, None)?)
        })
    }
}

pub(super) fn workdir_key(op: &WorkdirOp, parent: &Snapshot) -> Digest {
    key("workdir", &(op, &parent.chain))
}
