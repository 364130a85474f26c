//! Layers as an output wants them: compressed otherwise, or with clamped times.

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    sync::Arc,
};

use mlint_oci::Digest;

use crate::{
    error::FsError,
    exec::{Exec, Snapshot},
    image::{BuiltImage, assemble_of, layer_steps},
    layer::{
        Compression, LayerWriter,
        compress::ParallelCompressor,
        packed::Unpacked,
        read::{ArchiveError, Limits, Whiteouts, each_entry},
        writer::HashWriter,
    },
    plan::{ImagePlan, Op},
    problem::{BuildError, Problem},
    request::{Annotation, LayerOptions},
    store::LayerRef,
};

/// The images with their layers and annotations as wanted.
pub fn reshape(
    exec: &Exec<'_>,
    plans: &[&ImagePlan],
    options: LayerOptions,
    annotations: &[Annotation],
) -> Result<Vec<BuiltImage>, BuildError> {
    let clamp = match (options.rewrite_timestamp, exec.request.epoch) {
        (false, _) => None,
        (true, Some(epoch)) => Some(epoch),
        (true, None) => return Err(Problem::NoEpoch.into()),
    };
    let image = |plan: &&ImagePlan| {
        let snapshot = exec.snapshot(plan.last);
        let steps = layer_steps(exec.plan, plan);
        let mut layers = Vec::new();
        for (layer, step) in snapshot.layers.iter().zip(steps) {
            let own = !matches!(exec.plan.steps[step].op, Op::Base(_));
            layers.push(one(exec, layer, own, options, clamp)?);
        }
        assemble_of(exec, plan, Snapshot::of(layers), annotations)
    };
    plans.iter().map(image).collect()
}

fn one(
    exec: &Exec<'_>,
    layer: &LayerRef,
    own: bool,
    options: LayerOptions,
    clamp: Option<i64>,
) -> Result<LayerRef, BuildError> {
    let wanted = options.compression.unwrap_or(exec.request.compression);
    if let Some(epoch) = clamp.filter(|_| own) {
        return known_or(exec, ("rewrite", layer, wanted, epoch), || {
            rewrite(exec, layer, wanted, epoch)
        });
    }
    let differs = match own {
        true => layer.compression != Some(wanted),
        false => options.force && layer.media_type != wanted.media_type(),
    };
    if !differs {
        return Ok(layer.clone());
    }
    compressed(exec, layer, wanted)
}

/// The layer, compressed like this.
pub fn compressed(
    exec: &Exec<'_>,
    layer: &LayerRef,
    wanted: Compression,
) -> Result<LayerRef, BuildError> {
    known_or(exec, ("compress", layer, wanted, 0), || compress(exec, layer, wanted))
}

/// What was made once need not be made again.
fn known_or(
    exec: &Exec<'_>,
    parts: (&str, &LayerRef, Compression, i64),
    make: impl FnOnce() -> Result<LayerRef, BuildError>,
) -> Result<LayerRef, BuildError> {
    let (what, layer, wanted, epoch) = parts;
    let key = Digest::sha256(format!("1 {what} {} {wanted:?} {epoch}", layer.digest));
    let _lock = exec.lock("reshape", key.hex())?;
    if let Some(known) = exec.store.record::<LayerRef>("reshape", &key)
        && exec.store.has_layer(&known)
    {
        return Ok(known);
    }
    let made = make()?;
    exec.store.put_record("reshape", &key, &made)?;
    Ok(made)
}

/// The layer's archive, unpacked.
fn archive(exec: &Exec<'_>, layer: &LayerRef) -> Result<Unpacked, BuildError> {
    let path = exec.whole_layer(layer)?;
    let file = File::open(&path).map_err(FsError::new("read", &path))?;
    Ok(Unpacked::open(file, Limits::default()).map_err(FsError::new("read", &path))?)
}

/// The same bytes, compressed otherwise.
fn compress(
    exec: &Exec<'_>,
    layer: &LayerRef,
    wanted: Compression,
) -> Result<LayerRef, BuildError> {
    let mut from = archive(exec, layer)?;
    let path = exec.store.temporary("layer.tar");
    let mut copy = || -> Result<(Digest, Digest, u64), BuildError> {
        let failed = |e| FsError::new("write", &path)(e);
        let file = File::create_new(&path).map_err(failed)?;
        let blob = HashWriter::new(BufWriter::with_capacity(256 * 1024, file));
        let mut out = HashWriter::new(ParallelCompressor::new(blob, wanted));
        let mut buffer = vec![0; 256 * 1024];
        loop {
            if exec.interrupted() {
                return Err(Problem::Interrupted.into());
            }
            match from.read(&mut buffer).map_err(FsError::new("read", &path))? {
                0 => break,
                n => out.write_all(&buffer[..n]).map_err(failed)?,
            }
        }
        let (compressor, diff_id, _) = out.finish();
        let (mut out, digest, size) = compressor.finish().map_err(failed)?.finish();
        out.flush().map_err(failed)?;
        Ok((diff_id, digest, size))
    };
    let (diff_id, digest, size) = copy()?;
    if diff_id != layer.diff_id {
        let (digest, expected) = (layer.digest.clone(), layer.diff_id.clone());
        let wrong =
            crate::store::LayerStoreError::WrongContent { digest, expected, found: diff_id };
        return Err(wrong.into());
    }
    exec.store.adopt_blob(&path, &digest)?;
    let media_type = wanted.media_type().to_owned();
    Ok(LayerRef { diff_id, digest, size, media_type, origin: None, compression: Some(wanted) })
}

/// The same entries, none of them younger than the epoch.
fn rewrite(
    exec: &Exec<'_>,
    layer: &LayerRef,
    wanted: Compression,
    epoch: i64,
) -> Result<LayerRef, BuildError> {
    let from = archive(exec, layer)?;
    let path = exec.store.temporary("layer.tar");
    let mut writer = LayerWriter::create(&path, wanted)?;
    let writing: Arc<std::path::Path> = Arc::from(path.as_path());
    each_entry(from, Whiteouts::Layer, Limits::default(), |mut entry, data| {
        if exec.interrupted() {
            return Err(ArchiveError::Interrupted);
        }
        entry.meta.mtime = entry.meta.mtime.min(epoch);
        writer.add(&entry, data).map_err(|e| FsError::new("write", &writing)(e).into())
    })?;
    Ok(exec.store.put_layer(writer.finish()?, None)?)
}
