//! Linear scaling: raw counts to physical units.

use super::linear::Linear;
use super::select::{common_schema, numeric_index};
use crate::message::{FieldType, Record, Schema};
use crate::pipeline::{Emitter, Input, Output, PlanError, Stage};

/// How one field is scaled: `value * scale + offset`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleField {
    /// Name of the field.
    pub field: String,
    /// Factor, finite.
    pub scale: f64,
    /// Added after the factor, in the new unit; finite.
    pub offset: f64,
    /// The new unit; `None` keeps the old one.
    pub unit: Option<String>,
}

/// Scales the fields named to `F64`; all others pass through. A missing value stays missing.
#[derive(Clone, Debug)]
pub struct Scale {
    fields: Vec<ScaleField>,
    /// For each field of the message: how it is scaled, if it is.
    plan: Vec<Option<Linear>>,
}

impl Scale {
    /// Scales those fields.
    pub fn new(fields: Vec<ScaleField>) -> Self {
        Self { fields, plan: Vec::new() }
    }
}

impl Stage for Scale {
    fn kind(&self) -> &'static str {
        "scale"
    }

    fn plan(&mut self, inputs: &[Input<'_>]) -> Result<Output, PlanError> {
        let (schema, rate) = common_schema(inputs)?;
        if self.fields.is_empty() {
            return Err(PlanError::key("fields", "names no field to scale"));
        }
        let mut fields = schema.fields().to_vec();
        self.plan = vec![None; fields.len()];
        for wanted in &self.fields {
            let index = numeric_index(schema, "fields", &wanted.field)?;
            let name = &wanted.field;
            if !(wanted.scale.is_finite() && wanted.offset.is_finite()) {
                return Err(PlanError::key("fields", format!("scale and offset of `{name}` must be finite numbers")));
            }
            if self.plan[index].replace(Linear::new(wanted.scale, wanted.offset)).is_some() {
                return Err(PlanError::key("fields", format!("field `{name}` is scaled twice")));
            }
            fields[index].kind = FieldType::F64;
            if let Some(unit) = &wanted.unit {
                fields[index].unit.clone_from(unit);
            }
        }
        Ok(Output { schema: Schema::new(fields)?, state_size: 0, max_per_step: 1, rate })
    }

    fn process(&self, _: usize, record: &Record<'_>, _: &mut [u8], out: &mut Emitter<'_>) {
        out.emit(|scaled| {
            for (index, plan) in self.plan.iter().enumerate() {
                match plan {
                    Some(linear) => scaled.set_f64(index, linear.apply(record.f64(index))),
                    None => scaled.copy_field(index, record, index),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, Value};
    use crate::stage::rig::Rig;

    fn schema() -> Schema {
        Schema::new(vec![Field::new("raw", "counts", FieldType::I64), Field::new("id", "", FieldType::Text { max: 4 })])
            .unwrap()
    }

    fn by(field: &str, scale: f64, offset: f64) -> ScaleField {
        ScaleField { field: field.into(), scale, offset, unit: Some("degC".into()) }
    }

    #[test]
    fn a_scaled_field_becomes_a_float_in_its_new_unit_and_others_pass() {
        let mut rig = Rig::new(Scale::new(vec![by("raw", 0.5, -10.0)]), schema()).unwrap();
        assert_eq!(rig.output.schema.to_string(), "raw [degC] f64, id text[4]");
        assert_eq!((rig.output.max_per_step, rig.output.rate), (1, 100.0));
        let out = rig.feed(|record| {
            record.set_i64(0, 61);
            record.set_text(1, "roof");
        });
        assert_eq!(out, 1);
        assert_eq!(rig.last().f64(0), 20.5);
        assert_eq!(rig.last().text(1), "roof");
    }

    #[test]
    fn a_missing_value_stays_missing() {
        let mut rig = Rig::new(Scale::new(vec![by("raw", 0.5, -10.0)]), schema()).unwrap();
        rig.feed(|_| {});
        assert_eq!(rig.last().value(0), Value::Missing);
    }

    #[test]
    fn an_unknown_field_is_answered_with_those_there_are() {
        let error = Rig::new(Scale::new(vec![by("row", 1.0, 0.0)]), schema()).unwrap_err();
        assert_eq!(error.key, Some("fields"));
        assert_eq!(error.message, "no field is called `row`; the input has: raw, id");
    }

    #[test]
    fn text_and_a_field_named_twice_and_nan_are_refused() {
        let refused = |fields: Vec<ScaleField>| Rig::new(Scale::new(fields), schema()).unwrap_err().message;
        assert_eq!(refused(vec![by("id", 1.0, 0.0)]), "field `id` is text[4], not a number");
        assert_eq!(refused(vec![by("raw", 1.0, 0.0), by("raw", 2.0, 0.0)]), "field `raw` is scaled twice");
        assert!(refused(vec![by("raw", f64::NAN, 0.0)]).contains("finite"));
        assert_eq!(refused(vec![]), "names no field to scale");
    }
}
