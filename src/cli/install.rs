//! `pinring install --print-unit`: the unit of `scripts/pinring.service`, filled in for this machine.

use std::io::Write;

use super::arguments::InstallArguments;
use crate::sys::user::has_group;

const UNIT: &str = include_str!("../../scripts/pinring.service");

/// Groups that own devices pinring opens. Each is named only where it exists: a group that does not would keep the service from
/// starting.
const GROUPS: [&str; 5] = ["dialout", "tty", "gpio", "i2c", "spi"];

pub(super) fn print_unit(arguments: &InstallArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let file = std::path::absolute(&arguments.file)?;
    let name = file.file_stem().map_or_else(|| "pinring".into(), |stem| stem.to_string_lossy().into_owned());
    let groups: Vec<&str> = GROUPS.into_iter().filter(|group| has_group(group)).collect();
    let user = match &arguments.user {
        Some(user) => format!("User={}", plain(user)?),
        None => "DynamicUser=yes".to_owned(),
    };
    let unit = UNIT
        .replace("@PROGRAM@", &quoted(&program.to_string_lossy())?)
        .replace("@FILE@", &quoted(&file.to_string_lossy())?)
        .replace("@NAME@", plain(&name)?)
        .replace("@USER@", &user)
        .replace("@GROUPS@", &groups.join(" "));
    Ok(out.write_all(unit.as_bytes())?)
}

/// A word of a command line in a unit (systemd.syntax(7), systemd.service(5)).
fn quoted(word: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!word.chars().any(char::is_control), "{word:?}: a unit cannot name a path with control characters");
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_plain = word.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+".contains(letter));
    Ok(if is_plain { escaped } else { format!("\"{escaped}\"") })
}

/// A name that means itself in a unit.
fn plain(name: &str) -> anyhow::Result<&str> {
    let fits = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    anyhow::ensure!(fits, "{name:?}: use letters, digits, `.`, `-` and `_` only, because a unit is named after it");
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_has_nothing_left_to_fill_in() {
        let arguments = InstallArguments { print_unit: true, user: Some("pi".into()), file: "a/station.toml".into() };
        let mut out = Vec::new();
        print_unit(&arguments, &mut out).unwrap();
        let unit = String::from_utf8(out).unwrap();
        let settings: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(
            settings
                .iter()
                .all(|line| !line.contains("@PROGRAM") && !line.contains("@FILE") && !line.contains("@NAME"))
        );
        assert!(settings.contains(&"User=pi") && unit.contains("/a/station.toml"));
        assert!(settings.contains(&"RuntimeDirectory=pinring/station"), "{unit}");
    }

    #[test]
    fn paths_are_quoted_as_systemd_reads_them() {
        assert_eq!(quoted("/usr/bin/pinring").unwrap(), "/usr/bin/pinring");
        assert_eq!(quoted("/a b/50%\"$x\\").unwrap(), "\"/a b/50%%\\\"$$x\\\\\"");
        assert!(quoted("a\nb").is_err() && plain("a b").is_err());
    }
}
