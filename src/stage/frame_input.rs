//! The one input that decoding stages take: a frame or a line.

use crate::message::FieldType;
use crate::pipeline::{Input, PlanError};

/// Most bytes of the frames on the only input.
pub(super) fn frame_input(inputs: &[Input<'_>]) -> Result<usize, PlanError> {
    let [input] = inputs else {
        return Err(PlanError::input(format!("it decodes one input, not {}", inputs.len())));
    };
    match input.schema.fields() {
        [field] => match field.kind {
            FieldType::Text { max } | FieldType::Bytes { max } => Ok(usize::from(max)),
            kind => Err(PlanError::input(format!("`{}` gives `{}` ({kind}), not frames", input.name, field.name))),
        },
        _ => Err(PlanError::input(format!(
            "`{}` gives {}; what is decoded must come from a source that frames bytes",
            input.name, input.schema
        ))),
    }
}
