//! What clap writes for others: completions and the manual page.

use std::io::Write;

use clap::CommandFactory;

use super::Arguments;

/// A completion script.
pub(super) fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "pinring", &mut script);
    Ok(out.write_all(&script)?)
}

/// The manual page.
pub(super) fn man(out: &mut dyn Write) -> anyhow::Result<()> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    Ok(out.write_all(&page)?)
}
