//! What every computing stage asks of its inputs: one schema, and fields found by name.

use crate::message::{FieldType, Schema};
use crate::pipeline::{Input, PlanError};

/// The schema all inputs share, and the messages per second they bring together.
///
/// A stage with several inputs sees them as one stream, in the order its worker takes them; that only makes sense
/// where all messages have the same fields.
///
/// # Errors
/// No input, or two whose fields differ.
pub(super) fn common_schema<'a>(inputs: &[Input<'a>]) -> Result<(&'a Schema, f64), PlanError> {
    let Some(first) = inputs.first() else {
        return Err(PlanError::input("needs at least one input"));
    };
    for other in &inputs[1..] {
        if other.schema != first.schema {
            return Err(PlanError::input(format!(
                "inputs `{}` ({}) and `{}` ({}) have different fields; give each its own stage",
                first.name, first.schema, other.name, other.schema
            )));
        }
    }
    Ok((first.schema, inputs.iter().map(|input| input.rate).sum()))
}

/// Index of the field called `name`.
///
/// # Errors
/// There is none; the message lists those there are.
pub(super) fn field_index(schema: &Schema, key: &'static str, name: &str) -> Result<usize, PlanError> {
    schema.index_of(name).ok_or_else(|| {
        let known: Vec<_> = schema.fields().iter().map(|field| field.name.as_str()).collect();
        PlanError::key(key, format!("no field is called `{name}`; the input has: {}", known.join(", ")))
    })
}

/// Index of the numeric field called `name`.
///
/// # Errors
/// There is none, or it is no number.
pub(super) fn numeric_index(schema: &Schema, key: &'static str, name: &str) -> Result<usize, PlanError> {
    let index = field_index(schema, key, name)?;
    let kind = schema.fields()[index].kind;
    if kind.is_numeric() {
        Ok(index)
    } else {
        Err(PlanError::key(key, format!("field `{name}` is {kind}, not a number")))
    }
}

/// Indices of the fields named, or of all floats and integers where none is. Booleans are taken only by name: few
/// people expect the mean of a switch.
///
/// # Errors
/// A name is unknown, no number, or given twice; or there is nothing to compute on.
pub(super) fn numeric_fields(schema: &Schema, names: &[String]) -> Result<Vec<usize>, PlanError> {
    let mut chosen = Vec::new();
    for name in names {
        let index = numeric_index(schema, "fields", name)?;
        if chosen.contains(&index) {
            return Err(PlanError::key("fields", format!("field `{name}` is named twice")));
        }
        chosen.push(index);
    }
    if names.is_empty() {
        let fields = schema.fields().iter().enumerate();
        let numbers = fields.filter(|(_, field)| matches!(field.kind, FieldType::F64 | FieldType::I64));
        chosen.extend(numbers.map(|(index, _)| index));
    }
    if chosen.is_empty() {
        return Err(PlanError::input(format!("the input has no number to compute on: {schema}")));
    }
    Ok(chosen)
}
