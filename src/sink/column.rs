//! Names of columns and keys.

use crate::message::Schema;

/// Names for the fields of `schema` that differ from the `fixed` ones and from each other: a field called `seq` beside
/// the fixed column `seq` becomes `data_seq`.
pub(super) fn names(schema: &Schema, fixed: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for field in schema.fields() {
        let mut name = field.name.clone();
        while fixed.contains(&name.as_str()) || names.contains(&name) || (name != field.name && is_field(schema, &name))
        {
            name.insert_str(0, "data_");
        }
        names.push(name);
    }
    names
}

fn is_field(schema: &Schema, name: &str) -> bool {
    schema.index_of(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Field, FieldType};

    #[test]
    fn a_field_called_like_a_fixed_column_gets_a_name_of_its_own() {
        let fields = ["x", "seq", "data_seq"].map(|name| Field::new(name, "", FieldType::F64));
        let schema = Schema::new(fields.to_vec()).unwrap();
        assert_eq!(names(&schema, &["seq", "time"]), ["x", "data_data_seq", "data_seq"]);
    }
}
