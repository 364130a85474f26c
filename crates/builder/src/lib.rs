//! The embedded builder: plan, execute, layer, image, index, export and push.
